"""Training steps of the benchmark models in PyTorch, measured on request (see src/torch-peer.ts for the protocol)."""
import json
import math
import os
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))


class Block(nn.Module):
    def __init__(self, embed_dim, num_heads, seq_len):
        super().__init__()
        self.num_heads = num_heads
        self.ln1, self.ln2 = nn.LayerNorm(embed_dim), nn.LayerNorm(embed_dim)
        self.qkv, self.proj = nn.Linear(embed_dim, 3 * embed_dim), nn.Linear(embed_dim, embed_dim)
        self.up, self.down = nn.Linear(embed_dim, 4 * embed_dim), nn.Linear(4 * embed_dim, embed_dim)
        self.register_buffer("mask", torch.tril(torch.ones(seq_len, seq_len, dtype=torch.bool)))

    def forward(self, x):
        batch, seq_len, embed_dim = x.shape
        q, k, v = (
            t.view(batch, seq_len, self.num_heads, -1).transpose(1, 2) for t in self.qkv(self.ln1(x)).split(embed_dim, 2)
        )
        scores = (q @ k.transpose(-2, -1)) / math.sqrt(q.size(-1))
        probs = scores.masked_fill(~self.mask[:seq_len, :seq_len], float("-inf")).softmax(-1)
        x = x + self.proj((probs @ v).transpose(1, 2).reshape(batch, seq_len, embed_dim))
        return x + self.down(F.gelu(self.up(self.ln2(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self, num_layers, embed_dim, num_heads, seq_len, vocab_size):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab_size, embed_dim), nn.Embedding(seq_len, embed_dim)
        self.blocks = nn.ModuleList(Block(embed_dim, num_heads, seq_len) for _ in range(num_layers))
        self.ln = nn.LayerNorm(embed_dim)

    def forward(self, ids, targets):
        x = self.wte(ids) + self.wpe.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.ln(x), self.wte.weight)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def stepper(model, loss):
    """One optimizer step on what loss() answers, as ours makes it."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def gpt_work(num_layers, embed_dim, num_heads, seq_len, batch):
    model = Gpt(num_layers, embed_dim, num_heads, seq_len, 65)
    ids = torch.randint(0, 65, (batch, seq_len))
    targets = torch.randint(0, 65, (batch, seq_len))
    return stepper(model, lambda: model(ids, targets)), batch * seq_len


def mlp_work():
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    x, y = torch.randn(64, 784), torch.randint(0, 10, (64,))
    return stepper(model, lambda: F.cross_entropy(model(x), y)), 1


class Lenet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))


def lenet_work():
    model = Lenet()
    x, y = torch.randn(64, 1, 28, 28), torch.randint(0, 10, (64,))
    return stepper(model, lambda: F.cross_entropy(model(x), y)), 64


class LstmClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(1000, 64)
        self.encoder = nn.LSTM(64, 128, batch_first=True)
        self.head = nn.Linear(128, 4)

    def forward(self, ids):
        return self.head(self.encoder(self.embedding(ids))[1][0][-1])


def lstm_work():
    model = LstmClassifier()
    ids, targets = torch.randint(0, 1000, (32, 64)), torch.randint(0, 4, (32,))
    return stepper(model, lambda: F.cross_entropy(model(ids), targets)), 32


makers = {
    "gpt-small": lambda: gpt_work(4, 128, 4, 128, 16),
    "gpt-big": lambda: gpt_work(6, 384, 6, 256, 4),
    "mlp": mlp_work,
    "lenet": lenet_work,
    "lstm": lstm_work,
}
works = {}

for line in sys.stdin:
    request = json.loads(line)
    name = request["work"]
    if name not in works:
        works[name] = makers[name]()
        works[name][0]()
    step, units = works[name]
    start, count = time.perf_counter(), 0
    while count < 2 or time.perf_counter() - start < request["seconds"]:
        step()
        count += 1
    print(json.dumps({"rate": count * units / (time.perf_counter() - start)}), flush=True)
