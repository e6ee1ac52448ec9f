/** @file Runs rows of the kernel table on arrays, for shapes that the op suite does not reach. */
import type { Backend, TensorView } from "@lockstep/core";
import { contiguousStrides, numElements } from "@lockstep/core/backend";

/** A contiguous view with these contents, or with undefined ones. */
export function viewOf(
  backend: Backend,
  shape: readonly number[],
  contents: Float32Array | Int32Array | "f32" | "i32",
): TensorView {
  const dtype = typeof contents === "string" ? contents : contents instanceof Float32Array ? "f32" : "i32";
  const buffer = backend.allocate(numElements(shape) * 4);
  if (typeof contents !== "string") backend.write(buffer, 0, contents);
  return { buffer, offset: 0, shape, strides: contiguousStrides(shape), dtype };
}

/** Numbers in -1..1 with 24 random bits: the same ones for a seed. @source G. Marsaglia, "Xorshift RNGs", 2003. */
export function randomFloats(length: number, seed: number): Float32Array {
  const next = randomWords(seed);
  return Float32Array.from({ length }, () => (next() >>> 8) / 0x800000 - 1);
}

/** Integers in 0..limit - 1. */
export function randomIntegers(length: number, limit: number, seed: number): Int32Array {
  const next = randomWords(seed);
  return Int32Array.from({ length }, () => next() % limit);
}

function randomWords(seed: number): () => number {
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

/** The largest |actual - expected|; NaN counts as equal to NaN alone, and infinities to themselves. */
export function largestError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!];
    if (Object.is(a, e) || a === e) continue;
    const error = Math.abs(a - e);
    if (!(error <= largest)) largest = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
  }
  return largest;
}

/** How many places differ in more than the sign of a zero. */
export function numDifferent(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let count = Math.abs(actual.length - expected.length);
  for (let i = 0; i < expected.length; i++) {
    if (!Object.is(actual[i], expected[i]) && actual[i] !== expected[i]) count++;
  }
  return count;
}
