/** @file The one table of tolerances: how far a kernel may be from its f64 reference, by dtype and reduction length. */
import type { DType } from "../tensor/dtype.js";

export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

export interface ToleranceOptions {
  /** How many numbers were added up for one element. Default 1. */
  readonly reductionLength?: number;
  /** Size of what was added up and may have cancelled. Default 1; below 1 counts as 1. */
  readonly magnitude?: number;
}

/** Distance from 1 to the next f32. */
const F32_EPSILON = 1.1920928955078125e-7;
/** Roundings of an element that reduces nothing: a composed exp or erf included. */
const BASE_ROUNDINGS = 16;
/** Roundings of a sum are as often up as down, so they grow with the root of its length; this many standard deviations are allowed. */
const ROUNDINGS_PER_ROOT = 4;

/** Integers are exact. */
export function toleranceOf(dtype: DType, { reductionLength = 1, magnitude = 1 }: ToleranceOptions = {}): Tolerance {
  if (dtype !== "f32") return { relative: 0, absolute: 0 };
  const relative = F32_EPSILON * (BASE_ROUNDINGS + ROUNDINGS_PER_ROOT * Math.sqrt(reductionLength));
  return { relative, absolute: relative * Math.max(1, magnitude) };
}
