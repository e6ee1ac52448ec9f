/** @file Words for the samples of op contracts. Sizes are chosen to break kernels: odd widths, empty, larger than a tile. */
import type { Shape } from "../tensor/shape.js";
import type { SampleInput } from "./contract.js";

export function normal(shape: Shape, mean = 0, std = 1): SampleInput {
  return { shape, dtype: "f32", distribution: { kind: "normal", mean, std } };
}
export function uniform(shape: Shape, low: number, high: number): SampleInput {
  return { shape, dtype: "f32", distribution: { kind: "uniform", low, high } };
}
/** i32 in low..high-1. */
export function integers(shape: Shape, low: number, high: number): SampleInput {
  return { shape, dtype: "i32", distribution: { kind: "integers", low, high } };
}
export function f32Values(values: readonly number[], shape: Shape = [values.length]): SampleInput {
  return { shape, dtype: "f32", distribution: { kind: "values", values } };
}
export function i32Values(values: readonly number[], shape: Shape = [values.length]): SampleInput {
  return { shape, dtype: "i32", distribution: { kind: "values", values } };
}
