"""Every op of core that PyTorch has too: inputs, output, and gradients under a random cotangent.

Tensors are named <case>/in/<i>, <case>/out, <case>/cotangent and <case>/grad/<i>; the test has a function of the same case name.
"""
import math

import torch
import torch.nn.functional as F

from _golden import begin, cases_of_functions, normal, save

SEED = 20
begin(SEED)
tensors = {}
case = cases_of_functions(tensors)


def ids(high, *shape):
    return torch.randint(0, high, shape, dtype=torch.int64)


def causal_attention(q, k, v):
    T = q.shape[-2]
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    mask = torch.ones(T, T, dtype=torch.bool).triu(1)
    return F.softmax(scores.masked_fill(mask, float("-inf")), dim=-1) @ v


# Element-wise, operands of equal and of broadcast shapes.
case("add", torch.add, normal(3, 5), normal(3, 5))
case("addBroadcast", torch.add, normal(2, 1, 5), normal(3, 1))
case("sub", torch.sub, normal(3, 5), normal(5))
case("mul", torch.mul, normal(3, 5), normal(3, 1))
case("div", torch.div, normal(3, 5), normal(3, 5).abs() + 0.5)
case("maximum", torch.maximum, normal(3, 5), normal(3, 5))
case("minimum", torch.minimum, normal(3, 5), normal(3, 5))
case("neg", torch.neg, normal(7))
case("abs", torch.abs, normal(7))
case("square", torch.square, normal(7))
case("sqrt", torch.sqrt, normal(7).abs() + 0.1)
case("exp", torch.exp, normal(7, std=2.0))
case("log", torch.log, normal(7).abs() + 0.1)
case("sin", torch.sin, normal(7))
case("cos", torch.cos, normal(7))
case("tanh", torch.tanh, normal(7, std=2.0))
case("sigmoid", torch.sigmoid, normal(7, std=3.0))
case("relu", torch.relu, normal(7))
case("silu", F.silu, normal(7, std=3.0))
case("gelu", F.gelu, normal(9, std=3.0))
case("geluTanh", lambda x: F.gelu(x, approximate="tanh"), normal(9, std=3.0))

# Reductions.
case("sumAll", torch.sum, normal(3, 5))
case("sumLast", lambda x: x.sum(-1), normal(3, 7))
case("sumFirst", lambda x: x.sum(0), normal(3, 7))
case("meanKept", lambda x: x.mean(1, keepdim=True), normal(2, 3, 5))
case("maxLast", lambda x: x.max(-1).values, normal(3, 7))
case("minLast", lambda x: x.min(-1).values, normal(3, 7))
case("argMaxLast", lambda x: x.argmax(-1), normal(3, 7))

# Shapes.
case("reshape", lambda x: x.reshape(2, 6), normal(3, 4))
case("transpose", lambda x: x.transpose(0, 1), normal(3, 4))
case("permute", lambda x: x.permute(2, 0, 1), normal(2, 3, 4))
case("slice", lambda x: x[:, 1:3], normal(3, 5))
case("concat", lambda x, y: torch.cat([x, y], dim=1), normal(3, 2), normal(3, 4))

# Products.
case("matmul", torch.matmul, normal(5, 7), normal(7, 3))
case("matmulBatched", torch.matmul, normal(2, 3, 4, 5), normal(2, 3, 5, 6))
case("matmulBroadcast", torch.matmul, normal(2, 4, 5), normal(5, 6))
case("matmulTransposedRight", lambda a, b: a @ b.transpose(-1, -2), normal(2, 4, 5), normal(2, 6, 5))
case("matmulTransposedLeft", lambda a, b: a.transpose(-1, -2) @ b, normal(5, 4), normal(5, 6))
case("linear", F.linear, normal(4, 5), normal(3, 5), normal(3))

# Rows.
case("softmax", lambda x: F.softmax(x, dim=-1), normal(3, 37, std=3.0))
case("logSoftmax", lambda x: F.log_softmax(x, dim=-1), normal(3, 37, std=3.0))
case("layerNorm", lambda x, w, b: F.layer_norm(x, (37,), w, b), normal(3, 2, 37, mean=5.0), normal(37), normal(37))
case("crossEntropyMean", lambda x, t: F.cross_entropy(x, t), normal(6, 11), ids(11, 6))
case("crossEntropySum", lambda x, t: F.cross_entropy(x, t, reduction="sum"), normal(6, 11), ids(11, 6))
ignored = ids(11, 6)
ignored[[1, 4]] = -100
case("crossEntropyIgnored", lambda x, t: F.cross_entropy(x, t, ignore_index=-100), normal(6, 11), ignored)
case("mseLoss", F.mse_loss, normal(4, 3), normal(4, 3))
case("causalAttention", causal_attention, normal(2, 2, 9, 8), normal(2, 2, 9, 8), normal(2, 2, 9, 8))

# Tables.
case("embedding", lambda table, i: F.embedding(i, table), normal(7, 5), ids(7, 2, 6))
case("gather", lambda x, i: torch.gather(x, 1, i), normal(3, 5), ids(5, 3, 4))
case("scatterAdd", lambda i, src: torch.zeros(3, 5).scatter_add(1, i, src), ids(5, 3, 4), normal(3, 4))

save(__file__, SEED, tensors)
