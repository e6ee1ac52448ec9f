"""Array functions on 1,000,000 floats in NumPy, timed on request (see src/torch-peer.ts for the protocol): calls a second at
the median time of a call."""
import json
import sys
import time

import numpy as np

rng = np.random.default_rng(0)
x = rng.standard_normal(1_000_000).astype(np.float32)
y = rng.standard_normal(1_000_000).astype(np.float32)
rows = x.reshape(1_000, 1_000)
weight = rng.standard_normal(1_000).astype(np.float32)
bias = rng.standard_normal(1_000).astype(np.float32)
mask = x > 0


def gelu():
    return 0.5 * x * (1 + np.tanh(np.float32(0.7978845608) * (x + np.float32(0.044715) * x * x * x)))


def softmax():
    e = np.exp(rows - rows.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def layer_norm():
    centred = rows - rows.mean(-1, keepdims=True)
    rstd = 1 / np.sqrt(np.mean(centred * centred, -1, keepdims=True) + np.float32(1e-5))
    return centred * rstd * weight + bias


works = {
    "add": lambda: x + y,
    "mul": lambda: x * y,
    "exp": lambda: np.exp(x),
    "tanh": lambda: np.tanh(x),
    "gelu (tanh)": gelu,
    "softmax": softmax,
    "layerNorm": layer_norm,
    "log1p": lambda: np.log1p(np.abs(x)),
    "sum": lambda: x.sum(),
    "x > 0, as mask": lambda: x > 0,
    "count of a mask": lambda: mask.sum(),
}

for line in sys.stdin:
    request = json.loads(line)
    work, seconds = works[request["work"]], request["seconds"]
    work()
    times, end = [], time.perf_counter() + seconds
    start = time.perf_counter()
    while start < end:
        work()
        times.append(time.perf_counter() - start)
        start = time.perf_counter()
    print(json.dumps({"rate": 1 / float(np.median(times))}), flush=True)
