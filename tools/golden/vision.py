"""Vision models at small sizes: LeNet, ResNet-18 and U-Net, one pass in training with gradients, running statistics after it.

Weights are named as in packages/models/src, which for ResNet are torchvision's. Tensors: <case>/x, <case>/out, <case>/cotangent,
<case>/weight/<name>, <case>/grad/<name>, <case>/after/<name> of buffers, <case>/eval: the output in evaluation after that pass.
"""
import torch
import torch.nn.functional as F
from torch import nn

from _golden import begin, save

SEED = 32
begin(SEED)
tensors = {}
RENAMED = {"running_mean": "runningMean", "running_var": "runningVar"}


class Lenet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 2 * 2, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))


class BasicBlock(nn.Module):
    def __init__(self, inside, outside, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.downsample = None
        if stride != 1 or inside != outside:
            self.downsample = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + (x if self.downsample is None else self.downsample(x)))


class Resnet18(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        sizes = [width, width, 2 * width, 4 * width, 8 * width]
        for i in range(4):
            stride = 1 if i == 0 else 2
            blocks = [BasicBlock(sizes[i], sizes[i + 1], stride), BasicBlock(sizes[i + 1], sizes[i + 1], 1)]
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(8 * width, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class DoubleConv(nn.Module):
    def __init__(self, inside, outside):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class Unet(nn.Module):
    def __init__(self, inside, classes, depth, width):
        super().__init__()
        widths = [width * 2**i for i in range(depth + 1)]
        self.encoder = nn.ModuleList(DoubleConv(inside if i == 0 else widths[i - 1], widths[i]) for i in range(depth))
        self.bottom = DoubleConv(widths[depth - 1], widths[depth])
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * widths[i], widths[i], 2, 2) for i in range(depth))
        self.decoder = nn.ModuleList(DoubleConv(2 * widths[i], widths[i]) for i in range(depth))
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        skips = []
        for block in self.encoder:
            skips.append(block(x))
            x = F.max_pool2d(skips[-1], 2)
        x = self.bottom(x)
        for i in reversed(range(len(self.encoder))):
            x = self.decoder[i](torch.cat([skips[i], self.up[i](x)], 1))
        return self.head(x)


def renamed(key):
    head, _, last = key.rpartition(".")
    return f"{head}.{RENAMED[last]}"


def buffers(model):
    return [(renamed(key), value) for key, value in model.named_buffers() if not key.endswith("num_batches_tracked")]


def case(name, model, *shape):
    for key, parameter in [*model.named_parameters(), *buffers(model)]:
        tensors[f"{name}/weight/{key}"] = parameter.clone()
    x = torch.randn(*shape)
    leaf = x.clone().requires_grad_(True)
    out = model.train()(leaf)
    cotangent = torch.randn(out.shape)
    out.backward(cotangent)
    tensors.update({f"{name}/x": x, f"{name}/out": out, f"{name}/cotangent": cotangent, f"{name}/grad/x": leaf.grad})
    for key, parameter in model.named_parameters():
        tensors[f"{name}/grad/{key}"] = parameter.grad
    for key, value in buffers(model):
        tensors[f"{name}/after/{key}"] = value
    tensors[f"{name}/eval"] = model.eval()(x)


case("lenet", Lenet(), 3, 1, 16, 16)
case("resnet18", Resnet18(4, 5), 4, 3, 64, 48)
case("unet", Unet(2, 3, 2, 3), 2, 2, 12, 8)

save(__file__, SEED, tensors)
