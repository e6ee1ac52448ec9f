"""Attention that PyTorch 1.13 has no layer for, written out in it: grouped queries, rotary positions of both conventions, sinusoidal
positions; masks together; nn.Transformer; deep recurrent layers with states.

Tensors are named as in sequence.py: <case>/in/<name>, <case>/weight/<name>, <case>/out/<name>, <case>/cotangent/<name> and
<case>/grad/<name>.
"""
import math

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from _golden import begin, cases_of_modules, save

SEED = 33
begin(SEED)
tensors = {}
case = cases_of_modules(tensors)


B, T, S, C, HEADS = 3, 5, 7, 24, 6
D = C // HEADS


def angles(steps, dim):
    frequencies = 10000.0 ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    return torch.arange(steps, dtype=torch.float64)[:, None] * frequencies


def turn_halves(x):
    turns = angles(x.shape[-2], x.shape[-1])
    cos, sin = (torch.cat([f(turns)] * 2, -1).float() for f in (torch.cos, torch.sin))
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat([-b, a], -1) * sin


def turn_pairs(x):
    turns = angles(x.shape[-2], x.shape[-1])
    turned = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2)) * torch.polar(torch.ones_like(turns), turns).to(torch.complex64)
    return torch.view_as_real(turned).flatten(-2)


class Attention(nn.Module):
    """Fused projection, query heads in groups on fewer heads of keys and values."""

    def __init__(self, kv_heads, turn=None):
        super().__init__()
        self.kv_heads, self.turn = kv_heads, turn
        rows = C + 2 * kv_heads * D
        self.in_proj_weight, self.in_proj_bias = nn.Parameter(torch.empty(rows, C)), nn.Parameter(torch.empty(rows))
        self.out_proj = nn.Linear(C, C)

    def forward(self, query, key, hidden=None):
        width = self.kv_heads * D
        wq, wk, wv = self.in_proj_weight.split([C, width, width])
        bq, bk, bv = self.in_proj_bias.split([C, width, width])
        heads = lambda x, w, b: nn.functional.linear(x, w, b).unflatten(-1, (-1, D)).transpose(1, 2)
        q, k, v = heads(query, wq, bq), heads(key, wk, bk), heads(key, wv, bv)
        if self.turn is not None:
            q, k = self.turn(q), self.turn(k)
        k, v = (x.repeat_interleave(HEADS // self.kv_heads, 1) for x in (k, v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(D)
        if hidden is not None:
            scores = scores.masked_fill(hidden.bool(), float("-inf"))
        return self.out_proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


x, memory = torch.randn(B, T, C), torch.randn(B, S, C)
causal = torch.ones(T, T, dtype=torch.int64).triu(1)
padding = (torch.arange(T) >= torch.tensor([5, 3, 1])[:, None]).long()
for name, kv_heads, turn in (("groups", 2, None), ("oneGroup", 1, None), ("halfSplit", 6, turn_halves), ("interleaved", 3, turn_pairs)):
    case(name, Attention(kv_heads, turn), lambda m, x, mask: {"output": m(x, x, mask)}, x=x, mask=causal)
case("groupsCross", Attention(3), lambda m, x, memory: {"output": m(x, memory)}, x=x, memory=memory)
# Causal and padded together: the first step is never padded, so every query sees something.
case(
    "causalPadded",
    nn.MultiheadAttention(C, HEADS, batch_first=True),
    lambda m, x, mask, padding: {"output": m(x, x, x, attn_mask=mask.bool(), key_padding_mask=padding.bool())[0]},
    x=x,
    mask=causal,
    padding=padding,
)


class Nothing(nn.Module):
    pass


def sinusoidal(_, x):
    turns = angles(x.shape[-2], x.shape[-1])
    return {"output": x + torch.stack([turns.sin(), turns.cos()], -1).flatten(-2).float()}


case("sinusoidal", Nothing(), sinusoidal, x=torch.randn(2, 40, 10))

options = {"d_model": C, "nhead": HEADS, "num_encoder_layers": 2, "num_decoder_layers": 2, "dim_feedforward": 20, "dropout": 0.0}
source_padding = (torch.arange(S) >= torch.tensor([7, 4, 2])[:, None]).long()
for name, extra in (("transformer", {}), ("transformerNormFirst", {"norm_first": True, "activation": "gelu"})):
    case(
        name,
        nn.Transformer(**options, **extra, batch_first=True),
        lambda m, source, target, mask, padding: {
            "output": m(
                source,
                target,
                tgt_mask=mask.bool(),
                src_key_padding_mask=padding.bool(),
                memory_key_padding_mask=padding.bool(),
            )
        },
        source=memory,
        target=x,
        mask=causal,
        padding=source_padding,
    )


def recurrent(m, x, lengths, h0, c0=None):
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    out, last = m(packed, h0 if c0 is None else (h0, c0))
    out, _ = pad_packed_sequence(out, total_length=x.shape[0])
    return {"output": out, **dict(zip(("hn", "cn"), last if isinstance(last, tuple) else (last,)))}


steps, lengths = torch.randn(T, B, 4), torch.tensor([2, 5, 1])
for name, module in (("rnnThree", nn.RNN(4, 6, 3, nonlinearity="relu")), ("gruThree", nn.GRU(4, 6, 3))):
    case(name, module, recurrent, x=steps, lengths=lengths, h0=torch.randn(3, B, 6))
case("lstmThree", nn.LSTM(4, 6, 3), recurrent, x=steps, lengths=lengths, h0=torch.randn(3, B, 6), c0=torch.randn(3, B, 6))

save(__file__, SEED, tensors, {"numHeads": str(HEADS)})
