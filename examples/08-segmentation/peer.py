"""scikit-learn on the same scenes: the digit of a pixel from the 15 x 15 pixels around it; mean IoU of the digits on the held-out scenes.

    npx tsx examples/digits-data/write-scenes.ts scenes.json 300
    python3 examples/08-segmentation/peer.py scenes.json
"""
import json
import sys
import time

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

RADIUS = 7
BACKGROUND_SHARE = 0.2  # of the pixels without ink, which then weigh 5 times as much


def patches(scenes, side):
    images = np.array([scene["image"] for scene in scenes], np.float32).reshape(-1, side, side)
    padded = np.pad(images, ((0, 0), (RADIUS, RADIUS), (RADIUS, RADIUS)))
    window = 2 * RADIUS + 1
    views = np.lib.stride_tricks.sliding_window_view(padded, (window, window), axis=(1, 2))
    return views.reshape(-1, window * window), np.array([scene["mask"] for scene in scenes]).reshape(-1)


def iou(is_true, is_found):
    return (is_true & is_found).sum() / (is_true | is_found).sum()


split = json.load(open(sys.argv[1]))
x, y = patches(split["train"], split["side"])
chosen = (y > 0) | (np.random.RandomState(0).uniform(size=len(y)) < BACKGROUND_SHARE)
x, y = x[chosen], y[chosen]
weights = np.where(y > 0, 1.0, 1 / BACKGROUND_SHARE)
x_held, y_held = patches(split["heldOut"], split["side"])
print(f"{len(split['train'])} scenes, {len(y)} of their pixels")
logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=100))
peers = {
    "random forest": (RandomForestClassifier(n_estimators=100, random_state=0, n_jobs=2), "sample_weight"),
    "logistic regression": (logistic, "logisticregression__sample_weight"),
}
for name, (peer, weight_name) in peers.items():
    begin = time.perf_counter()
    peer.fit(x, y, **{weight_name: weights})
    seconds = time.perf_counter() - begin
    found = np.concatenate([peer.predict(part) for part in np.array_split(x_held, 16)])
    digits = np.mean([iou(y_held == digit, found == digit) for digit in range(1, 11)])
    print(f"{name}: mean IoU {digits:.4f}, ink {iou(y_held > 0, found > 0):.4f}, {seconds:.0f} s", flush=True)
