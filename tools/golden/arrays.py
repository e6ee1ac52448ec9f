"""Element-wise functions, reductions and masks as NumPy and PyTorch have them: inputs, output, and PyTorch's gradients.

Names as in ops.py. A case whose output NumPy computes has no gradients.
"""
import numpy as np
import torch

from _golden import begin, cases_of_functions, normal, save

SEED = 47
begin(SEED)
tensors = {}
case = cases_of_functions(tensors)


def uniform(low, high, *shape):
    return torch.rand(*shape) * (high - low) + low


def numpy_case(name, fn, *inputs):
    for i, x in enumerate(inputs):
        tensors[f"{name}/in/{i}"] = x
    tensors[f"{name}/out"] = torch.from_numpy(np.asarray(fn(*(x.numpy() for x in inputs))).copy())


# Functions of one element.
for name in ("exp2", "expm1", "sinh", "cosh", "asinh", "atan"):
    case(name, getattr(torch, name), normal(3, 7))
for name in ("log2", "log10", "log1p", "rsqrt", "reciprocal"):
    case(name, getattr(torch, name), uniform(0.1, 4, 3, 7))
for name in ("tan", "asin", "acos", "atanh"):
    case(name, getattr(torch, name), uniform(-0.9, 0.9, 3, 7))
case("acosh", torch.acosh, uniform(1.1, 5, 3, 7))
numpy_case("ceil", np.ceil, normal(13, std=3))
numpy_case("trunc", np.trunc, normal(13, std=3))
numpy_case("roundTies", np.round, torch.tensor([0.5, 1.5, 2.5, -0.5, -1.5, 0.4, 2.6]))
numpy_case("roundHundreds", lambda x: np.round(x, -2), normal(13, std=900))
numpy_case("sign", np.sign, torch.tensor([-2.0, 0.0, 3.5]))
odd = torch.tensor([1.0, np.nan, np.inf, -np.inf, 0.0])
numpy_case("isNaN", np.isnan, odd)
numpy_case("isFinite", np.isfinite, odd)
numpy_case("isInf", np.isinf, odd)
numpy_case("nanToNum", lambda x: np.nan_to_num(x, nan=7, posinf=np.finfo(np.float32).max, neginf=np.finfo(np.float32).min), odd)

# Functions of two and more.
case("atan2", torch.atan2, normal(5, 9), normal(9))
case("hypot", torch.hypot, normal(5, 9), normal(9))
case("remainder", torch.remainder, normal(5, 9, std=9), uniform(0.5, 3, 9))
numpy_case("remainderSigns", np.mod, torch.tensor([7.0, -7.0, 7.0, -7.0, 5.5]), torch.tensor([3.0, 3.0, -3.0, -3.0, 0.25]))
numpy_case("fmodSigns", np.fmod, torch.tensor([7.0, -7.0, 7.0, -7.0, 1e30]), torch.tensor([3.0, 3.0, -3.0, -3.0, 0.7]))
integers = torch.tensor([7, -7, 7, -7, 0, 2147483647], dtype=torch.int32)
divisors = torch.tensor([3, 3, -3, -3, 5, 10], dtype=torch.int32)
numpy_case("remainderIntegers", np.mod, integers, divisors)
numpy_case("floorDivideIntegers", np.floor_divide, integers, divisors)
numpy_case("floorDivide", np.floor_divide, torch.tensor([7.0, -7.0, 1.0, 5.5]), torch.tensor([3.0, 3.0, 0.1, -0.25]))
case("lerp", lambda x, y: torch.lerp(x, y, 0.25), normal(3, 7), normal(7))
case("addcmul", lambda x, a, b: torch.addcmul(x, a, b, value=-0.5), normal(3, 7), normal(7), normal(3, 1))
case("addcdiv", lambda x, a, b: torch.addcdiv(x, a, b, value=2), normal(3, 7), normal(7), uniform(0.5, 2, 3, 1))
flags = torch.randint(0, 2, (3, 7), dtype=torch.int32)
others = torch.randint(0, 2, (7,), dtype=torch.int32)
numpy_case("logicalAnd", np.logical_and, flags, others)
numpy_case("logicalOr", np.logical_or, flags, others)
numpy_case("logicalXor", np.logical_xor, flags, others)
numpy_case("logicalNot", np.logical_not, flags)
numpy_case("isClose", lambda x, y: np.isclose(x, y, rtol=0.1, atol=0.05), normal(3, 7), normal(7))

# Masks as indices.
case("maskedRead", lambda x: x[x > 0.3], normal(5, 7))
case("maskedRows", lambda x, m: x[m > 0], normal(7, 3), others)
case("maskedColumns", lambda x, m: x[:, m > 0], normal(3, 7), others)
numpy_case("maskedAndList", lambda x: x[[True, False, True], [2, 0]], normal(3, 7))


def masked_write(x, values):
    y = x.clone()
    y[:, values > 0] = values[values > 0]
    return y


case("maskedWrite", masked_write, normal(3, 7), normal(7))

# Reductions.
with_zero = normal(4, 6)
with_zero[1, 2] = 0
case("prod", lambda x: x.prod(1), with_zero)
case("prodAll", lambda x: x.prod(), normal(2, 3))
numpy_case("prodIntegers", lambda x: np.prod(x, axis=0), torch.randint(-3, 4, (4, 5), dtype=torch.int32))
numpy_case("sumIntegers", lambda x: x.sum((0, 2)), torch.randint(-99, 99, (3, 4, 5), dtype=torch.int32))
numpy_case("maxIntegers", lambda x: x.max(1), torch.randint(-99, 99, (3, 40), dtype=torch.int32))
numpy_case("any", lambda x: x.any(0), flags)
numpy_case("all", lambda x: x.all(1, keepdims=True), flags)
numpy_case("countNonzero", lambda x: np.count_nonzero(x, axis=1), flags)
case("logSumExp", lambda x: torch.logsumexp(x, (0, 2)), normal(3, 4, 5, std=3))
case("logSumExpFar", lambda x: torch.logsumexp(x, 1, keepdim=True), normal(3, 9, mean=500))
case("std", lambda x: x.std(1), normal(4, 9))
case("stdPopulation", lambda x: x.std((0, 1), unbiased=False), normal(4, 9))
case("varianceAxes", lambda x: x.var((0, 2), keepdim=True), normal(3, 4, 5))
case("norm2", lambda x: torch.linalg.vector_norm(x, 2, 1), normal(4, 9))
case("norm1", lambda x: torch.linalg.vector_norm(x, 1, (0, 2)), normal(3, 4, 5))
case("norm3", lambda x: torch.linalg.vector_norm(x, 3, 1, keepdim=True), normal(4, 9))
case("normInf", lambda x: torch.linalg.vector_norm(x, float("inf"), 1), normal(4, 9))
case("normFrobenius", lambda x: torch.linalg.norm(x, "fro"), normal(4, 9))
numpy_case("median", lambda x: np.median(x, axis=1), normal(4, 8))
numpy_case("medianAxes", lambda x: np.median(x, axis=(0, 2), keepdims=True), normal(3, 4, 5))
case("quantile", lambda x: torch.quantile(x, torch.tensor([0.0, 0.3, 0.9]), dim=1), normal(4, 9))
case("quantileHigher", lambda x: torch.quantile(x, 0.4, dim=0, interpolation="higher"), normal(8, 3))
case("quantileNearest", lambda x: torch.quantile(x, 0.4, dim=0, interpolation="nearest"), normal(8, 3))
numpy_case("quantileMidpoint", lambda x: np.quantile(x, 0.4, method="midpoint"), normal(4, 8))
holes = normal(4, 6)
holes[1, 2] = holes[3, 0] = np.nan
numpy_case("nanSum", lambda x: np.nansum(x, axis=0), holes)
case("nanMean", lambda x: torch.nanmean(x, 1), holes)
numpy_case("average", lambda x, w: np.average(x, axis=1, weights=w), normal(3, 7), uniform(0.1, 2, 7))
case("cov", torch.cov, normal(3, 12))
case("corrCoef", torch.corrcoef, normal(3, 12))

# Making.
numpy_case("linspace", lambda: np.linspace(-1, 2, 7, dtype=np.float32))
numpy_case("linspaceOpen", lambda: np.linspace(0, 1, 5, endpoint=False, dtype=np.float32))
numpy_case("logspace", lambda: np.logspace(-2, 3, 11, dtype=np.float32))

save(__file__, SEED, tensors)
