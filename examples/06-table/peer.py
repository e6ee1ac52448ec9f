"""What scikit-learn makes of the same features and the same split: R2 and mean absolute error of log10 of the gross on the test part.

    npx tsx examples/06-table/write-split.ts split.json
    python3 examples/06-table/peer.py split.json
"""
import json
import sys
import time

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import mean_absolute_error, r2_score

with open(sys.argv[1]) as file:
    split = json.load(file)
names = split["featureNames"]
(x, y), (x_test, y_test) = (
    (np.array(part["x"]).reshape(-1, len(names)), np.array(part["y"])) for part in (split["train"], split["test"])
)
plain = np.array(["/" not in name for name in names])
forest = dict(n_estimators=300, min_samples_leaf=2, random_state=0)
peers = {
    "ridge": (RidgeCV(np.logspace(-2, 3, 11)), plain | True),
    "ridge, without the pieces": (RidgeCV(np.logspace(-2, 3, 11)), plain),
    "random forest": (RandomForestRegressor(**forest), plain | True),
    "random forest, without the pieces": (RandomForestRegressor(**forest), plain),
}
print(f"{len(y)} movies to train on, {len(y_test)} to test on, {len(names)} features")
for name, (peer, columns) in peers.items():
    begin = time.perf_counter()
    peer.fit(x[:, columns], y)
    seconds = time.perf_counter() - begin
    predicted = peer.predict(x_test[:, columns])
    r2, mae = r2_score(y_test, predicted), mean_absolute_error(y_test, predicted)
    print(f"{name}: r2 {r2:.4f}, mae {mae:.4f}, {seconds:.1f} s", flush=True)
