/** @file Reads what a metric is given - arrays, typed arrays, tensors - into flat host numbers, and refuses what no metric can use. */
import { ShapeError, ValueError } from "../errors.js";
import { flattenNested, type NestedInput } from "../tensor/nested-array.js";
import { formatShape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";

/** Labels, scores or values: a tensor, a typed array, or an array that may be nested. Booleans count as 0 and 1. */
export type Values = Tensor | ArrayLike<number> | readonly NestedInput[];

export interface FlatValues {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly values: ArrayLike<number>;
}

/** Two-dimensional values. */
export interface Rows {
  readonly numRows: number;
  readonly numColumns: number;
  readonly values: ArrayLike<number>;
}

/** @throws {ShapeError} E_SHAPE for nested rows of different lengths. */
export function readValues(where: string, name: string, given: Values): FlatValues {
  if (given instanceof Tensor) return { shape: given.shape, values: given.dataSync() };
  if (Array.isArray(given)) return flattenNested(`${where}: ${name}`, given as readonly NestedInput[]);
  if (typeof given === "object" && given !== null && typeof (given as ArrayLike<number>).length === "number") {
    const values = given as ArrayLike<number>;
    return { shape: [values.length], values };
  }
  throw new ValueError(
    `${where}: ${name} is ${String(given)}; it must be an array, a typed array or a tensor. Pass one.`,
    { argument: name },
  );
}

/** One-dimensional values, at least one. @throws {ShapeError} E_SHAPE. */
export function readVector(where: string, name: string, given: Values): ArrayLike<number> {
  const { shape, values } = readValues(where, name, given);
  if (shape.length !== 1) {
    throw new ShapeError(
      `${where}: ${name} has shape ${formatShape(shape)}; it must have one dimension. Flatten it, for example with reshape([-1]).`,
      { argument: name, shape },
    );
  }
  assertSome(where, name, values.length);
  return values;
}

/** Values of any shape, flat, at least one. */
export function readFlat(where: string, name: string, given: Values): ArrayLike<number> {
  const { values } = readValues(where, name, given);
  assertSome(where, name, values.length);
  return values;
}

/** Values of shape [rows, columns], at least one of each. @throws {ShapeError} E_SHAPE. */
export function readRows(where: string, name: string, given: Values): Rows {
  const { shape, values } = readValues(where, name, given);
  if (shape.length !== 2) {
    throw new ShapeError(
      `${where}: ${name} has shape ${formatShape(shape)}; it must have two dimensions, a row a sample. Reshape it.`,
      { argument: name, shape },
    );
  }
  assertSome(where, name, values.length);
  return { numRows: shape[0]!, numColumns: shape[1]!, values };
}

function assertSome(where: string, name: string, length: number): void {
  if (length > 0) return;
  throw new ValueError(
    `${where}: ${name} is empty; a metric of no samples is not defined. Pass at least one sample.`,
    { argument: name },
    "E_METRIC_EMPTY",
  );
}

/** @throws {ShapeError} E_SHAPE naming both when two lengths differ. */
export function assertSameLength(where: string, a: readonly [string, number], b: readonly [string, number]): void {
  if (a[1] === b[1]) return;
  throw new ShapeError(
    `${where}: ${a[0]} has ${a[1]} samples and ${b[0]} has ${b[1]}; both must have the same number. Check how they were collected.`,
    { [a[0]]: a[1], [b[0]]: b[1] },
  );
}

/** @throws {ValueError} E_METRIC_NOT_FINITE naming the first NaN or infinite value. */
export function assertFinite(where: string, name: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i]!)) continue;
    throw new ValueError(
      `${where}: ${name}[${i}] is ${values[i]}; every value must be finite. Look where the model made it.`,
      { argument: name, index: i, value: values[i] },
      "E_METRIC_NOT_FINITE",
    );
  }
}

/** @throws {ValueError} E_LABEL_RANGE naming the first label that is no integer in [low, high). */
export function assertLabels(
  where: string,
  name: string,
  labels: ArrayLike<number>,
  { low = Number.MIN_SAFE_INTEGER, high = Number.MAX_SAFE_INTEGER } = {},
): void {
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (Number.isInteger(label) && label >= low && label < high) continue;
    const range = low === Number.MIN_SAFE_INTEGER ? "an integer" : `an integer in [${low}, ${high})`;
    throw new ValueError(
      `${where}: ${name}[${i}] is ${label}; a label must be ${range}. Check the labels, or the number of classes.`,
      { argument: name, index: i, value: label },
      "E_LABEL_RANGE",
    );
  }
}

/** Weights of samples: the given ones, checked, or undefined for all 1. */
export function readWeights(where: string, given: Values | undefined, length: number): ArrayLike<number> | undefined {
  if (given === undefined) return undefined;
  const weights = readVector(where, "sampleWeight", given);
  assertSameLength(where, ["sampleWeight", weights.length], ["the targets", length]);
  assertFinite(where, "sampleWeight", weights);
  return weights;
}

/** A value of an option. @throws {ValueError} E_VALUE naming what it may be. */
export function assertOneOf<T>(where: string, option: string, value: T, allowed: readonly T[]): void {
  if (allowed.includes(value)) return;
  throw new ValueError(
    `${where}: ${option} is ${JSON.stringify(value) ?? "undefined"}; it must be one of ${allowed.map((one) => JSON.stringify(one) ?? "undefined").join(", ")}. Change it.`,
    { option, value },
  );
}

/** @throws {ValueError} E_METRIC_UNDEFINED: the formula has no value for these samples. */
export function undefinedMetric(where: string, what: string, remedy: string, fields = {}): ValueError {
  return new ValueError(`${where}: ${what}. ${remedy}`, fields, "E_METRIC_UNDEFINED");
}
