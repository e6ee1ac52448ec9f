"""Ten steps of each optimizer on fixed gradients: two parameters, their values after every step, and clipping by norm and by value.

Lion and Muon, which this torch does not have, are written out below in f64; so is Nadam, whose product of momenta torch 1.13 multiplies
once too often (later versions do not).

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


def case(name, make, max_norm=None, max_value=None, l1=0.0):
    parameters = {key: value.clone().requires_grad_(True) for key, value in start.items()}
    optimizer = make(parameters)
    for step, grad in enumerate(grads):
        for key, parameter in parameters.items():
            parameter.grad = grad[key].clone()
        if max_norm is not None:
            norm = torch.nn.utils.clip_grad_norm_(parameters.values(), max_norm)
            tensors[f"{name}/{step}/norm"] = norm.reshape(1)
        if max_value is not None:
            torch.nn.utils.clip_grad_value_(parameters.values(), max_value)
        if l1 > 0:
            for parameter in parameters.values():
                parameter.grad += l1 * torch.sign(parameter.detach())
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
case("sgdDampening", lambda p: torch.optim.SGD(every(p), lr=0.1, momentum=0.8, dampening=0.3, weight_decay=0.05))
case("sgdL1", lambda p: torch.optim.SGD(every(p), lr=0.1, momentum=0.9), l1=0.2)
case("sgdClippedByValue", lambda p: torch.optim.SGD(every(p), lr=0.1), max_value=0.5)
case(
    "sgdGroupRates",
    lambda p: torch.optim.SGD([{"params": [p["weight"]], "lr": 0.02}, {"params": [p["bias"]]}], lr=0.1, momentum=0.9),
)
case("adagrad", lambda p: torch.optim.Adagrad(every(p), lr=0.1))
case(
    "adagradOptions",
    lambda p: torch.optim.Adagrad(
        every(p), lr=0.1, lr_decay=0.05, weight_decay=0.1, initial_accumulator_value=0.3, eps=1e-6
    ),
)
case("adadelta", lambda p: torch.optim.Adadelta(every(p), lr=0.7, weight_decay=0.1))
case("rmsprop", lambda p: torch.optim.RMSprop(every(p), lr=0.01))
case("rmspropMomentum", lambda p: torch.optim.RMSprop(every(p), lr=0.01, alpha=0.9, momentum=0.8, weight_decay=0.1))
case("rmspropCentered", lambda p: torch.optim.RMSprop(every(p), lr=0.01, alpha=0.9, eps=1e-3, centered=True))
case(
    "rmspropCenteredMomentum",
    lambda p: torch.optim.RMSprop(every(p), lr=0.01, alpha=0.9, eps=1e-3, centered=True, momentum=0.8),
)
case("adamAmsgrad", lambda p: torch.optim.Adam(every(p), lr=0.01, amsgrad=True, weight_decay=0.1))
case("adamwAmsgrad", lambda p: torch.optim.AdamW(every(p), lr=0.01, betas=(0.7, 0.8), amsgrad=True, weight_decay=0.1))
case("adamax", lambda p: torch.optim.Adamax(every(p), lr=0.01, weight_decay=0.1))


def reference(name, update):
    """As `case`, by an update of one f64 parameter: update(key, p, g, state, t) -> p."""
    parameters = {key: value.double() for key, value in start.items()}
    states = {key: {} for key in start}
    for step, grad in enumerate(grads):
        for key in parameters:
            parameters[key] = update(parameters[key], grad[key].double(), states[key], step + 1)
            tensors[f"{name}/{step}/{key}"] = parameters[key].clone()


def lion(p, g, state, t, lr=0.01, beta1=0.9, beta2=0.99, decay=0.1):
    m = state.get("m", torch.zeros_like(p))
    state["m"] = beta2 * m + (1 - beta2) * g
    return p * (1 - lr * decay) - lr * torch.sign(beta1 * m + (1 - beta1) * g)


def nadam(p, g, state, t, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8, decay=0.1, momentum_decay=0.02):
    g = g + decay * p
    mu, following = (beta1 * (1 - 0.5 * 0.96 ** (i * momentum_decay)) for i in (t, t + 1))
    state["product"] = state.get("product", 1.0) * mu
    state["m"] = beta1 * state.get("m", torch.zeros_like(p)) + (1 - beta1) * g
    state["v"] = beta2 * state.get("v", torch.zeros_like(p)) + (1 - beta2) * g * g
    denominator = (state["v"] / (1 - beta2**t)).sqrt() + eps
    along = (1 - mu) / (1 - state["product"]) * g + following / (1 - state["product"] * following) * state["m"]
    return p - lr * along / denominator


def adamw(p, g, state, t, lr, beta1=0.9, beta2=0.95, eps=1e-10, decay=0.1):
    state["m"] = beta1 * state.get("m", torch.zeros_like(p)) + (1 - beta1) * g
    state["v"] = beta2 * state.get("v", torch.zeros_like(p)) + (1 - beta2) * g * g
    direction = state["m"] / (1 - beta1**t) / ((state["v"] / (1 - beta2**t)).sqrt() + eps)
    return p * (1 - lr * decay) - lr * direction


def newton_schulz(x, steps=5):
    a, b, c = 3.4445, -4.7750, 2.0315
    is_tall = x.shape[0] > x.shape[1]
    x = x.T if is_tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if is_tall else x


def muon(p, g, state, t, lr=0.02, beta=0.95, decay=0.1, nesterov=True):
    if p.dim() < 2:
        return adamw(p, g, state, t, lr=lr * 0.015)
    state["m"] = beta * state.get("m", torch.zeros_like(p)) + (1 - beta) * g
    direction = (1 - beta) * g + beta * state["m"] if nesterov else state["m"]
    scale = max(1, p.shape[0] / p.shape[1]) ** 0.5
    return p * (1 - lr * decay) - lr * scale * newton_schulz(direction)


reference("nadam", nadam)
reference("lion", lion)
reference("muon", muon)
reference("muonPlain", lambda *args: muon(*args, nesterov=False))
# The same on a parameter with more rows than columns.
reference("muonTall", lambda p, g, *rest: muon(p.T, g.T, *rest).T if p.dim() == 2 else muon(p, g, *rest))

save(__file__, SEED, tensors)
