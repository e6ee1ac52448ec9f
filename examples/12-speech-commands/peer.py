"""scikit-learn on the same spectrograms and the same split by voice: accuracy on the held-out voices, and seconds of fitting.

  python3 examples/12-speech-commands/peer.py
"""
import csv
import re
import struct
import time
import zlib
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).parent
NUM_MELS, NUM_FRAMES = 24, 40


def read_png(path):
    """Gray, 8 bits, unfiltered: what make-sounds.ts writes."""
    content = path.read_bytes()
    at, packed = 8, b""
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        name, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        if name == b"IHDR":
            width, height = struct.unpack(">II", body[:8])
        if name == b"IDAT":
            packed += body
        at += 12 + length
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any(), "a row is filtered"
    return rows[:, 1:]


def held_out_voices():
    declared = re.search(r"heldOutVoices[^=]*= \[(.*?)\];", (HERE / "voices.ts").read_text(), re.S)
    return set(re.findall(r'"(\w+)"', declared.group(1)))


def main():
    picture = read_png(HERE / "log-mels.png")
    num_rows, num_words = picture.shape[0] // NUM_MELS, picture.shape[1] // NUM_FRAMES
    tiles = picture.reshape(num_rows, NUM_MELS, num_words, NUM_FRAMES).transpose(0, 2, 1, 3)
    x = tiles.reshape(num_rows * num_words, -1) / 120 - 1
    y = np.tile(np.arange(num_words), num_rows)
    with open(HERE / "renderings.csv") as file:
        voices = [row["voice"] for row in csv.DictReader(file)]
    is_held_out = np.repeat(np.isin(voices, list(held_out_voices())), num_words)
    peers = {
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)),
        "random forest": RandomForestClassifier(n_estimators=300, random_state=0),
    }
    print(f"{(~is_held_out).sum()} sounds to train on, {is_held_out.sum()} held out")
    for name, peer in peers.items():
        begin = time.perf_counter()
        peer.fit(x[~is_held_out], y[~is_held_out])
        seconds = time.perf_counter() - begin
        print(f"{name}: accuracy {peer.score(x[is_held_out], y[is_held_out]):.4f}, {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
