/** @file Losses of probabilities: log loss, Brier score, perplexity. */
import { ValueError } from "../errors.js";
import { exp, log } from "../scalar-math/index.js";
import { treeSum } from "../train/tree-order.js";
import {
  assertFinite,
  assertLabels,
  assertSameLength,
  readFlat,
  readValues,
  readVector,
  readWeights,
  undefinedMetric,
  type Values,
} from "./inputs.js";

export interface LogLossOptions {
  /** Class of each column, ascending; default 0, 1, 2, ... */
  readonly labels?: Values;
  /** Probabilities are clipped to [eps, 1 - eps]. Default 2^-52. */
  readonly eps?: number;
  /** false: the sum instead of the mean. */
  readonly normalize?: boolean;
  readonly sampleWeight?: Values;
}

/**
 * Mean of -log of the probability given to the target. Rows are scaled to sum 1.
 *
 * @shape yTrue [N] labels, yPred [N] probability of class 1, or [N, classes] -> number
 * @throws {ValueError} E_VALUE for a probability outside [0, 1], E_LABEL_RANGE for a target without a column.
 * @source sklearn.metrics.log_loss.
 * @example
 * metrics.logLoss([1, 0, 0, 1], [[0.1, 0.9], [0.9, 0.1], [0.8, 0.2], [0.35, 0.65]]); // => 0.2161...
 */
export function logLoss(yTrue: Values, yPred: Values, options: LogLossOptions = {}): number {
  const losses = logLosses("logLoss", yTrue, yPred, options);
  const weights = readWeights("logLoss", options.sampleWeight, losses.length);
  const sum = treeSum(weights === undefined ? losses : losses.map((loss, i) => loss * weights[i]!));
  if (options.normalize === false) return sum;
  return sum / (weights === undefined ? losses.length : treeSum(Array.from(weights)));
}

/** -log p(target) of each sample. */
export function logLosses(
  where: string,
  yTrue: Values,
  yPred: Values,
  { labels, eps = Number.EPSILON }: LogLossOptions,
): number[] {
  const targets = readVector(where, "yTrue", yTrue);
  const { shape, values } = readValues(where, "yPred", yPred);
  assertSameLength(where, ["yTrue", targets.length], ["yPred", shape[0] ?? 0]);
  assertProbabilities(where, "yPred", values);
  const classes = labels === undefined ? undefined : Array.from(readFlat(where, "labels", labels));
  const numColumns = shape.length === 1 ? 2 : shape[1]!;
  const columns = Array.from(targets, (target) => (classes === undefined ? target : classes.indexOf(target)));
  assertLabels(where, classes === undefined ? "yTrue" : "the column of yTrue", columns, { low: 0, high: numColumns });
  const clip = (p: number): number => Math.min(Math.max(p, eps), 1 - eps);
  return columns.map((own, i) => {
    if (shape.length === 1) return -log(own === 1 ? clip(values[i]!) : 1 - clip(values[i]!));
    let sum = 0;
    for (let j = 0; j < numColumns; j++) sum += clip(values[i * numColumns + j]!);
    return -log(clip(values[i * numColumns + own]!) / sum);
  });
}

function assertProbabilities(where: string, name: string, values: ArrayLike<number>): void {
  assertFinite(where, name, values);
  for (let i = 0; i < values.length; i++) {
    if (values[i]! >= 0 && values[i]! <= 1) continue;
    throw new ValueError(
      `${where}: ${name}[${i}] is ${values[i]}; a probability must lie in [0, 1]. Pass probabilities, for example of softmax, not logits.`,
      { argument: name, index: i, value: values[i] },
    );
  }
}

/**
 * Mean squared difference of a probability and what happened.
 *
 * @shape yTrue [N] labels, yProb [N] probability of posLabel -> number
 * @throws {ValueError} E_VALUE for a probability outside [0, 1].
 * @source sklearn.metrics.brier_score_loss; Brier 1950.
 * @example
 * metrics.brierScore([0, 1], [0.5, 0.5]); // => 0.25
 */
export function brierScore(
  yTrue: Values,
  yProb: Values,
  options: { readonly posLabel?: number; readonly sampleWeight?: Values } = {},
): number {
  const errors = brierErrors("brierScore", yTrue, yProb, options.posLabel);
  const weights = readWeights("brierScore", options.sampleWeight, errors.length);
  if (weights === undefined) return treeSum(errors) / errors.length;
  return treeSum(errors.map((error, i) => error * weights[i]!)) / treeSum(Array.from(weights));
}

export function brierErrors(where: string, yTrue: Values, yProb: Values, posLabel = 1): number[] {
  const targets = readVector(where, "yTrue", yTrue);
  const probabilities = readVector(where, "yProb", yProb);
  assertSameLength(where, ["yTrue", targets.length], ["yProb", probabilities.length]);
  assertLabels(where, "yTrue", targets);
  assertProbabilities(where, "yProb", probabilities);
  return Array.from(probabilities, (p, i) => square(p - Number(targets[i] === posLabel)));
}

/**
 * exp of the mean of -log softmax(logits)[target]: among how many equally likely tokens the model seems to choose.
 *
 * @shape targets [...] integer, logits [..., V] -> number
 * @throws {ShapeError} E_SHAPE, {ValueError} E_LABEL_RANGE for a target outside [0, V), E_METRIC_UNDEFINED when all are ignored.
 * @source Jelinek et al. 1977; as exp of torch.nn.functional.cross_entropy.
 * @example
 * metrics.perplexity([0, 1], [[0, 0], [0, 0]]); // => 2
 */
export function perplexity(
  targets: Values,
  logits: Values,
  { ignoreIndex }: { readonly ignoreIndex?: number } = {},
): number {
  const where = "perplexity";
  const ids = readFlat(where, "targets", targets);
  const { shape, values } = readValues(where, "logits", logits);
  const vocabSize = shape.at(-1) ?? 0;
  assertSameLength(where, ["targets", ids.length], ["logits", vocabSize === 0 ? 0 : values.length / vocabSize]);
  assertFinite(where, "logits", values);
  const kept = Array.from(ids, (_, i) => i).filter((i) => ids[i] !== ignoreIndex);
  const own = kept.map((i) => ids[i]!);
  assertLabels(where, "targets", own, { low: 0, high: vocabSize });
  if (kept.length === 0)
    throw undefinedMetric(where, `all ${ids.length} targets are ignoreIndex`, "Pass a target that counts.");
  const losses = kept.map((i) => {
    const at = (j: number): number => values[i * vocabSize + j]!;
    let highest = at(0);
    for (let j = 1; j < vocabSize; j++) highest = Math.max(highest, at(j));
    let sum = 0;
    for (let j = 0; j < vocabSize; j++) sum += exp(at(j) - highest);
    return log(sum) + highest - at(ids[i]!);
  });
  return exp(treeSum(losses) / losses.length);
}

const square = (x: number): number => x * x;
