"""Activations and the layers that came with them: output, and gradients of inputs and weights under a random cotangent.

Tensors are named <case>/in/<i>, <case>/out, <case>/cotangent, <case>/weight/<name> and <case>/grad/<i or name>. The test makes the layer
of the same case name. Inputs of activations lie between their kinks and on them.
"""
import torch
from torch import nn

from _golden import begin, save

SEED = 41
begin(SEED)
tensors = {}


def case(name, module, *inputs):
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    leaves = [x.clone().requires_grad_(True) for x in inputs]
    out = module(*leaves)
    cotangent = torch.randn(out.shape)
    out.backward(cotangent)
    tensors.update({f"{name}/out": out, f"{name}/cotangent": cotangent})
    for i, leaf in enumerate(leaves):
        tensors[f"{name}/in/{i}"] = inputs[i]
        tensors[f"{name}/grad/{i}"] = leaf.grad
    for key, parameter in module.named_parameters():
        tensors[f"{name}/weight/{key}"] = parameter
        tensors[f"{name}/grad/{key}"] = parameter.grad


class SwiGlu(nn.Module):
    def forward(self, x):
        a, b = x.chunk(2, -1)
        return nn.functional.silu(a) * b


class Function(nn.Module):
    """Functions of tensors that no other script has."""

    def __init__(self, run):
        super().__init__()
        self.run = run

    def forward(self, *inputs):
        return self.run(*inputs)


points = torch.cat([torch.tensor([-40.0, -6.0, -3.0, -1.0, -0.0, 0.0, 1.0, 3.0, 6.0, 40.0]), torch.randn(30) * 3]).reshape(4, 10)
activations = {
    "relu": nn.ReLU(),
    "relu6": nn.ReLU6(),
    "leakyRelu": nn.LeakyReLU(0.2),
    "prelu": nn.PReLU(),
    "elu": nn.ELU(),
    "eluAlpha": nn.ELU(0.7),
    "selu": nn.SELU(),
    "celu": nn.CELU(),
    "celuAlpha": nn.CELU(1.5),
    "gelu": nn.GELU(),
    "geluTanh": nn.GELU(approximate="tanh"),
    "silu": nn.SiLU(),
    "mish": nn.Mish(),
    "softplus": nn.Softplus(),
    "softplusBeta": nn.Softplus(2.5),
    "softsign": nn.Softsign(),
    "tanh": nn.Tanh(),
    "sigmoid": nn.Sigmoid(),
    "logSigmoid": nn.LogSigmoid(),
    "hardSigmoid": nn.Hardsigmoid(),
    "hardTanh": nn.Hardtanh(),
    "hardTanhWide": nn.Hardtanh(-0.5, 3.0),
    "glu": nn.GLU(),
    "gluRows": nn.GLU(0),
    "swiGlu": SwiGlu(),
    "softmax": nn.Softmax(-1),
    "softmaxRows": nn.Softmax(0),
    "logSoftmax": nn.LogSoftmax(-1),
}
for name, module in activations.items():
    case(name, module, points)

# PyTorch's kernels disagree with each other on the gradient at 3: the vector one has 1, the scalar one 1.5.
case("hardSwish", nn.Hardswish(), torch.where(points.abs() == 3, points + 0.1, points))
case("erf", Function(torch.erf), points)
case("floor", Function(lambda x: x * torch.floor(x)), points + 0.25)
case("clip", Function(lambda x: x.clamp(-1.0, 2.5)), points + 0.25)
case("cube", Function(lambda x: x**3), points / 4)
case("inverseRoot", Function(lambda x: x**-0.5), torch.rand(7) + 0.1)
pairs = torch.randn(5, 6), torch.randn(5, 6)
case("greater", Function(lambda x, y: torch.where(x > y, x, 2 * y)), *pairs)
case("different", Function(lambda x, y: torch.where(x != y, x * y, x)), torch.tensor([1.0, 2.0, -3.0]), torch.tensor([1.0, -2.0, 4.0]))
soft = torch.tensor(0.3)
case("logitsLoss", Function(lambda x: nn.functional.binary_cross_entropy_with_logits(x, soft.expand(x.shape), reduction="sum")), points)
case("preluChannels", nn.PReLU(3), torch.randn(2, 3, 4, 5))
case("flatten", nn.Flatten(), torch.randn(2, 3, 4))
case("flattenSome", nn.Flatten(0, 1), torch.randn(2, 3, 4))
case("unflatten", nn.Unflatten(1, (2, 3)), torch.randn(4, 6, 2))
case("instanceNorm1d", nn.InstanceNorm1d(3), torch.randn(2, 3, 7) + 2)
case("instanceNorm2d", nn.InstanceNorm2d(3, affine=True), torch.randn(2, 3, 4, 5) - 1)
case("instanceNorm3d", nn.InstanceNorm3d(2, eps=1e-3), torch.randn(2, 2, 3, 4, 2))
case("bilinear", nn.Bilinear(4, 3, 5), torch.randn(2, 6, 4), torch.randn(2, 6, 3))
case("bilinearNoBias", nn.Bilinear(2, 3, 1, bias=False), torch.randn(7, 2), torch.randn(7, 3))
case("pixelShuffle", nn.PixelShuffle(2), torch.randn(2, 12, 3, 2))
case("pixelUnshuffle", nn.PixelUnshuffle(3), torch.randn(1, 2, 6, 9))
case("cosineSimilarity", nn.CosineSimilarity(), torch.randn(5, 7), torch.randn(5, 7))
case("cosineSimilarityRows", nn.CosineSimilarity(dim=0, eps=1e-6), torch.randn(4, 6) * 0.1, torch.randn(4, 6))
case("conv1dSame", nn.Conv1d(3, 4, 4, padding="same"), torch.randn(2, 3, 9))
case("conv2dSame", nn.Conv2d(3, 4, (3, 2), padding="same", dilation=(2, 3)), torch.randn(2, 3, 7, 8))
case("conv2dValid", nn.Conv2d(2, 3, 3, padding="valid", stride=2), torch.randn(2, 2, 7, 8))

save(__file__, SEED, tensors)
