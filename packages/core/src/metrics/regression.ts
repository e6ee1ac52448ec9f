/** @file Errors of predicted numbers. Sums are f64, in the order of the balanced tree over the samples. */
import { ShapeError } from "../errors.js";
import { treeSum } from "../train/tree-order.js";
import {
  assertFinite,
  assertOneOf,
  assertSameLength,
  readValues,
  readWeights,
  undefinedMetric,
  type Values,
} from "./inputs.js";

export interface RegressionOptions {
  readonly sampleWeight?: Values;
  /** Of several outputs: the mean of their errors, or each apart. Default "uniformAverage". */
  readonly multiOutput?: "uniformAverage" | "rawValues";
}

type Averaged = RegressionOptions & { readonly multiOutput?: "uniformAverage" };
type Raw = RegressionOptions & { readonly multiOutput: "rawValues" };

/** Targets and predictions of one output. */
export interface Column {
  readonly targets: readonly number[];
  readonly predictions: readonly number[];
}

export function readColumns(where: string, yTrue: Values, yPred: Values): Column[] {
  const targets = readValues(where, "yTrue", yTrue);
  const predictions = readValues(where, "yPred", yPred);
  const [numRows = 0, numColumns = 1] = targets.shape;
  if (targets.shape.length > 2 || targets.shape.length === 0) {
    throw new ShapeError(`${where}: yTrue has ${targets.shape.length} dimensions; it must have 1 or 2. Reshape it.`, {
      shape: targets.shape,
    });
  }
  assertSameLength(where, ["yTrue", numRows], ["yPred", predictions.shape[0] ?? 0]);
  assertSameLength(where, ["yTrue", targets.values.length], ["yPred", predictions.values.length]);
  if (targets.values.length === 0) throw undefinedMetric(where, "yTrue is empty", "Pass at least one sample.");
  assertFinite(where, "yTrue", targets.values);
  assertFinite(where, "yPred", predictions.values);
  return Array.from({ length: numColumns }, (_, j) => {
    const pick = (values: ArrayLike<number>) => Array.from({ length: numRows }, (_, i) => values[i * numColumns + j]!);
    return { targets: pick(targets.values), predictions: pick(predictions.values) };
  });
}

function overColumns(
  where: string,
  given: readonly [Values, Values, RegressionOptions],
  errorOf: (column: Column, weights: readonly number[]) => number,
): number | number[] {
  const [yTrue, yPred, { sampleWeight, multiOutput = "uniformAverage" }] = given;
  assertOneOf(where, "multiOutput", multiOutput, ["uniformAverage", "rawValues"]);
  const columns = readColumns(where, yTrue, yPred);
  const numRows = columns[0]!.targets.length;
  const weights = readWeights(where, sampleWeight, numRows);
  const errors = columns.map((column) => errorOf(column, weights === undefined ? ones(numRows) : Array.from(weights)));
  return multiOutput === "rawValues" ? errors : treeSum(errors) / errors.length;
}

const ones = (length: number): number[] => new Array<number>(length).fill(1);
const square = (x: number): number => x * x;

const weightedMean = (values: readonly number[], weights: readonly number[]): number =>
  treeSum(values.map((value, i) => value * weights[i]!)) / treeSum(weights);

function meanOf(error: (target: number, prediction: number) => number) {
  return ({ targets, predictions }: Column, weights: readonly number[]): number =>
    weightedMean(
      targets.map((target, i) => error(target, predictions[i]!)),
      weights,
    );
}

export const squaredError = (target: number, prediction: number): number => square(target - prediction);
export const absoluteError = (target: number, prediction: number): number => Math.abs(target - prediction);
/** Relative to the target, or to 2^-52 where that is larger. */
export const relativeError = (target: number, prediction: number): number =>
  Math.abs(target - prediction) / Math.max(Math.abs(target), Number.EPSILON);

/**
 * Mean of (target - prediction)^2.
 *
 * @shape yTrue, yPred [N] or [N, outputs] -> number, or a number an output with multiOutput "rawValues"
 * @throws {ShapeError} E_SHAPE for different lengths. @throws {ValueError} E_METRIC_NOT_FINITE.
 * @source sklearn.metrics.mean_squared_error.
 * @example
 * metrics.meanSquaredError([3, -0.5, 2, 7], [2.5, 0, 2, 8]); // => 0.375
 */
export function meanSquaredError(yTrue: Values, yPred: Values, options: Raw): number[];
export function meanSquaredError(yTrue: Values, yPred: Values, options?: Averaged): number;
export function meanSquaredError(yTrue: Values, yPred: Values, options: RegressionOptions = {}): number | number[] {
  return overColumns("meanSquaredError", [yTrue, yPred, options], meanOf(squaredError));
}

/**
 * Square root of the mean squared error, of each output.
 *
 * @shape yTrue, yPred [N] or [N, outputs] -> number, or a number an output with multiOutput "rawValues"
 * @source sklearn.metrics.mean_squared_error(squared=False).
 * @example
 * metrics.rootMeanSquaredError([3, -0.5, 2, 7], [2.5, 0, 2, 8]); // => 0.6123...
 */
export function rootMeanSquaredError(yTrue: Values, yPred: Values, options: Raw): number[];
export function rootMeanSquaredError(yTrue: Values, yPred: Values, options?: Averaged): number;
export function rootMeanSquaredError(yTrue: Values, yPred: Values, options: RegressionOptions = {}): number | number[] {
  const mean = meanOf(squaredError);
  return overColumns("rootMeanSquaredError", [yTrue, yPred, options], (column, weights) =>
    Math.sqrt(mean(column, weights)),
  );
}

/**
 * Mean of |target - prediction|.
 *
 * @shape yTrue, yPred [N] or [N, outputs] -> number, or a number an output with multiOutput "rawValues"
 * @source sklearn.metrics.mean_absolute_error.
 * @example
 * metrics.meanAbsoluteError([3, -0.5, 2, 7], [2.5, 0, 2, 8]); // => 0.5
 */
export function meanAbsoluteError(yTrue: Values, yPred: Values, options: Raw): number[];
export function meanAbsoluteError(yTrue: Values, yPred: Values, options?: Averaged): number;
export function meanAbsoluteError(yTrue: Values, yPred: Values, options: RegressionOptions = {}): number | number[] {
  return overColumns("meanAbsoluteError", [yTrue, yPred, options], meanOf(absoluteError));
}

/**
 * Mean of |target - prediction| / |target|, as a share and not in percent.
 *
 * @shape yTrue, yPred [N] or [N, outputs] -> number, or a number an output with multiOutput "rawValues"
 * @source sklearn.metrics.mean_absolute_percentage_error; a target of 0 counts as 2^-52, as there.
 * @example
 * metrics.meanAbsolutePercentageError([2, 4], [1, 5]); // => 0.375
 */
export function meanAbsolutePercentageError(yTrue: Values, yPred: Values, options: Raw): number[];
export function meanAbsolutePercentageError(yTrue: Values, yPred: Values, options?: Averaged): number;
export function meanAbsolutePercentageError(
  yTrue: Values,
  yPred: Values,
  options: RegressionOptions = {},
): number | number[] {
  return overColumns("meanAbsolutePercentageError", [yTrue, yPred, options], meanOf(relativeError));
}

/** 1 - a/b; a target that never varies is explained wholly or not at all. */
export const explainedShare = (unexplained: number, total: number): number =>
  total === 0 ? Number(unexplained === 0) : 1 - unexplained / total;

/**
 * Share of the targets' variance that predictions explain: 1 - sum (y - p)^2 / sum (y - mean y)^2.
 *
 * @shape yTrue, yPred [N] or [N, outputs] -> number, or a number an output with multiOutput "rawValues"
 * @throws {ValueError} E_METRIC_UNDEFINED for fewer than two samples (scikit-learn answers NaN).
 * @source sklearn.metrics.r2_score(force_finite=True).
 * @example
 * metrics.r2Score([3, -0.5, 2, 7], [2.5, 0, 2, 8]); // => 0.9486...
 */
export function r2Score(yTrue: Values, yPred: Values, options: Raw): number[];
export function r2Score(yTrue: Values, yPred: Values, options?: Averaged): number;
export function r2Score(yTrue: Values, yPred: Values, options: RegressionOptions = {}): number | number[] {
  return overColumns("r2Score", [yTrue, yPred, options], ({ targets, predictions }, weights) => {
    if (targets.length < 2)
      throw undefinedMetric("r2Score", "there is 1 sample; there must be two", "Pass more samples.");
    const mean = weightedMean(targets, weights);
    const total = treeSum(targets.map((target, i) => weights[i]! * square(target - mean)));
    return explainedShare(
      treeSum(targets.map((target, i) => weights[i]! * squaredError(target, predictions[i]!))),
      total,
    );
  });
}

/**
 * As r2Score, but forgives a constant offset: 1 - variance of (y - p) / variance of y.
 *
 * @shape yTrue, yPred [N] or [N, outputs] -> number, or a number an output with multiOutput "rawValues"
 * @source sklearn.metrics.explained_variance_score(force_finite=True).
 * @example
 * metrics.explainedVarianceScore([3, -0.5, 2, 7], [2.5, 0, 2, 8]); // => 0.9571...
 */
export function explainedVarianceScore(yTrue: Values, yPred: Values, options: Raw): number[];
export function explainedVarianceScore(yTrue: Values, yPred: Values, options?: Averaged): number;
export function explainedVarianceScore(
  yTrue: Values,
  yPred: Values,
  options: RegressionOptions = {},
): number | number[] {
  const variance = (values: readonly number[], weights: readonly number[]): number => {
    const mean = weightedMean(values, weights);
    return weightedMean(
      values.map((value) => square(value - mean)),
      weights,
    );
  };
  return overColumns("explainedVarianceScore", [yTrue, yPred, options], ({ targets, predictions }, weights) =>
    explainedShare(
      variance(
        targets.map((target, i) => target - predictions[i]!),
        weights,
      ),
      variance(targets, weights),
    ),
  );
}
