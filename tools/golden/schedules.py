"""Learning rates of torch.optim.lr_scheduler, step by step: <case>, f64 as two f32 columns [high, low]."""
import torch
from torch.optim import lr_scheduler

from _golden import begin, save

SEED = 23
begin(SEED)
STEPS = 40
tensors = {}


def store(name, rates):
    exact = torch.tensor(rates, dtype=torch.float64)
    high = exact.to(torch.float32)
    tensors[name] = torch.stack([high, (exact - high.double()).to(torch.float32)], dim=1)


def case(name, make, lr=0.3):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler = make(optimizer)
    rates = []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    store(name, rates)


case("stepDecay", lambda o: lr_scheduler.StepLR(o, 7, gamma=0.5))
case("multiStep", lambda o: lr_scheduler.MultiStepLR(o, [3, 4, 20], gamma=0.3))
case("exponential", lambda o: lr_scheduler.ExponentialLR(o, 0.9))
case("linear", lambda o: lr_scheduler.LinearLR(o, start_factor=1.0, end_factor=0.2, total_iters=25))
case("polynomial", lambda o: lr_scheduler.PolynomialLR(o, total_iters=30, power=2.5))
case("cosine", lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=STEPS, eta_min=0.05))
case("cosineRestarts", lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=6, T_mult=2, eta_min=0.01))
case("cosineRestartsEqual", lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=7))
case("oneCycle", lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.5, total_steps=STEPS + 1))
case(
    "oneCycleLinear",
    lambda o: lr_scheduler.OneCycleLR(
        o, 0.5, total_steps=STEPS + 1, pct_start=0.4, anneal_strategy="linear", div_factor=10, final_div_factor=100
    ),
)
case(
    "sequential",
    lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.ConstantLR(o, 0.1, 100), lr_scheduler.ExponentialLR(o, 0.9)], milestones=[5]
    ),
)
case(
    "chained",
    lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.LinearLR(o, 0.25, 1.0, total_iters=8), lr_scheduler.ExponentialLR(o, 0.9)]
    ),
)
case(
    "inverseSqrt",
    lambda o: lr_scheduler.LambdaLR(o, lambda i: min((i + 1) / 11, ((10 + 1) / (i + 1)) ** 0.5)),
)

losses = [9, 8, 8.5, 8.2, 8.1, 7.99999, 7.5, 7.6, 7.7, 7.8, 7.9, 8, 8, 8, 8, 8, 8, 8, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4]
tensors["losses"] = torch.tensor(losses)


def plateau(name, **options):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    rates = []
    for loss in losses:
        scheduler.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    store(name, rates)


plateau("plateau", factor=0.5, patience=2)
plateau("plateauCooldown", factor=0.5, patience=1, cooldown=2, min_lr=0.1)
plateau("plateauAbsolute", factor=0.2, patience=3, threshold=0.3, threshold_mode="abs")
plateau("plateauMax", factor=0.5, patience=2, mode="max", threshold=0.05)

save(__file__, SEED, tensors)
