"""Metrics: what scikit-learn answers, and for text, boxes and lists what the references below do.

The file's metadata holds the cases as JSON, so that values keep all digits of an f64: {name, fn, args, options, expected}.
BLEU: Papineni et al. 2002 and the smoothing of sacreBLEU 2 (Post 2018). ROUGE: Lin 2004. Boxes: Lin et al. 2014 with COCOeval's matching
rules, and Everingham et al. 2010 (VOC devkit, VOCevaldet.m). Word errors: Wagner and Fischer 1974. Lists: Manning et al. 2008, chapter 8.
"""
import json
import math
from collections import Counter

import numpy as np
import sklearn
import sklearn.metrics as m
import torch

from _golden import begin, save

SEED = 71
begin(SEED)
rng = np.random.RandomState(SEED)
cases = []


def plain(x):
    if isinstance(x, (list, tuple)):
        return [plain(v) for v in x]
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, np.ndarray):
        return plain(x.tolist())
    if isinstance(x, np.generic):
        return x.item()
    return x


def case(fn, args, expected, note="", **options):
    cases.append({"name": f"{fn}{' ' + note if note else ''} {json.dumps(plain(options))}", "fn": fn, "args": plain(args), "options": plain(options), "expected": plain(expected)})


# Labels.
y2, p2 = rng.randint(0, 2, 57), rng.randint(0, 2, 57)
y5, p5 = rng.randint(0, 5, 83), rng.randint(0, 5, 83)
p5 = np.where(rng.rand(83) < 0.5, y5, p5)
ySparse, pSparse = np.array([0, 0, 2, 2, 2, 7]), np.array([0, 2, 2, 2, 3, 7])
w5 = rng.rand(83)
case("accuracyScore", [y5, p5], m.accuracy_score(y5, p5))
case("accuracyScore", [y5, p5], int(m.accuracy_score(y5, p5, normalize=False)), normalize=False)
case("accuracyScore", [y5, p5], m.accuracy_score(y5, p5, sample_weight=w5), "weights", sampleWeight=w5)
case("balancedAccuracyScore", [y5, p5], m.balanced_accuracy_score(y5, p5))
case("balancedAccuracyScore", [y5, p5], m.balanced_accuracy_score(y5, p5, adjusted=True), adjusted=True)
for normalize in ("true", "pred", "all"):
    case("confusionMatrix", [ySparse, pSparse], m.confusion_matrix(ySparse, pSparse, normalize=normalize), normalize=normalize)
case("confusionMatrix", [y5, p5], m.confusion_matrix(y5, p5))
case("confusionMatrix", [y5, p5], m.confusion_matrix(y5, p5, labels=[3, 1, 0]), labels=[3, 1, 0])
case("matthewsCorrelation", [y2, p2], m.matthews_corrcoef(y2, p2))
case("matthewsCorrelation", [y5, p5], m.matthews_corrcoef(y5, p5), "several classes")
case("matthewsCorrelation", [y5, p5], m.matthews_corrcoef(y5, p5, sample_weight=w5), "weights", sampleWeight=w5)
case("cohenKappa", [y5, p5], m.cohen_kappa_score(y5, p5))
for weights in ("linear", "quadratic"):
    case("cohenKappa", [y5, p5], m.cohen_kappa_score(y5, p5, weights=weights), weights=weights)
for fn, ours in ((m.precision_score, "precisionScore"), (m.recall_score, "recallScore"), (m.f1_score, "f1Score")):
    case(ours, [y2, p2], fn(y2, p2))
    case(ours, [y2, p2], fn(y2, p2, pos_label=0), posLabel=0)
    for average in ("micro", "macro", "weighted"):
        case(ours, [y5, p5], fn(y5, p5, average=average), average=average)
        for zero in (0, 1):
            case(ours, [ySparse, pSparse], fn(ySparse, pSparse, average=average, zero_division=zero), average=average, zeroDivision=zero)
        case(ours, [y5, p5], fn(y5, p5, average=average, labels=[4, 2]), average=average, labels=[4, 2])
    case(ours, [y5, p5], fn(y5, p5, average=None), average="none")
    case(ours, [y5, p5], fn(y5, p5, average="macro", sample_weight=w5), "weights", average="macro", sampleWeight=w5)
    for zero in (0, 1):
        case(ours, [[0, 0, 0], [0, 0, 0]], fn([0, 0, 0], [0, 0, 0], zero_division=zero), "nobody is positive", zeroDivision=zero)
        case(ours, [[1, 1, 0], [0, 0, 0]], fn([1, 1, 0], [0, 0, 0], zero_division=zero), "nobody is predicted", zeroDivision=zero)
        case(ours, [[1, 1], [0, 0]], fn([1, 1], [0, 0], labels=[5], average="weighted", zero_division=zero), "a class of nobody", labels=[5], average="weighted", zeroDivision=zero)
for beta in (0.5, 2):
    case("fBetaScore", [y2, p2], m.fbeta_score(y2, p2, beta=beta), beta=beta)
    case("fBetaScore", [y5, p5], m.fbeta_score(y5, p5, beta=beta, average="weighted"), beta=beta, average="weighted")
case("specificityScore", [y2, p2], m.recall_score(y2, p2, pos_label=0))
table = m.multilabel_confusion_matrix(y5, p5)
case("specificityScore", [y5, p5], [t[0, 0] / (t[0, 0] + t[0, 1]) for t in table], average="none")
case("classificationReport", [y5, p5], m.classification_report(y5, p5))
case("classificationReport", [ySparse, pSparse], m.classification_report(ySparse, pSparse, digits=3, zero_division=0), digits=3)
case("classificationReport", [y5, p5], m.classification_report(y5, p5, labels=[0, 3], target_names=["a", "a rather long name"]), labels=[0, 3], targetNames=["a", "a rather long name"])

# Scores.
s2 = np.round(rng.rand(57), 1) * 0.5 + y2 * 0.3
w2 = rng.rand(57)
s5 = rng.rand(83, 5) + 0.8 * np.eye(5)[y5]
s5 = np.round(s5 / s5.sum(1, keepdims=True), 3)
s5 = s5 / s5.sum(1, keepdims=True)
for k in (1, 2, 3):
    case("topKAccuracyScore", [y5, s5], m.top_k_accuracy_score(y5, s5, k=k), k=k)
case("topKAccuracyScore", [y5, np.round(s5, 1)], m.top_k_accuracy_score(y5, np.round(s5, 1), k=2), "ties", k=2)
case("topKAccuracyScore", [y2, s2], m.top_k_accuracy_score(y2, s2, k=1), "two classes", k=1)
fpr, tpr, thresholds = m.roc_curve(y2, s2)
case("rocCurve", [y2, s2], {"falsePositiveRates": fpr, "truePositiveRates": tpr, "thresholds": ["Infinity", *thresholds[1:]]})
case("rocAucScore", [y2, s2], m.roc_auc_score(y2, s2))
case("rocAucScore", [y2, s2], m.roc_auc_score(y2, s2, sample_weight=w2), "weights", sampleWeight=w2)
for multi in ("ovr", "ovo"):
    for average in ("macro", "weighted"):
        case("rocAucScore", [y5, s5], m.roc_auc_score(y5, s5, multi_class=multi, average=average), multiClass=multi, average=average)
precision, recall, thresholds = m.precision_recall_curve(y2, s2)
case("precisionRecallCurve", [y2, s2], {"precisions": precision, "recalls": recall, "thresholds": thresholds})
case("averagePrecisionScore", [y2, s2], m.average_precision_score(y2, s2))
case("averagePrecisionScore", [y2, s2], m.average_precision_score(y2, s2, pos_label=0), posLabel=0)
hot = np.eye(5)[y5]
for average in ("macro", "weighted"):
    case("averagePrecisionScore", [y5, s5], m.average_precision_score(hot, s5, average=average), average=average)
prob = np.clip(s2, 0, 1)
prob[:2] = [0, 1]
case("logLoss", [y2, prob], m.log_loss(y2, prob))
case("logLoss", [y5, s5], m.log_loss(y5, s5))
case("logLoss", [y5, s5], m.log_loss(y5, s5, sample_weight=w5, normalize=False), "weights", sampleWeight=w5, normalize=False)
case("brierScore", [y2, prob], m.brier_score_loss(y2, prob))
case("brierScore", [y2, prob], m.brier_score_loss(y2, prob, sample_weight=w2), "weights", sampleWeight=w2)
logits, ids = rng.randn(11, 7) * 3, rng.randint(0, 7, 11)
t = torch.nn.functional.cross_entropy
case("perplexity", [ids, logits], math.exp(t(torch.tensor(logits, dtype=torch.float64), torch.tensor(ids)).item()))
case("perplexity", [ids, logits], math.exp(t(torch.tensor(logits, dtype=torch.float64), torch.tensor(ids), ignore_index=int(ids[0])).item()), ignoreIndex=int(ids[0]))

# Numbers.
a, b = rng.randn(45) * 3 + 100, None
b = a + rng.randn(45)
a2, b2 = rng.randn(31, 3), None
b2 = a2 + rng.randn(31, 3) * [0.1, 1, 2]
wr = rng.rand(45)
for ours, fn in (
    ("meanSquaredError", m.mean_squared_error),
    ("rootMeanSquaredError", lambda *x, **o: m.mean_squared_error(*x, squared=False, **o)),
    ("meanAbsoluteError", m.mean_absolute_error),
    ("meanAbsolutePercentageError", m.mean_absolute_percentage_error),
    ("r2Score", m.r2_score),
    ("explainedVarianceScore", m.explained_variance_score),
):
    case(ours, [a, b], fn(a, b))
    case(ours, [a, b], fn(a, b, sample_weight=wr), "weights", sampleWeight=wr)
    case(ours, [a2, b2], fn(a2, b2), "outputs")
    case(ours, [a2, b2], fn(a2, b2, multioutput="raw_values"), "outputs", multiOutput="rawValues")
case("r2Score", [[2, 2, 2], [2, 2, 2]], m.r2_score([2, 2, 2], [2, 2, 2]), "constant and right")
case("r2Score", [[2, 2, 2], [2, 2, 3]], m.r2_score([2, 2, 2], [2, 2, 3]), "constant and wrong")
case("meanAbsolutePercentageError", [[0, 1], [1, 1]], m.mean_absolute_percentage_error([0, 1], [1, 1]), "a target of 0")

# Masks.
mask, guess = rng.randint(0, 4, (2, 6, 7)), rng.randint(0, 4, (2, 6, 7))
flat, flatGuess = mask.ravel(), guess.ravel()
for average in ("micro", "macro", "weighted"):
    case("iouScore", [mask, guess], m.jaccard_score(flat, flatGuess, average=average), average=average)
case("iouScore", [mask, guess], m.jaccard_score(flat, flatGuess, average=None), average="none")
case("diceScore", [mask, guess], m.f1_score(flat, flatGuess, average=None), average="none")
for average in ("macro", "weighted"):
    case("diceScore", [mask, guess], m.f1_score(flat, flatGuess, average=average), average=average)
kept = flat != 3
case("iouScore", [mask, guess], m.jaccard_score(flat[kept], flatGuess[kept], average="macro", labels=[0, 1, 2]), "a class is ignored", average="macro", ignoreIndex=3, labels=[0, 1, 2])

# Lists.
rel, scr = rng.randint(0, 4, (6, 9)), np.round(rng.rand(6, 9), 1)
rel[:, 0] = 2
for k in (None, 3):
    for ignore in (False, True):
        # Stable order where ties are ignored: unequal scores.
        s = scr + np.arange(9)[::-1] * 1e-4 if ignore else scr
        o = {"ignoreTies": ignore, **({} if k is None else {"k": k})}
        case("ndcgScore", [rel, s], m.ndcg_score(rel, s, k=k, ignore_ties=ignore), **o)
binary = (rel > 1).astype(int)


def first(k):
    order = np.argsort(-scr, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(binary, order, axis=1)


for k in (1, 3, 9):
    top = first(k)
    ranks = [next((1 / (i + 1) for i, x in enumerate(row) if x), 0) for row in top]
    case("precisionAtK", [binary, scr], np.mean(top.sum(1) / k), k=k)
    case("recallAtK", [binary, scr], np.mean(top.sum(1) / binary.sum(1)), k=k)
    case("hitRate", [binary, scr], np.mean(top.sum(1) > 0), k=k)
    case("meanReciprocalRank", [binary, scr], np.mean(ranks), k=k)


# Text.
def grams(tokens, n):
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def bleu(references, hypotheses, smoothing="exp", value=None, effective=False, order=4):
    correct, total, sys_len, ref_len = [0] * order, [0] * order, 0, 0
    for refs, hyp in zip(references, hypotheses):
        sys_len += len(hyp)
        ref_len += min((len(r) for r in refs), key=lambda n: (abs(n - len(hyp)), n))
        for n in range(1, order + 1):
            most = Counter()
            for r in refs:
                most |= grams(r, n)
            correct[n - 1] += sum((grams(hyp, n) & most).values())
            total[n - 1] += max(0, len(hyp) - n + 1)
    if not any(correct):
        return 0.0
    precisions, used, half = [0.0] * order, order, 1
    for n in range(order):
        if smoothing == "addK" and n > 0:
            correct[n] += value
            total[n] += value
        if total[n] == 0:
            break
        if effective:
            used = n + 1
        if correct[n] == 0:
            if smoothing == "exp":
                half *= 2
                precisions[n] = 1 / (half * total[n])
            elif smoothing == "floor":
                precisions[n] = value / total[n]
        else:
            precisions[n] = correct[n] / total[n]
    penalty = 1.0 if sys_len >= ref_len else math.exp(1 - ref_len / sys_len)
    if min(precisions[:used]) == 0:
        return 0.0
    return 100 * penalty * math.exp(sum(map(math.log, precisions[:used])) / used)


words = "the a cat dog sat on mat under tree and ran".split()
refs = [[[words[i] for i in rng.randint(0, 11, rng.randint(5, 12))] for _ in range(2)] for _ in range(5)]
hyps = [r[0][:-1] + ["here"] if i % 2 else [words[j] for j in rng.randint(0, 11, 6)] for i, r in enumerate(refs)]
case("bleuScore", [refs, hyps], bleu(refs, hyps))
case("bleuScore", [refs, hyps], bleu(refs, hyps, order=2), maxOrder=2)
short = [[["the", "cat", "sat"]]], [["the", "dog"]]
for smoothing, value in (("none", None), ("exp", None), ("floor", 0.1), ("addK", 1)):
    case("bleuScore", [refs[:1], hyps[:1]], bleu(refs[:1], hyps[:1], smoothing, value), "one sentence", smoothing=smoothing)
    case("bleuScore", short, bleu(*short, smoothing, value, True), "a short sentence", smoothing=smoothing, effectiveOrder=True)


def f_of(match, given, wanted):
    p, r = match / max(given, 1), match / max(wanted, 1)
    return [p, r, 2 * p * r / (p + r) if p + r > 0 else 0.0]


def lcs(x, y):
    table = [[0] * (len(y) + 1) for _ in range(len(x) + 1)]
    for i, u in enumerate(x):
        for j, v in enumerate(y):
            table[i + 1][j + 1] = table[i][j] + 1 if u == v else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


single = [r[0] for r in refs]
for kind in ("rouge1", "rouge2", "rougeL"):
    rows = []
    for r, h in zip(single, hyps):
        if kind == "rougeL":
            rows.append(f_of(lcs(r, h), len(h), len(r)))
        else:
            n = int(kind[-1])
            rows.append(f_of(sum((grams(r, n) & grams(h, n)).values()), len(h) - n + 1, len(r) - n + 1))
    p, r, f = np.mean(rows, axis=0)
    case("rougeScore", [single, hyps], {"precision": p, "recall": r, "fMeasure": f}, kind=kind)


def edits(x, y):
    table = np.zeros((len(x) + 1, len(y) + 1), int)
    table[:, 0], table[0] = range(len(x) + 1), range(len(y) + 1)
    for i, u in enumerate(x):
        for j, v in enumerate(y):
            table[i + 1, j + 1] = min(table[i, j] + (u != v), table[i, j + 1] + 1, table[i + 1, j] + 1)
    return int(table[-1, -1])


case("wordErrorRate", [single, hyps], sum(edits(r, h) for r, h in zip(single, hyps)) / sum(map(len, single)))
texts, others = [" ".join(r) for r in single], [" ".join(h) for h in hyps]
case("characterErrorRate", [texts, others], sum(edits(r, h) for r, h in zip(texts, others)) / sum(map(len, texts)))


# Boxes.
def iou(p, q):
    w, h = min(p[2], q[2]) - max(p[0], q[0]), min(p[3], q[3]) - max(p[1], q[1])
    both = max(w, 0) * max(h, 0)
    return both / ((p[2] - p[0]) * (p[3] - p[1]) + (q[2] - q[0]) * (q[3] - q[1]) - both)


def boxes(n):
    corner, size = rng.rand(n, 2) * 20, rng.rand(n, 2) * 12 + 2
    return np.round(np.concatenate([corner, corner + size], 1), 2)


def coco(targets, found, thresholds, max_detections=100):
    values = []
    for label in sorted({l for t in targets for l in t["labels"]}):
        for threshold in thresholds:
            scores, right, number = [], [], 0
            for t, f in zip(targets, found):
                truth = [b for b, l in zip(t["boxes"], t["labels"]) if l == label]
                number += len(truth)
                mine = [(s, b) for b, l, s in zip(f["boxes"], f["labels"], f["scores"]) if l == label]
                mine.sort(key=lambda x: -x[0])
                taken = set()
                for s, b in mine[:max_detections]:
                    best, place = min(threshold, 1 - 1e-10), -1
                    for g, other in enumerate(truth):
                        if g in taken or iou(b, other) < best:
                            continue
                        best, place = iou(b, other), g
                    taken.add(place)
                    scores.append(s)
                    right.append(place >= 0)
            order = np.argsort(-np.array(scores), kind="mergesort")
            tp = np.cumsum(np.array(right)[order]) if scores else np.array([])
            recall, precision = tp / number, tp / np.arange(1, len(tp) + 1)
            precision = np.maximum.accumulate(precision[::-1])[::-1]
            places = np.searchsorted(recall, np.arange(101) / 100, side="left")
            values.append(np.mean([precision[i] if i < len(precision) else 0 for i in places]))
    return np.mean(values)


def voc(targets, found, threshold=0.5):
    values = []
    for label in sorted({l for t in targets for l in t["labels"]}):
        rows = [(s, i, b) for i, f in enumerate(found) for b, l, s in zip(f["boxes"], f["labels"], f["scores"]) if l == label]
        rows.sort(key=lambda x: -x[0])
        truth = [[b for b, l in zip(t["boxes"], t["labels"]) if l == label] for t in targets]
        number, taken, right = sum(map(len, truth)), set(), []
        for _, i, b in rows:
            overlaps = [iou(b, other) for other in truth[i]]
            g = int(np.argmax(overlaps)) if overlaps else -1
            good = g >= 0 and overlaps[g] >= threshold and (i, g) not in taken
            if good:
                taken.add((i, g))
            right.append(good)
        tp = np.cumsum(right)
        recall = np.concatenate([[0], tp / number, [1]])
        precision = np.concatenate([[0], tp / np.arange(1, len(tp) + 1), [0]])
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        values.append(np.sum(np.diff(recall) * precision[1:]))
    return np.mean(values)


p4, q4 = boxes(4), boxes(5)
case("boxIou", [p4, q4], [[iou(x, y) for y in q4] for x in p4])
targets, found = [], []
for i in range(7):
    n = rng.randint(0, 5)
    truth = boxes(n)
    targets.append({"boxes": truth, "labels": rng.randint(0, 3, n)})
    extra = rng.randint(0, 4)
    moved = np.concatenate([truth + rng.rand(n, 4) - 0.5, truth[: n // 2] + 0.3, boxes(extra)])
    labels = np.concatenate([targets[-1]["labels"], targets[-1]["labels"][: n // 2], rng.randint(0, 4, extra)]).astype(int)
    found.append({"boxes": np.round(moved, 2), "labels": labels, "scores": np.round(rng.rand(len(labels)), 2)})
case("meanAveragePrecision", [targets, found], coco(targets, found, [(50 + 5 * i) / 100 for i in range(10)]))
case("meanAveragePrecision", [targets, found], coco(targets, found, [0.75]), iouThresholds=[0.75])
case("meanAveragePrecision", [targets, found], coco(targets, found, [0.5], 1), iouThresholds=[0.5], maxDetections=1)
case("meanAveragePrecision", [targets, found], voc(targets, found), method="voc")

save(__file__, SEED, {"none": torch.zeros(1)}, {"sklearn": sklearn.__version__, "cases": json.dumps(cases)})
print(f"golden: metrics: {len(cases)} cases")
