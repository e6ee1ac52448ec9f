"""Ten steps of each optimizer on fixed gradients: two parameters, their values after every step, and global-norm clipping.

Gradients are the same for every optimizer: <step>/grad/<parameter>. Values: <case>/<step>/<parameter>.
"""
import torch

from _golden import begin, save

SEED = 22
begin(SEED)
STEPS = 10
SHAPES = {"weight": (3, 5), "bias": (5,)}
start = {name: torch.randn(shape) for name, shape in SHAPES.items()}
grads = [{name: torch.randn(shape) * 10 ** (step % 3 - 1) for name, shape in SHAPES.items()} for step in range(STEPS)]
tensors = {f"start/{name}": value for name, value in start.items()}
for step, grad in enumerate(grads):
    for name, value in grad.items():
        tensors[f"{step}/grad/{name}"] = value


def case(name, make, max_norm=None):
    parameters = {key: value.clone().requires_grad_(True) for key, value in start.items()}
    optimizer = make(parameters)
    for step, grad in enumerate(grads):
        for key, parameter in parameters.items():
            parameter.grad = grad[key].clone()
        if max_norm is not None:
            norm = torch.nn.utils.clip_grad_norm_(parameters.values(), max_norm)
            tensors[f"{name}/{step}/norm"] = norm.reshape(1)
        optimizer.step()
        for key, parameter in parameters.items():
            tensors[f"{name}/{step}/{key}"] = parameter.clone()


def every(parameters):
    return list(parameters.values())


case("sgd", lambda p: torch.optim.SGD(every(p), lr=0.1))
case("sgdMomentum", lambda p: torch.optim.SGD(every(p), lr=0.1, momentum=0.9))
case("sgdNesterov", lambda p: torch.optim.SGD(every(p), lr=0.1, momentum=0.9, nesterov=True))
case("sgdWeightDecay", lambda p: torch.optim.SGD(every(p), lr=0.1, momentum=0.9, weight_decay=0.1))
case("adam", lambda p: torch.optim.Adam(every(p), lr=0.01))
case("adamWeightDecay", lambda p: torch.optim.Adam(every(p), lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1))
case("adamw", lambda p: torch.optim.AdamW(every(p), lr=0.01, weight_decay=0.1))
case(
    "adamwGroups",
    lambda p: torch.optim.AdamW(
        [{"params": [p["weight"]], "weight_decay": 0.1}, {"params": [p["bias"]], "weight_decay": 0.0}], lr=0.01
    ),
)
case("adamwClipped", lambda p: torch.optim.AdamW(every(p), lr=0.01, weight_decay=0.1), max_norm=1.0)

save(__file__, SEED, tensors)
