"""What the golden scripts share: a safetensors writer by hand, seeding, and the place of the files.

A file's metadata holds the torch version, the seed and the sha256 of this file and the script together, so that a test can tell when a
script and its file no longer belong together.
"""
import hashlib
import json
import math
import os
import struct
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "..", "..", "packages", "core", "testdata", "golden")


def script_sha256(script):
    digest = hashlib.sha256()
    for path in (os.path.abspath(__file__), script):
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def save(script, seed, tensors, metadata=None):
    """Writes {name: tensor} as packages/core/testdata/golden/<script's name>.safetensors."""
    header = {
        "__metadata__": {
            "torch": torch.__version__,
            "seed": str(seed),
            "script": os.path.basename(script),
            "scriptSha256": script_sha256(script),
            **(metadata or {}),
        }
    }
    data = b""
    for name, tensor in tensors.items():
        value = tensor.detach().contiguous()
        value = settled(value).to(torch.float32) if value.is_floating_point() else value.to(torch.int32)
        raw = value.numpy().tobytes()
        dtype = "F32" if value.is_floating_point() else "I32"
        header[name] = {"dtype": dtype, "shape": list(value.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    stem = os.path.splitext(os.path.basename(script))[0]
    path = os.path.normpath(os.path.join(FOLDER, stem + ".safetensors"))
    os.makedirs(FOLDER, exist_ok=True)
    before = open(path, "rb").read() if os.path.exists(path) else None
    after = struct.pack("<Q", len(text)) + text + data
    if before == after:
        print(f"golden: {stem}: unchanged ({len(after)} bytes)")
        return
    with open(path, "wb") as file:
        file.write(after)
    print(f"golden: {stem}: {'new' if before is None else 'CHANGED'} ({len(after)} bytes)")


def settled(value):
    """Without the last bits of f64, which depend on the processor: 44 bits stay of a number, fewer of one that cancellation made small.

    So a value halfway between two floats of f32 is rounded the same way everywhere. -0 becomes 0.
    """
    if value.dtype != torch.float64 or value.numel() == 0:
        return value
    finite = value[value.isfinite()].abs()
    largest = min(finite.max().item() if finite.numel() > 0 else 0.0, 1024.0)
    if largest == 0.0:
        return value + 0.0
    mantissa, exponent = torch.frexp(value)
    rounded = torch.ldexp((mantissa * 2.0**44).round(), exponent - 44)
    step = 2.0 ** (math.frexp(largest)[1] - 36)
    small = (value / step).round() * step
    return torch.where(value.isfinite(), torch.where(value.abs() < largest * 2.0**-12, small, rounded), value) + 0.0


def exact(tensor):
    """Floats that f32 holds exactly, in f64: what a file says of an input is what was computed with."""
    return tensor.to(torch.float32).to(torch.float64) if tensor.is_floating_point() else tensor


def begin(seed):
    """A fixed seed and f64 everywhere: how f32 kernels round depends on the processor, what f64 gives, rounded to f32, does not.

    Draws, constants and initial weights are exact in f32, unless a script asks for float64. `float()` is what a script writes for "a float"; here that is f64.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    for name in ("randn", "rand", "randn_like", "rand_like", "normal", "tensor", "full", "linspace"):
        setattr(torch, name, _exactly(getattr(torch, name)))
    for name in ("uniform_", "normal_"):
        setattr(torch.Tensor, name, _exactly_in_place(getattr(torch.Tensor, name)))
    torch.Tensor.float = torch.Tensor.double
    sys.stdout.reconfigure(line_buffering=True)


def _exactly(make):
    def made(*args, requires_grad=False, **options):
        value = make(*args, **options)
        tensor = value if options.get("dtype") is torch.float64 else exact(value)
        return tensor.requires_grad_() if requires_grad else tensor

    return made


def _exactly_in_place(fill):
    def filled(tensor, *args, **options):
        fill(tensor, *args, **options)
        if tensor.is_floating_point():
            with torch.no_grad():
                tensor.copy_(exact(tensor))
        return tensor

    return filled


def normal(*shape, mean=0.0, std=1.0):
    return torch.randn(*shape) * std + mean


def cases_of_functions(tensors):
    """`case(name, fn, *inputs)`: <name>/in/<i>, /out, and under a random /cotangent the gradients /grad/<i>."""

    def case(name, fn, *inputs):
        leaves = [x.clone().requires_grad_(True) if x.is_floating_point() else x for x in inputs]
        out = fn(*leaves)
        for i, x in enumerate(inputs):
            tensors[f"{name}/in/{i}"] = x
        tensors[f"{name}/out"] = out
        if not out.requires_grad:
            return
        cotangent = torch.randn(out.shape)
        tensors[f"{name}/cotangent"] = cotangent
        out.backward(cotangent)
        for i, x in enumerate(leaves):
            if x.is_floating_point() and x.grad is not None:
                tensors[f"{name}/grad/{i}"] = x.grad

    return case


def cases_of_modules(tensors):
    """`case(name, module, run, **inputs)`: <name>/in/<key>, /weight/, /out/, /cotangent/ and /grad/."""

    def case(name, module, run, **inputs):
        """`run` answers {name: tensor} from the inputs; floats get gradients."""
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter, std=0.4)
        leaves = {k: x.clone().requires_grad_(True) if x.is_floating_point() else x for k, x in inputs.items()}
        outs = run(module, **leaves)
        cotangents = {k: torch.randn(out.shape) for k, out in outs.items()}
        torch.autograd.backward(list(outs.values()), list(cotangents.values()))
        for part, items in (("in", inputs), ("out", outs), ("cotangent", cotangents)):
            tensors.update({f"{name}/{part}/{key}": value for key, value in items.items()})
        for key, leaf in leaves.items():
            if leaf.is_floating_point() and leaf.grad is not None:
                tensors[f"{name}/grad/{key}"] = leaf.grad
        for key, parameter in module.named_parameters():
            tensors[f"{name}/weight/{key}"] = parameter
            tensors[f"{name}/grad/{key}"] = parameter.grad

    return case
