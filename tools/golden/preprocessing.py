"""Scalers, encoders and imputers of scikit-learn on small tables with missing values, constant columns and large means."""
import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import LabelEncoder, MinMaxScaler, OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler

from _golden_json import save

rng = np.random.default_rng(33)
train = rng.normal(size=(23, 5)) * [1, 100, 1e-3, 1, 1] + [0, 5, 0, 1e4, 0]
train[:, 4] = 7.3  # constant
train[3, 0] = train[9, 0] = train[4, 3] = np.nan
test = rng.normal(size=(6, 5)) * [2, 100, 1e-3, 2, 1] + [0, 5, 0, 1e4, 7]
test[2, 1] = np.nan
cases = {"train": train, "test": test}


def scaler(name, options, ours, attributes):
    fitted = ours(**options).fit(train)
    out = fitted.transform(test)
    cases[name] = {
        "transformed": out,
        "inverse": fitted.inverse_transform(out),
        **{key: getattr(fitted, theirs) for key, theirs in attributes.items()},
    }


standard = {"mean": "mean_", "variance": "var_", "scale": "scale_"}
scaler("StandardScaler", {}, StandardScaler, standard)
scaler("StandardScaler/noMean", {"with_mean": False}, StandardScaler, standard)
min_max = {"dataMin": "data_min_", "dataMax": "data_max_", "scale": "scale_", "min": "min_"}
scaler("MinMaxScaler", {}, MinMaxScaler, min_max)
scaler("MinMaxScaler/clipped", {"feature_range": (-2, 3), "clip": True}, MinMaxScaler, min_max)
robust = {"center": "center_", "scale": "scale_"}
scaler("RobustScaler", {}, RobustScaler, robust)
scaler("RobustScaler/wide", {"quantile_range": (5, 90)}, RobustScaler, robust)

words = ["pear", "Apple", "fig", "\u00e9clair", "\U0001f34e", "\uff21", "apple"]
rows = [[str(rng.choice(words)), int(rng.integers(0, 4)), str(rng.choice(["no", "yes"]))] for _ in range(30)]
table = np.array(rows, dtype=object)
cases["rows"] = rows
for name, options in {"none": {}, "first": {"drop": "first"}, "ifBinary": {"drop": "if_binary"}}.items():
    encoder = OneHotEncoder(sparse_output=False, **options).fit(table)
    out = encoder.transform(table[:8])
    cases[f"OneHotEncoder/{name}"] = {
        "transformed": out,
        "inverse": encoder.inverse_transform(out),
        "names": list(encoder.get_feature_names_out(["a", "b", "c"])),
    }
encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore").fit(table)
unknown = np.array([["pear", 9, "yes"], ["plum", 1, "no"]], dtype=object)
out = encoder.transform(unknown)
cases["OneHotEncoder/ignore"] = {"transformed": out, "inverse": encoder.inverse_transform(out)}
ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(table)
out = ordinal.transform(np.concatenate([table[:8], unknown]))
cases["OrdinalEncoder"] = {"categories": [list(c) for c in ordinal.categories_], "transformed": out, "inverse": ordinal.inverse_transform(out)}
labels = [row[0] for row in rows]
encoder = LabelEncoder().fit(labels)
cases["LabelEncoder"] = {"classes": encoder.classes_, "transformed": encoder.transform(labels)}

counts = train.copy()
counts[:, 2] = rng.integers(0, 4, 23)
cases["counts"] = counts
for strategy in ["mean", "median", "most_frequent", "constant"]:
    imputer = SimpleImputer(strategy=strategy, fill_value=-3.5 if strategy == "constant" else None).fit(counts)
    cases[f"SimpleImputer/{strategy}"] = {"fills": imputer.statistics_, "transformed": imputer.transform(test)}

quartiles = np.nanpercentile(train[:, :4], [25, 75], axis=0)
reach = 1.5 * (quartiles[1] - quartiles[0])
cases["iqr"] = {"lower": quartiles[0] - reach, "upper": quartiles[1] + reach}
mean, std = np.nanmean(train[:, :4], axis=0), np.nanstd(train[:, :4], axis=0)
cases["zScore"] = {"lower": mean - 2 * std, "upper": mean + 2 * std}

save(__file__, cases)
