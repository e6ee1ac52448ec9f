/** @file The one table of tolerances: how far a kernel may be from its f64 reference, by dtype and reduction length. */
import type { DType } from "../tensor/dtype.js";
import type { StoredFloats } from "./sample-run.js";

export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

export interface ToleranceOptions {
  /** How many numbers were added up for one element. Default 1. */
  readonly reductionLength?: number;
  /** Size of what was added up and may have cancelled. Default 1; below 1 counts as 1. */
  readonly magnitude?: number;
  /** How the results, and what an op of several kernels keeps between them, were stored. Default: as f32. */
  readonly stored?: StoredFloats | undefined;
}

/** Distance from 1 to the next f32. */
const F32_EPSILON = 1.1920928955078125e-7;
/** Roundings of an element that reduces nothing: a composed exp or erf included. */
const BASE_ROUNDINGS = 16;
/** Roundings of a sum are as often up as down, so they grow with the root of its length; this many standard deviations are allowed. */
const ROUNDINGS_PER_ROOT = 4;
/**
 * Roundings to a shorter format: of the result, and of what an op of several kernels stores between them, each magnified by at most
 * what the next kernel does to it. Sums are in f32 whatever is stored, so they do not grow with a reduction's length.
 */
const STORED_ROUNDINGS = 8;

/** Integers are exact. */
export function toleranceOf(
  dtype: DType,
  { reductionLength = 1, magnitude = 1, stored }: ToleranceOptions = {},
): Tolerance {
  if (dtype !== "f32") return { relative: 0, absolute: 0 };
  const computed = F32_EPSILON * (BASE_ROUNDINGS + ROUNDINGS_PER_ROOT * Math.sqrt(reductionLength));
  const relative = computed + (stored === undefined ? 0 : STORED_ROUNDINGS * stored.unit);
  return { relative, absolute: relative * Math.max(1, magnitude) };
}
