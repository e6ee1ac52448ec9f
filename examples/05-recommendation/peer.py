"""What scikit-learn makes of the same ratings and the same split: a truncated SVD of who took what, and popularity.

    npx tsx examples/05-recommendation/write-split.ts split.json
    python3 examples/05-recommendation/peer.py split.json
"""
import json
import sys
import time

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.metrics import ndcg_score


def grid(lists, num_items, value):
    rows = np.zeros((len(lists), num_items))
    for user, ratings in enumerate(lists):
        for rating in ratings:
            rows[user, rating["item"]] = value(rating)
    return rows


def show(name, scores, known, stars, seconds):
    scores = np.where(known > 0, -1e30, scores)
    first = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    recall = np.mean(np.take_along_axis(stars > 0, first, axis=1).sum(axis=1) / (stars > 0).sum(axis=1))
    print(f"{name:22} NDCG@10 {ndcg_score(stars, scores, k=10):.4f}  recall@10 {recall:.4f}  {seconds:.2f} s")


split = json.load(open(sys.argv[1]))
known = grid(split["train"], split["numItems"], lambda rating: 1)
stars = grid(split["heldOut"], split["numItems"], lambda rating: rating["stars"])
show("popularity", np.tile(known.sum(axis=0), (len(known), 1)), known, stars, 0)
for rank in (2, 4, 8, 16, 32):
    begin = time.time()
    svd = TruncatedSVD(n_components=rank, random_state=0).fit(known)
    show(f"TruncatedSVD({rank})", svd.inverse_transform(svd.transform(known)), known, stars, time.time() - begin)
