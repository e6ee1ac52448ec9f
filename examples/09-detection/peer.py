"""scikit-learn on the same scenes: a window slides over the scene, a classifier says which digit has its middle there, a regressor where the
box ends, and boxes that overlap a better one of their digit are dropped. Mean average precision by COCO's rules, as in the job.

    npx tsx examples/digits-data/write-scenes.ts scenes.json
    python3 examples/09-detection/peer.py scenes.json
"""
import json
import sys
import time

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

RADIUS = 7
BACKGROUND = 10
NEAR = 0.75  # a window shows a digit whose middle is at most so many pixels away, across and down
BACKGROUND_SHARE = 0.02  # of the windows without a digit
LEAST_SCORE = 0.02
MAX_OVERLAP = 0.3


def windows_of(scene, side):
    padded = np.pad(np.array(scene["image"], np.float32).reshape(side, side), RADIUS)
    window = 2 * RADIUS + 1
    return np.lib.stride_tricks.sliding_window_view(padded, (window, window)).reshape(side * side, -1)


def training_windows(scenes, side, random):
    """Windows with their digit, or BACKGROUND; and how far the box reaches from the middle of a window, where there is one."""
    x, y, reaches = [], [], []
    middles = np.stack(np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5), axis=-1).reshape(-1, 2)
    for scene in scenes:
        label = np.full(side * side, BACKGROUND)
        reach = np.zeros((side * side, 4))
        is_near_any = np.zeros(side * side, bool)
        for item in scene["objects"]:
            box = np.array(item["box"], float)
            away = np.abs(middles - (box[:2] + box[2:]) / 2).max(axis=1)
            label[away <= NEAR] = item["label"]
            reach[away <= NEAR] = (box - np.tile(middles, 2))[away <= NEAR]
            is_near_any |= away <= 2
        chosen = (label != BACKGROUND) | (random.uniform(size=len(label)) < np.where(is_near_any, 0.2, BACKGROUND_SHARE))
        x.append(windows_of(scene, side)[chosen])
        y.append(label[chosen])
        reaches.append(reach[chosen])
    return np.concatenate(x), np.concatenate(y), np.concatenate(reaches)


def overlaps(box, others):
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    both = np.prod(np.maximum(high - low, 0), axis=1)
    return both / (np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - both)


def detect(scene, side, classifier, regressor):
    """Rows of digit, score and box."""
    x = windows_of(scene, side)
    scores = classifier.predict_proba(x)[:, :BACKGROUND]
    middles = np.stack(np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5), axis=-1).reshape(-1, 2)
    places = np.flatnonzero(scores.max(axis=1) >= LEAST_SCORE)
    if len(places) == 0:
        return []
    boxes = regressor.predict(x[places]) + np.tile(middles[places], 2)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])
    found = []
    for digit in range(10):
        own = scores[places, digit]
        left = [i for i in np.argsort(-own, kind="stable") if own[i] >= LEAST_SCORE]
        while left:
            best, left = left[0], left[1:]
            found.append((digit, own[best], boxes[best]))
            if left:
                overlap = overlaps(boxes[best], boxes[left])
                left = [i for i, share in zip(left, overlap) if share <= MAX_OVERLAP]
    return found


def average_precision(scenes, found, digit, threshold):
    matches, num_targets = [], 0
    for scene, detections in zip(scenes, found):
        targets = np.array([item["box"] for item in scene["objects"] if item["label"] == digit], float).reshape(-1, 4)
        is_free = np.ones(len(targets), bool)
        num_targets += len(targets)
        for _, score, box in sorted((d for d in detections if d[0] == digit), key=lambda d: -d[1])[:100]:
            share = np.where(is_free, overlaps(box, targets), -1) if len(targets) else np.array([-1.0])
            is_right = share.max() >= threshold
            if is_right:
                is_free[len(share) - 1 - share[::-1].argmax()] = False
            matches.append((score, is_right))
    right = np.array([is_right for _, is_right in sorted(matches, key=lambda match: -match[0])], bool)
    recall = np.cumsum(right) / num_targets
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0)
    return envelope[np.searchsorted(recall, np.linspace(0, 1, 101), side="left")].mean()


def mean_average_precision(scenes, found, thresholds):
    digits = sorted({item["label"] for scene in scenes for item in scene["objects"]})
    return np.mean([average_precision(scenes, found, digit, t) for digit in digits for t in thresholds])


def main():
    split = json.load(open(sys.argv[1]))
    side = split["side"]
    x, y, reaches = training_windows(split["train"], side, np.random.RandomState(0))
    shown = y != BACKGROUND
    print(f"{len(split['train'])} scenes, {len(y)} of their windows, {shown.sum()} with a digit")
    forests = {"n_estimators": 100, "random_state": 0, "n_jobs": 2}
    peers = {
        "logistic and ridge regression": (make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)), Ridge()),
        "random forests": (RandomForestClassifier(**forests), RandomForestRegressor(**forests, min_samples_leaf=3)),
    }
    for name, (classifier, regressor) in peers.items():
        begin = time.perf_counter()
        classifier.fit(x, y)
        regressor.fit(x[shown], reaches[shown])
        seconds = time.perf_counter() - begin
        found = [detect(scene, side, classifier, regressor) for scene in split["heldOut"]]
        half = mean_average_precision(split["heldOut"], found, [0.5])
        all_of_them = mean_average_precision(split["heldOut"], found, np.arange(50, 100, 5) / 100)
        print(f"{name}: mAP at 0.5 {half:.4f}, at 0.5 to 0.95 {all_of_them:.4f}, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
