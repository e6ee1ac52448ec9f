"""What the golden scripts of packages/data share: a JSON writer and the place of the files.

f64 values are written so that they read back as the same bits; NaN becomes null, bytes become base64. The metadata holds the versions and
the sha256 of this file and the script together, so that a test can tell when a script and its file no longer belong together.
"""
import base64
import hashlib
import json
import os

import numpy
import sklearn

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.normpath(os.path.join(HERE, "..", "..", "packages", "data", "testdata", "golden"))


def script_sha256(script):
    digest = hashlib.sha256()
    for path in (os.path.abspath(__file__), script):
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def plain(value):
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, numpy.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, numpy.generic):
        return plain(value.item())
    if isinstance(value, float) and value != value:
        return None
    return value


def save(script, cases):
    """Writes {name: value} as packages/data/testdata/golden/<script's name>.json, one case a line."""
    metadata = {
        "numpy": numpy.__version__,
        "sklearn": sklearn.__version__,
        "script": os.path.basename(script),
        "scriptSha256": script_sha256(script),
    }
    lines = [json.dumps(name) + ": " + json.dumps(plain(value)) for name, value in {"metadata": metadata, **cases}.items()]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    stem = os.path.splitext(os.path.basename(script))[0]
    path = os.path.join(FOLDER, stem + ".json")
    os.makedirs(FOLDER, exist_ok=True)
    before = open(path).read() if os.path.exists(path) else None
    if before != text:
        with open(path, "w") as file:
            file.write(text)
    print(f"golden: {stem}: {'unchanged' if before == text else 'new' if before is None else 'CHANGED'} ({len(text)} bytes)")
