"""Text classifiers at small sizes: recurrent ones of one and of two directions, and transformer encoders; texts of unequal length.

Weights are named as in packages/models/src/text-classifier. Tensors: <case>/ids, <case>/lengths, <case>/out, <case>/cotangent,
<case>/weight/<name>, <case>/grad/<name>.
"""
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from _golden import begin, save

SEED = 34
begin(SEED)
tensors = {}


class RecurrentClassifier(nn.Module):
    def __init__(self, layer, layers=1, both=False):
        super().__init__()
        self.embedding = nn.Embedding(11, 6)
        self.encoder = layer(6, 5, layers, bidirectional=both, batch_first=True)
        self.head = nn.Linear(10 if both else 5, 3)

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(self.embedding(ids), lengths, batch_first=True, enforce_sorted=False)
        _, last = self.encoder(packed)
        hidden = last[0] if isinstance(last, tuple) else last
        return self.head(torch.cat(list(hidden[-2:] if self.encoder.bidirectional else hidden[-1:]), 1))


class Positions(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(9, 8))

    def forward(self, x):
        return x + self.weight[: x.shape[1]]


class Sinusoidal(nn.Module):
    def forward(self, x):
        turns = torch.arange(x.shape[1], dtype=torch.float64)[:, None] * 10000.0 ** (-torch.arange(0, 8, 2, dtype=torch.float64) / 8)
        return x + torch.stack([turns.sin(), turns.cos()], -1).flatten(-2).float()


class TransformerClassifier(nn.Module):
    def __init__(self, positions):
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.positions = positions
        layer = nn.TransformerEncoderLayer(8, 2, 12, 0.0, activation="gelu", norm_first=True, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(8))
        self.head = nn.Linear(8, 3)

    def forward(self, ids, lengths):
        padding = torch.arange(ids.shape[1]) >= lengths[:, None]
        encoded = self.encoder(self.positions(self.embedding(ids)), src_key_padding_mask=padding)
        kept = encoded.masked_fill(padding[..., None], 0.0)
        return self.head(kept.sum(1) / lengths[:, None])


models = {
    "lstm": RecurrentClassifier(nn.LSTM),
    "lstmDeep": RecurrentClassifier(nn.LSTM, 2, True),
    "gru": RecurrentClassifier(nn.GRU, 1, True),
    "learned": TransformerClassifier(Positions()),
    "sinusoidal": TransformerClassifier(Sinusoidal()),
}
for name, model in models.items():
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    ids, lengths = torch.randint(0, 11, (4, 7)), torch.tensor([3, 7, 1, 5])
    out = model(ids, lengths)
    cotangent = torch.randn(out.shape)
    out.backward(cotangent)
    tensors.update({f"{name}/ids": ids, f"{name}/lengths": lengths, f"{name}/out": out, f"{name}/cotangent": cotangent})
    for key, parameter in model.named_parameters():
        tensors[f"{name}/weight/{key}"] = parameter
        tensors[f"{name}/grad/{key}"] = parameter.grad

save(__file__, SEED, tensors)
