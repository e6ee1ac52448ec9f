"""What the golden scripts share: a safetensors writer by hand, seeding, and the place of the files.

A file's metadata holds the torch version, the seed and the sha256 of this file and the script together, so that a test can tell when a
script and its file no longer belong together.
"""
import hashlib
import json
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
        value = value.to(torch.float32) if value.is_floating_point() else value.to(torch.int32)
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


def begin(seed):
    """One thread and a fixed seed: the same file on the same machine every time."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    sys.stdout.reconfigure(line_buffering=True)
