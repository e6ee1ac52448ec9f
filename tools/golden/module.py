"""Modules: causal self-attention with a fused qkv projection, layer norm, an embedding, and a pre-norm transformer block of GPT-2."""
import math

import torch
import torch.nn.functional as F

from _golden import begin, save

SEED = 21
begin(SEED)
B, T, C, H = 2, 9, 24, 3
tensors = {}


class CausalSelfAttention(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = torch.nn.Linear(C, 3 * C)
        self.proj = torch.nn.Linear(C, C)

    def forward(self, x):
        q, k, v = self.qkv(x).split(C, dim=2)
        q, k, v = (t.view(B, T, H, C // H).transpose(1, 2) for t in (q, k, v))
        scores = q @ k.transpose(-1, -2) / math.sqrt(C // H)
        scores = scores.masked_fill(torch.ones(T, T, dtype=torch.bool).triu(1), float("-inf"))
        out = (F.softmax(scores, dim=-1) @ v).transpose(1, 2).reshape(B, T, C)
        return self.proj(out)


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1 = torch.nn.LayerNorm(C)
        self.attention = CausalSelfAttention()
        self.norm2 = torch.nn.LayerNorm(C)
        self.fc = torch.nn.Linear(C, 4 * C)
        self.proj = torch.nn.Linear(4 * C, C)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.proj(F.gelu(self.fc(self.norm2(x)), approximate="tanh"))


def case(name, module, x):
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    leaf = x.clone().requires_grad_(True)
    out = module(leaf)
    cotangent = torch.randn(out.shape)
    out.backward(cotangent)
    tensors.update({f"{name}/x": x, f"{name}/out": out, f"{name}/cotangent": cotangent, f"{name}/grad/x": leaf.grad})
    for key, parameter in module.named_parameters():
        tensors[f"{name}/weight/{key}"] = parameter
        tensors[f"{name}/grad/{key}"] = parameter.grad


case("layerNorm", torch.nn.LayerNorm(C), torch.randn(B, T, C) * 2 + 1)
case("linear", torch.nn.Linear(C, 7), torch.randn(B, T, C))
case("attention", CausalSelfAttention(), torch.randn(B, T, C))
case("block", Block(), torch.randn(B, T, C))

save(__file__, SEED, tensors, {"numHeads": str(H)})
