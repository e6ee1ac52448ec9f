"""A GPT-2 of two layers trained for 50 steps of AdamW on fixed tokens: initial weights, tokens, and the loss of every step.

Weights are named as in packages/models/src/gpt: tokenEmbedding, positionEmbedding, blocks.<i>.(norm1|attention.qkv|attention.proj|
norm2|mlp.fc|mlp.proj), finalNorm; the head is tied to tokenEmbedding. Gradients of the first step are kept as well.
"""
import math

import torch
import torch.nn.functional as F

from _golden import begin, save

SEED = 23
begin(SEED)
V, T, C, H, L, B, STEPS = 29, 16, 24, 3, 2, 4, 50


class Attention(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = torch.nn.Linear(C, 3 * C)
        self.proj = torch.nn.Linear(C, C)

    def forward(self, x):
        q, k, v = (t.view(B, T, H, C // H).transpose(1, 2) for t in self.qkv(x).split(C, dim=2))
        scores = q @ k.transpose(-1, -2) / math.sqrt(C // H)
        scores = scores.masked_fill(torch.ones(T, T, dtype=torch.bool).triu(1), float("-inf"))
        return self.proj((F.softmax(scores, dim=-1) @ v).transpose(1, 2).reshape(B, T, C))


class Mlp(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(C, 4 * C)
        self.proj = torch.nn.Linear(4 * C, C)

    def forward(self, x):
        return self.proj(F.gelu(self.fc(x), approximate="tanh"))


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1 = torch.nn.LayerNorm(C)
        self.attention = Attention()
        self.norm2 = torch.nn.LayerNorm(C)
        self.mlp = Mlp()

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Gpt(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.tokenEmbedding = torch.nn.Embedding(V, C)
        self.positionEmbedding = torch.nn.Embedding(T, C)
        self.blocks = torch.nn.ModuleList([Block() for _ in range(L)])
        self.finalNorm = torch.nn.LayerNorm(C)

    def forward(self, ids):
        x = self.tokenEmbedding(ids) + self.positionEmbedding(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.finalNorm(x) @ self.tokenEmbedding.weight.t()


model = Gpt()
for name, parameter in model.named_parameters():
    if "norm" in name.lower():
        continue
    if name.endswith("bias"):
        torch.nn.init.zeros_(parameter)
    else:
        torch.nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * L) if name.endswith("proj.weight") else 0.02)

# Every step sees the same tokens: a pattern that can be learned, with noise that cannot.
ids = (torch.arange(B * (T + 1)).reshape(B, T + 1) * 7 + torch.randint(0, 3, (B, T + 1))) % V
tensors = {f"init/{name}": parameter.clone() for name, parameter in model.named_parameters()}
tensors["inputs"] = ids[:, :-1]
tensors["targets"] = ids[:, 1:]

decay = [p for p in model.parameters() if p.dim() >= 2]
plain = [p for p in model.parameters() if p.dim() < 2]
optimizer = torch.optim.AdamW(
    [{"params": decay, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}], lr=3e-3, betas=(0.9, 0.95)
)
losses = []
for step in range(STEPS):
    logits = model(ids[:, :-1])
    loss = F.cross_entropy(logits.reshape(-1, V), ids[:, 1:].reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    if step == 0:
        tensors["logits"] = logits
        for name, parameter in model.named_parameters():
            tensors[f"grad/{name}"] = parameter.grad.clone()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    losses.append(loss.detach())
tensors["losses"] = torch.stack(losses)
print(f"golden: model: loss {losses[0]:.4f} -> {losses[-1]:.4f}")

save(
    __file__,
    SEED,
    tensors,
    {"vocabSize": str(V), "seqLen": str(T), "embedDim": str(C), "numHeads": str(H), "numLayers": str(L)},
)
