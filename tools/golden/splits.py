"""Folds of scikit-learn without shuffling, which depend on sizes and labels alone."""
import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

from _golden_json import save

rng = np.random.default_rng(31)
cases = {}


def folds(splitter, size, labels=None, groups=None):
    return [test for _, test in splitter.split(np.zeros(size), labels, groups)]


cases["kFold"] = [
    {"size": size, "numSplits": n, "tests": folds(KFold(n), size)} for size, n in [(10, 5), (11, 3), (7, 2), (5, 5)]
]
cases["stratifiedKFold"] = []
for size, n, num_classes in [(24, 3, 3), (31, 4, 2), (40, 5, 4)]:
    labels = np.concatenate([np.repeat(np.arange(num_classes), n), rng.integers(0, num_classes, size - n * num_classes)])
    rng.shuffle(labels)
    names = [f"c{label}" for label in labels]
    cases["stratifiedKFold"].append({"labels": names, "numSplits": n, "tests": folds(StratifiedKFold(n), size, names)})
cases["groupKFold"] = []
for size, n, num_groups in [(20, 3, 6), (50, 4, 9)]:
    groups = np.concatenate([np.arange(num_groups), rng.integers(0, num_groups, size - num_groups)])
    cases["groupKFold"].append({"groups": groups, "numSplits": n, "tests": folds(GroupKFold(n), size, groups=groups)})

save(__file__, cases)
