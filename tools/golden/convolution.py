"""Layers of images: convolutions, pooling, interpolation and norms with their weights, outputs, and gradients under a random cotangent.

Tensors are named as in module.py: <case>/x, <case>/out, <case>/cotangent, <case>/weight/<name>, <case>/grad/<name>; norms that keep
running statistics have <case>/after/<name> as well. The test makes the layer of the same case name.
"""
import torch
from torch import nn

from _golden import begin, save

SEED = 31
begin(SEED)
tensors = {}
RENAMED = {"running_mean": "runningMean", "running_var": "runningVar"}


class RmsNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        return x / torch.sqrt((x * x).mean(-1, keepdim=True) + self.eps) * self.weight


def case(name, module, *shape, mean=0.0, training=True):
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    x = torch.randn(*shape) + mean
    for key, buffer in module.named_buffers():
        if key == "running_mean":
            nn.init.normal_(buffer, std=0.5)
        if key == "running_var":
            nn.init.uniform_(buffer, 0.5, 2.0)
        if key in RENAMED:
            tensors[f"{name}/weight/{RENAMED[key]}"] = buffer.clone()
    leaf = x.clone().requires_grad_(True)
    out = module.train(training)(leaf)
    cotangent = torch.randn(out.shape)
    out.backward(cotangent)
    tensors.update({f"{name}/x": x, f"{name}/out": out, f"{name}/cotangent": cotangent, f"{name}/grad/x": leaf.grad})
    for key, parameter in module.named_parameters():
        tensors[f"{name}/weight/{key}"] = parameter
        tensors[f"{name}/grad/{key}"] = parameter.grad
    for key, buffer in module.named_buffers():
        if key in RENAMED:
            tensors[f"{name}/after/{RENAMED[key]}"] = buffer


case("conv1d", nn.Conv1d(3, 4, 3, stride=2, padding=1, dilation=2), 2, 3, 13)
case("conv2d", nn.Conv2d(3, 5, 3), 2, 3, 7, 8)
case("conv2dAll", nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2, bias=False), 2, 4, 9, 7)
case("conv2dDepthwise", nn.Conv2d(4, 8, 3, padding=1, groups=4), 2, 4, 6, 5)
case("conv2dOneTap", nn.Conv2d(5, 3, 1, stride=2), 2, 5, 5, 5)
case("conv3d", nn.Conv3d(2, 3, (2, 3, 3), stride=(1, 2, 1), padding=1), 2, 2, 4, 5, 6)
case("convTranspose1d", nn.ConvTranspose1d(3, 4, 4, stride=3, padding=1, output_padding=2), 2, 3, 6)
case("convTranspose2d", nn.ConvTranspose2d(4, 3, 2, stride=2), 2, 4, 3, 5)
case("convTranspose2dAll", nn.ConvTranspose2d(4, 6, 3, stride=(2, 3), padding=1, output_padding=(1, 2), groups=2, dilation=(2, 1)), 2, 4, 4, 3)
case("maxPool1d", nn.MaxPool1d(3, stride=2, padding=1), 2, 3, 11)
case("maxPool2d", nn.MaxPool2d(2), 2, 3, 6, 7)
case("maxPool2dCeil", nn.MaxPool2d((3, 2), stride=2, padding=1, ceil_mode=True), 2, 3, 8, 7)
case("avgPool1d", nn.AvgPool1d(3, stride=2, padding=1), 2, 3, 11)
case("avgPool2d", nn.AvgPool2d(2), 2, 3, 6, 7)
case("avgPool2dCeil", nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True), 2, 3, 8, 7)
case("avgPool2dUnpadded", nn.AvgPool2d((2, 3), stride=2, padding=1, count_include_pad=False), 2, 3, 6, 7)
case("adaptiveAvgPool1d", nn.AdaptiveAvgPool1d(4), 2, 3, 11)
case("adaptiveAvgPool2d", nn.AdaptiveAvgPool2d((3, 1)), 2, 3, 7, 5)
case("adaptiveMaxPool1d", nn.AdaptiveMaxPool1d(4), 2, 3, 11)
case("adaptiveMaxPool2d", nn.AdaptiveMaxPool2d((3, 2)), 2, 3, 7, 5)
case("upsampleNearest", nn.Upsample(scale_factor=2), 2, 3, 3, 4)
case("upsampleNearestSize", nn.Upsample(size=(7, 5)), 2, 3, 3, 4)
case("upsampleNearest1d", nn.Upsample(size=9), 2, 3, 4)
case("upsampleLinear", nn.Upsample(size=9, mode="linear"), 2, 3, 4)
case("upsampleBilinear", nn.Upsample(scale_factor=2, mode="bilinear"), 2, 3, 3, 4)
case("upsampleBilinearAligned", nn.Upsample(size=(7, 6), mode="bilinear", align_corners=True), 2, 3, 3, 4)
case("upsampleBilinearSmaller", nn.Upsample(size=(3, 2), mode="bilinear"), 2, 3, 7, 5)
case("batchNorm1d", nn.BatchNorm1d(5), 6, 5, mean=2.0)
case("batchNorm1dLong", nn.BatchNorm1d(3, eps=1e-3, momentum=0.3), 4, 3, 7)
case("batchNorm2d", nn.BatchNorm2d(3), 4, 3, 5, 6, mean=-1.0)
case("batchNorm2dPlain", nn.BatchNorm2d(3, affine=False), 4, 3, 5, 6)
case("batchNorm2dEval", nn.BatchNorm2d(3), 4, 3, 5, 6, training=False)
case("groupNorm", nn.GroupNorm(2, 6), 3, 6, 4, 5, mean=3.0)
case("groupNormPlain", nn.GroupNorm(3, 6, affine=False), 3, 6, 7)
case("rmsNorm", RmsNorm(24, 1e-6), 3, 4, 24, mean=1.0)

save(__file__, SEED, tensors)
