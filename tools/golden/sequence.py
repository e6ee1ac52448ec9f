"""Layers of sequences: RNN, LSTM, GRU (lengths, directions, layers), their cells, attention with masks, transformer layers, embedding bags.

Tensors are named <case>/in/<name>, <case>/weight/<name>, <case>/out/<name>, <case>/cotangent/<name> and <case>/grad/<name>; the test has a
function of the same case name.
"""
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from _golden import begin, cases_of_modules, save

SEED = 31
begin(SEED)
tensors = {}
case = cases_of_modules(tensors)


def recurrent(module, x, lengths=None, h0=None, c0=None):
    state = None if h0 is None else h0 if c0 is None else (h0, c0)
    packed = x
    if lengths is not None:
        packed = pack_padded_sequence(x, lengths, batch_first=module.batch_first, enforce_sorted=False)
    out, last = module(packed, state)
    if lengths is not None:
        steps = x.shape[1 if module.batch_first else 0]
        out, _ = pad_packed_sequence(out, batch_first=module.batch_first, total_length=steps)
    states = dict(zip(("hn", "cn"), last if isinstance(last, tuple) else (last,)))
    return {"output": out, **states}


T, B, C, H = 6, 4, 5, 7
x = torch.randn(T, B, C)
lengths = torch.tensor([3, 6, 1, 5])
case("rnnTanh", nn.RNN(C, H), recurrent, x=x)
case("rnnRelu", nn.RNN(C, H, nonlinearity="relu", bidirectional=True), recurrent, x=x, lengths=lengths)
case("lstm", nn.LSTM(C, H), recurrent, x=x, h0=torch.randn(1, B, H), c0=torch.randn(1, B, H))
case(
    "lstmDeep",
    nn.LSTM(C, H, num_layers=2, bidirectional=True, batch_first=True),
    recurrent,
    x=torch.randn(B, T, C),
    lengths=lengths,
    h0=torch.randn(4, B, H),
    c0=torch.randn(4, B, H),
)
case("lstmNoBias", nn.LSTM(C, H, bias=False), recurrent, x=x)
case("gru", nn.GRU(C, H), recurrent, x=x)
case(
    "gruDeep",
    nn.GRU(C, H, num_layers=2, bidirectional=True, batch_first=True),
    recurrent,
    x=torch.randn(B, T, C),
    lengths=lengths,
    h0=torch.randn(4, B, H),
)
case("gruNoBias", nn.GRU(C, H, bias=False), recurrent, x=x)

one = torch.randn(B, C)
case("rnnCell", nn.RNNCell(C, H), lambda m, x, h: {"h": m(x, h)}, x=one, h=torch.randn(B, H))
case("gruCell", nn.GRUCell(C, H), lambda m, x, h: {"h": m(x, h)}, x=one, h=torch.randn(B, H))
case(
    "lstmCell",
    nn.LSTMCell(C, H),
    lambda m, x, h, c: dict(zip(("h", "c"), m(x, (h, c)))),
    x=one,
    h=torch.randn(B, H),
    c=torch.randn(B, H),
)


def attention(m, query, key=None, value=None, padding=None, mask=None, added=None, averaged=True):
    key = query if key is None else key
    value = key if value is None else value
    out, weights = m(
        query,
        key,
        value,
        key_padding_mask=None if padding is None else padding.bool(),
        attn_mask=added if added is not None else None if mask is None else mask.bool(),
        average_attn_weights=averaged,
    )
    return {"output": out, "weights": weights}


E, HEADS, S = 12, 3, 8
query = torch.randn(T, B, E)
causal = torch.ones(T, T, dtype=torch.int64).triu(1)
padding = (torch.arange(S) >= torch.tensor([8, 5, 1, 7])[:, None]).long()
case("selfAttention", nn.MultiheadAttention(E, HEADS), attention, query=query)
case("selfAttentionCausal", nn.MultiheadAttention(E, HEADS), attention, query=query, mask=causal)
case(
    "crossAttention",
    nn.MultiheadAttention(E, HEADS, batch_first=True),
    attention,
    query=torch.randn(B, T, E),
    key=torch.randn(B, S, E),
    value=torch.randn(B, S, E),
    padding=padding,
)
case(
    "crossAttentionOtherDims",
    nn.MultiheadAttention(E, HEADS, kdim=5, vdim=7, bias=False),
    attention,
    query=query,
    key=torch.randn(S, B, 5),
    value=torch.randn(S, B, 7),
    padding=padding,
)
case(
    "attentionAdditive",
    nn.MultiheadAttention(E, HEADS),
    lambda m, **kw: attention(m, averaged=False, **kw),
    query=query,
    key=torch.randn(S, B, E),
    added=torch.randn(B * HEADS, T, S),
    padding=padding,
)


def encode(m, x, padding=None, mask=None):
    name = "mask" if isinstance(m, nn.TransformerEncoder) else "src_mask"
    masks = {name: None if mask is None else mask.bool()}
    return {"output": m(x, src_key_padding_mask=None if padding is None else padding.bool(), **masks)}


def decode(m, x, memory, mask, padding):
    return {"output": m(x, memory, tgt_mask=mask.bool(), memory_key_padding_mask=padding.bool())}


layer = {"d_model": E, "nhead": HEADS, "dim_feedforward": 20, "dropout": 0.0}
case("encoderLayer", nn.TransformerEncoderLayer(**layer), encode, x=query, mask=causal)
case(
    "encoderLayerNormFirst",
    nn.TransformerEncoderLayer(**layer, activation="gelu", norm_first=True, batch_first=True),
    encode,
    x=torch.randn(B, S, E),
    padding=padding,
)
case("decoderLayer", nn.TransformerDecoderLayer(**layer), decode, x=query, memory=torch.randn(S, B, E), mask=causal, padding=padding)
case(
    "decoderLayerNormFirst",
    nn.TransformerDecoderLayer(**layer, activation="gelu", norm_first=True, batch_first=True),
    decode,
    x=torch.randn(B, T, E),
    memory=torch.randn(B, S, E),
    mask=causal,
    padding=padding,
)
case(
    "encoder",
    nn.TransformerEncoder(nn.TransformerEncoderLayer(**layer), 2, nn.LayerNorm(E)),
    encode,
    x=torch.randn(S, B, E),
    padding=padding,
)
case(
    "decoder",
    nn.TransformerDecoder(nn.TransformerDecoderLayer(**layer), 2, nn.LayerNorm(E)),
    decode,
    x=query,
    memory=torch.randn(S, B, E),
    mask=causal,
    padding=padding,
)


def bag(m, ids, offsets=None, weights=None):
    return {"output": m(ids, offsets, per_sample_weights=weights)}


table = torch.randint(0, 9, (4, 5))
flat = torch.randint(0, 9, (11,))
offsets = torch.tensor([0, 4, 4, 9])
case("embedding", nn.Embedding(9, 4, padding_idx=2), lambda m, ids: {"output": m(ids)}, ids=table)
case("bagMean", nn.EmbeddingBag(9, 4), bag, ids=table)
case("bagSum", nn.EmbeddingBag(9, 4, mode="sum"), bag, ids=flat, offsets=offsets, weights=torch.randn(11))
case("bagMax", nn.EmbeddingBag(9, 4, mode="max"), bag, ids=flat, offsets=offsets)
case("bagPadded", nn.EmbeddingBag(9, 4, padding_idx=2), bag, ids=flat, offsets=offsets)
case("bagPaddedMax", nn.EmbeddingBag(9, 4, mode="max", padding_idx=2), bag, ids=table)

save(__file__, SEED, tensors, {"numHeads": str(HEADS)})
