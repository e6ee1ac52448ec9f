/** @file ROC and precision-recall curves: what a score is worth at every threshold. */
import { ValueError } from "../errors.js";
import {
  assertFinite,
  assertLabels,
  assertOneOf,
  assertSameLength,
  readValues,
  readVector,
  readWeights,
  undefinedMetric,
  type Values,
} from "./inputs.js";

export interface CurveOptions {
  /** The class that high scores stand for. Default 1. */
  readonly posLabel?: number;
  readonly sampleWeight?: Values;
}

export interface RocCurve {
  readonly falsePositiveRates: number[];
  readonly truePositiveRates: number[];
  /** Descending; a sample is positive from its threshold on. The first is Infinity: nobody is. */
  readonly thresholds: number[];
}

export interface PrecisionRecallCurve {
  /** The last is 1, of no threshold. */
  readonly precisions: number[];
  /** The last is 0, of no threshold. */
  readonly recalls: number[];
  /** Ascending. */
  readonly thresholds: number[];
}

/** Samples for one class against the rest. */
export interface BinaryScores {
  readonly isPositive: ArrayLike<boolean | number>;
  readonly scores: ArrayLike<number>;
  readonly weights?: ArrayLike<number> | undefined;
}

/** Weight of the true and false positives at every distinct score, from the highest down. */
function cumulativeCounts({ isPositive, scores, weights }: BinaryScores): {
  tps: number[];
  fps: number[];
  thresholds: number[];
} {
  const order = Array.from(scores, (_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const [tps, fps, thresholds]: [number[], number[], number[]] = [[], [], []];
  let [tp, fp] = [0, 0];
  order.forEach((i, place) => {
    const weight = weights === undefined ? 1 : weights[i]!;
    if (isPositive[i]) tp += weight;
    else fp += weight;
    const next = order[place + 1];
    if (next !== undefined && scores[next] === scores[i]) return;
    tps.push(tp);
    fps.push(fp);
    thresholds.push(scores[i]!);
  });
  return { tps, fps, thresholds };
}

function readBinary(
  where: string,
  yTrue: Values,
  yScore: Values,
  { posLabel = 1, sampleWeight }: CurveOptions,
): BinaryScores {
  const targets = readVector(where, "yTrue", yTrue);
  const scores = readVector(where, "yScore", yScore);
  assertSameLength(where, ["yTrue", targets.length], ["yScore", scores.length]);
  assertLabels(where, "yTrue", targets);
  assertFinite(where, "yScore", scores);
  const others = new Set(Array.from(targets).filter((target) => target !== posLabel));
  if (others.size > 1) {
    throw new ValueError(
      `${where}: yTrue has ${others.size} classes beside posLabel ${posLabel} (${[...others].slice(0, 8).join(", ")}), and yScore one column; there must be two classes. Give a column of scores a class, or pick one class.`,
      { others: [...others], posLabel },
      "E_LABEL_RANGE",
    );
  }
  const isPositive = Array.from(targets, (target) => target === posLabel);
  return { isPositive, scores, weights: readWeights(where, sampleWeight, targets.length) };
}

function assertBothClasses(where: string, isPositive: ArrayLike<boolean | number>, label: number): void {
  const numPositive = Array.from(isPositive).filter(Boolean).length;
  if (numPositive > 0 && numPositive < isPositive.length) return;
  throw undefinedMetric(
    where,
    `yTrue has ${numPositive} samples of class ${label} and ${isPositive.length - numPositive} of others; there must be some of both`,
    "Evaluate on samples of both classes.",
    { label, numPositive, numSamples: isPositive.length },
  );
}

/**
 * True-positive against false-positive rate at every threshold that changes them; points on a straight line are left out.
 *
 * @shape yTrue [N] labels, yScore [N] -> arrays of one length
 * @throws {ValueError} E_METRIC_UNDEFINED for a single class, E_METRIC_NOT_FINITE for a NaN score.
 * @source sklearn.metrics.roc_curve; the first threshold is Infinity, as since version 1.3.
 * @example
 * metrics.rocCurve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).truePositiveRates; // => [0, 0.5, 0.5, 1, 1]
 */
export function rocCurve(yTrue: Values, yScore: Values, options: CurveOptions = {}): RocCurve {
  const binary = readBinary("rocCurve", yTrue, yScore, options);
  assertBothClasses("rocCurve", binary.isPositive, options.posLabel ?? 1);
  const { tps, fps, thresholds } = cumulativeCounts(binary);
  const last = tps.length - 1;
  const isCorner = (i: number): boolean =>
    i === 0 ||
    i === last ||
    tps[i + 1]! - tps[i]! !== tps[i]! - tps[i - 1]! ||
    fps[i + 1]! - fps[i]! !== fps[i]! - fps[i - 1]!;
  const kept = tps.flatMap((_, i) => (isCorner(i) ? [i] : []));
  return {
    falsePositiveRates: [0, ...kept.map((i) => fps[i]! / fps[last]!)],
    truePositiveRates: [0, ...kept.map((i) => tps[i]! / tps[last]!)],
    thresholds: [Number.POSITIVE_INFINITY, ...kept.map((i) => thresholds[i]!)],
  };
}

/** Area under the ROC curve. Without weights all but the last division is exact. */
function areaUnderRoc(where: string, binary: BinaryScores, label: number): number {
  assertBothClasses(where, binary.isPositive, label);
  const { tps, fps } = cumulativeCounts(binary);
  let twice = 0;
  tps.forEach((tp, i) => {
    twice += (fps[i]! - (fps[i - 1] ?? 0)) * (tp + (tps[i - 1] ?? 0));
  });
  return twice / (2 * tps.at(-1)! * fps.at(-1)!);
}

export interface RocAucOptions extends CurveOptions {
  /** Of several classes: one against the rest, or each pair. Default "ovr". */
  readonly multiClass?: "ovr" | "ovo";
  /** Default "macro". */
  readonly average?: "macro" | "weighted";
}

/**
 * Area under the ROC curve: the chance that a sample of the class scores above one that is not.
 *
 * @shape yTrue [N] labels, yScore [N], or [N, classes] with labels 0..classes-1 -> number
 * @throws {ValueError} E_METRIC_UNDEFINED when a class has no samples or all, E_METRIC_NOT_FINITE for a NaN score, E_LABEL_RANGE for a
 *   label without a column.
 * @source sklearn.metrics.roc_auc_score; Hand and Till 2001 for pairs.
 * @example
 * metrics.rocAucScore([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]); // => 0.75
 */
export function rocAucScore(yTrue: Values, yScore: Values, options: RocAucOptions = {}): number {
  const where = "rocAucScore";
  if (readValues(where, "yScore", yScore).shape.length === 1) {
    return areaUnderRoc(where, readBinary(where, yTrue, yScore, options), options.posLabel ?? 1);
  }
  return multiClassRocAuc(where, readScores(where, yTrue, yScore, options.sampleWeight), options);
}

/** Targets 0..classes-1 and a column of scores for each class. */
export interface ClassScores {
  readonly targets: ArrayLike<number>;
  /** [N, classes], row-major. */
  readonly scores: ArrayLike<number>;
  readonly numClasses: number;
  readonly weights?: ArrayLike<number> | undefined;
}

export function readScores(where: string, yTrue: Values, yScore: Values, sampleWeight?: Values): ClassScores {
  const targets = readVector(where, "yTrue", yTrue);
  const { shape, values } = readValues(where, "yScore", yScore);
  const [numRows, numClasses] = shape.length === 1 ? [shape[0]!, 1] : (shape as [number, number]);
  if (shape.length > 2)
    throw new ValueError(`${where}: yScore has ${shape.length} dimensions; it must have 1 or 2. Reshape it.`);
  assertSameLength(where, ["yTrue", targets.length], ["yScore", numRows]);
  assertLabels(where, "yTrue", targets, { low: 0, high: Math.max(2, numClasses) });
  assertFinite(where, "yScore", values);
  return { targets, scores: values, numClasses, weights: readWeights(where, sampleWeight, targets.length) };
}

/** Samples of `label` against those that `isRest` says. */
function oneAgainst(
  { targets, scores, numClasses, weights }: ClassScores,
  label: number,
  isRest = (_: number) => true,
): BinaryScores {
  const places = Array.from(targets, (_, i) => i).filter((i) => targets[i] === label || isRest(targets[i]!));
  return {
    isPositive: places.map((i) => targets[i] === label),
    scores: places.map((i) => scores[i * numClasses + (numClasses === 1 ? 0 : label)]!),
    weights: weights === undefined ? undefined : places.map((i) => weights[i]!),
  };
}

const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

export function multiClassRocAuc(
  where: string,
  all: ClassScores,
  { multiClass = "ovr", average = "macro" }: RocAucOptions,
): number {
  assertOneOf(where, "multiClass", multiClass, ["ovr", "ovo"]);
  assertOneOf(where, "average", average, ["macro", "weighted"]);
  if (all.numClasses === 1) return areaUnderRoc(where, oneAgainst(all, 1), 1);
  const labels = Array.from({ length: all.numClasses }, (_, label) => label);
  const weightOf = (label: number): number =>
    sumOf(Array.from(all.targets, (target, i) => (target === label ? (all.weights?.[i] ?? 1) : 0)));
  if (multiClass === "ovr") {
    const areas = labels.map((label) => areaUnderRoc(where, oneAgainst(all, label), label));
    return averaged(areas, average === "macro" ? undefined : labels.map(weightOf));
  }
  const pairs = labels.flatMap((a) => labels.filter((b) => b > a).map((b): [number, number] => [a, b]));
  const areas = pairs.map(([a, b]) => {
    const first = areaUnderRoc(
      where,
      oneAgainst(all, a, (target) => target === b),
      a,
    );
    return (
      (first +
        areaUnderRoc(
          where,
          oneAgainst(all, b, (target) => target === a),
          b,
        )) /
      2
    );
  });
  return averaged(areas, average === "macro" ? undefined : pairs.map(([a, b]) => weightOf(a) + weightOf(b)));
}

function averaged(values: readonly number[], weights: readonly number[] | undefined): number {
  if (weights === undefined) return sumOf(values) / values.length;
  return sumOf(values.map((value, i) => value * weights[i]!)) / sumOf(weights);
}

/**
 * Precision and recall at every distinct score.
 *
 * @shape yTrue [N] labels, yScore [N] -> arrays; precisions and recalls are one longer than thresholds
 * @throws {ValueError} E_METRIC_UNDEFINED without a positive sample, E_METRIC_NOT_FINITE for a NaN score.
 * @source sklearn.metrics.precision_recall_curve.
 * @example
 * metrics.precisionRecallCurve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).recalls; // => [1, 1, 0.5, 0.5, 0]
 */
export function precisionRecallCurve(yTrue: Values, yScore: Values, options: CurveOptions = {}): PrecisionRecallCurve {
  return curveOf(
    "precisionRecallCurve",
    readBinary("precisionRecallCurve", yTrue, yScore, options),
    options.posLabel ?? 1,
  );
}

function curveOf(where: string, binary: BinaryScores, label: number): PrecisionRecallCurve {
  const { tps, fps, thresholds } = cumulativeCounts(binary);
  const total = tps.at(-1)!;
  if (!(total > 0)) {
    throw undefinedMetric(
      where,
      `yTrue has no sample of class ${label}; it must have one`,
      "Evaluate on samples of both classes.",
      { label },
    );
  }
  const precisions = tps.map((tp, i) => (tp + fps[i]! === 0 ? 0 : tp / (tp + fps[i]!)));
  return {
    precisions: [...precisions.reverse(), 1],
    recalls: [...tps.map((tp) => tp / total).reverse(), 0],
    thresholds: thresholds.reverse(),
  };
}

export interface AveragePrecisionOptions extends CurveOptions {
  /** Of several classes, one against the rest. Default "macro". */
  readonly average?: "macro" | "weighted";
}

/**
 * Sum over thresholds of precision times the growth of recall.
 *
 * @shape yTrue [N] labels, yScore [N], or [N, classes] with labels 0..classes-1 -> number
 * @throws {ValueError} E_METRIC_UNDEFINED when a class has no samples.
 * @source sklearn.metrics.average_precision_score.
 * @example
 * metrics.averagePrecisionScore([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]); // => 0.8333...
 */
export function averagePrecisionScore(yTrue: Values, yScore: Values, options: AveragePrecisionOptions = {}): number {
  const where = "averagePrecisionScore";
  if (readValues(where, "yScore", yScore).shape.length === 1) {
    return areaUnderPrecision(where, readBinary(where, yTrue, yScore, options), options.posLabel ?? 1);
  }
  return multiClassPrecision(where, readScores(where, yTrue, yScore, options.sampleWeight), options);
}

export function multiClassPrecision(
  where: string,
  all: ClassScores,
  { average = "macro" }: AveragePrecisionOptions,
): number {
  assertOneOf(where, "average", average, ["macro", "weighted"]);
  if (all.numClasses === 1) return areaUnderPrecision(where, oneAgainst(all, 1), 1);
  const labels = Array.from({ length: all.numClasses }, (_, label) => label);
  const areas = labels.map((label) => areaUnderPrecision(where, oneAgainst(all, label), label));
  const weights = labels.map((label) => Array.from(all.targets).filter((target) => target === label).length);
  return averaged(areas, average === "macro" ? undefined : weights);
}

function areaUnderPrecision(where: string, binary: BinaryScores, label: number): number {
  const { precisions, recalls } = curveOf(where, binary, label);
  return sumOf(recalls.slice(0, -1).map((recall, i) => (recall - recalls[i + 1]!) * precisions[i]!));
}
