import { ValueError } from "../errors.js";
import { type ClassCounts, countClasses, perClass, totalOf } from "./class-counts.js";
import {
  assertFinite,
  assertLabels,
  assertSameLength,
  readFlat,
  readRows,
  readValues,
  readVector,
  readWeights,
  undefinedMetric,
  type Values,
} from "./inputs.js";

export interface AccuracyOptions {
  readonly sampleWeight?: Values;
  /** false: the number of right samples instead of their share. Default true. */
  readonly normalize?: boolean;
  /** Samples with this target are left out: padding. */
  readonly ignoreIndex?: number;
}

/**
 * Share of the predictions that are right.
 *
 * @shape yTrue, yPred of one shape, integer labels -> number
 * @throws {ShapeError} E_SHAPE for different lengths.
 * @source sklearn.metrics.accuracy_score; ignoreIndex is ours.
 * @example
 * metrics.accuracyScore([0, 1, 2, 3], [0, 2, 2, 3]); // => 0.75
 */
export function accuracyScore(yTrue: Values, yPred: Values, options: AccuracyOptions = {}): number {
  return accuracyOf("accuracyScore", countClasses("accuracyScore", yTrue, yPred, options), options);
}

export function accuracyOf(where: string, counts: ClassCounts, { normalize = true }: AccuracyOptions = {}): number {
  const correct = counts.matrix.reduce((sum, row, i) => sum + row[i]!, 0);
  if (!normalize) return correct;
  const total = totalOf(counts);
  if (total > 0) return correct / total;
  throw undefinedMetric(
    where,
    "the samples weigh 0 together; their weight must be above 0",
    "Check ignoreIndex and sampleWeight.",
  );
}

export interface BalancedAccuracyOptions {
  readonly sampleWeight?: Values;
  /** Scale so that chance is 0 and all right is 1. */
  readonly adjusted?: boolean;
}

/**
 * Mean recall of the classes that targets have.
 *
 * @shape yTrue, yPred [N] integer labels -> number
 * @source sklearn.metrics.balanced_accuracy_score.
 * @example
 * metrics.balancedAccuracyScore([0, 1, 0, 0], [0, 1, 0, 1]); // => 0.8333...
 */
export function balancedAccuracyScore(yTrue: Values, yPred: Values, options: BalancedAccuracyOptions = {}): number {
  return balancedAccuracyOf(countClasses("balancedAccuracyScore", yTrue, yPred, options), options);
}

export function balancedAccuracyOf(counts: ClassCounts, { adjusted = false }: BalancedAccuracyOptions = {}): number {
  const recalls = perClass(counts).flatMap(({ numTargets, truePositives }) =>
    numTargets > 0 ? [truePositives / numTargets] : [],
  );
  const mean = recalls.reduce((a, b) => a + b, 0) / recalls.length;
  if (!adjusted) return mean;
  const chance = 1 / recalls.length;
  return (mean - chance) / (1 - chance);
}

export interface TopKOptions {
  /** Default 2. */
  readonly k?: number;
  /** Class of each column; default 0, 1, 2, ... */
  readonly labels?: Values;
  readonly normalize?: boolean;
  readonly sampleWeight?: Values;
}

/**
 * Share of the samples whose target is among the k classes of highest score. Of equal scores the later class comes first.
 *
 * @shape yTrue [N], yScore [N, classes] (or [N] for two classes and k = 1) -> number
 * @throws {ValueError} E_LABEL_RANGE for a target that has no column, E_METRIC_NOT_FINITE for a NaN score, E_VALUE for k below 1.
 * @source sklearn.metrics.top_k_accuracy_score.
 * @example
 * metrics.topKAccuracyScore([0, 1, 2], [[0.5, 0.2, 0.2], [0.3, 0.4, 0.2], [0.7, 0.2, 0.1]]); // => 0.6666...
 */
export function topKAccuracyScore(yTrue: Values, yScore: Values, options: TopKOptions = {}): number {
  const where = "topKAccuracyScore";
  const { normalize = true } = options;
  const hits = topKHits(where, yTrue, yScore, options);
  const weights = readWeights(where, options.sampleWeight, hits.length);
  let right = 0;
  let total = 0;
  hits.forEach((isHit, i) => {
    const weight = weights === undefined ? 1 : weights[i]!;
    total += weight;
    if (isHit) right += weight;
  });
  return normalize ? right / total : right;
}

/** For each sample, whether its target is among the first k. */
export function topKHits(where: string, yTrue: Values, yScore: Values, { k = 2, labels }: TopKOptions): boolean[] {
  const targets = readVector(where, "yTrue", yTrue);
  if (!Number.isInteger(k) || k < 1) {
    throw new ValueError(`${where}: k is ${k}; it must be an integer of at least 1. Change it.`, { k });
  }
  const scores = readValues(where, "yScore", yScore);
  assertFinite(where, "yScore", scores.values);
  if (scores.shape.length === 1) {
    assertSameLength(where, ["yTrue", targets.length], ["yScore", scores.values.length]);
    assertLabels(where, "yTrue", targets, { low: 0, high: 2 });
    if (k > 1) return Array.from(targets, () => true);
    const all = Array.from(scores.values);
    const threshold = all.every((score) => score >= 0 && score <= 1) ? 0.5 : 0;
    return all.map((score, i) => Number(score > threshold) === targets[i]);
  }
  const { numRows, numColumns, values } = readRows(where, "yScore", yScore);
  assertSameLength(where, ["yTrue", targets.length], ["yScore", numRows]);
  const classes = labels === undefined ? undefined : Array.from(readFlat(where, "labels", labels));
  if (classes !== undefined) assertSameLength(where, ["labels", classes.length], ["the columns of yScore", numColumns]);
  const columns = Array.from(targets, (target) => (classes === undefined ? target : classes.indexOf(target)));
  assertLabels(where, classes === undefined ? "yTrue" : "the column of yTrue", columns, { low: 0, high: numColumns });
  return columns.map((own, i) => {
    let numBefore = 0;
    const ownScore = values[i * numColumns + own]!;
    for (let j = 0; j < numColumns; j++) {
      const score = values[i * numColumns + j]!;
      if (score > ownScore || (score === ownScore && j > own)) numBefore++;
    }
    return numBefore < k;
  });
}
