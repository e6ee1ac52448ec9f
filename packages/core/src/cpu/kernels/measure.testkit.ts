/** @file What the kernels' unit tests measure with: seeded data, comparison to the bit, a short hash. Not part of the package. */
import { createHash } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { expect } from "vitest";
import type { DTypeArray } from "../../tensor/dtype.js";
import { hasRelaxedSimd } from "../numeric-class.js";

/** Node 20 has relaxed SIMD behind a flag. */
export function enableRelaxedSimd(): void {
  if (!hasRelaxedSimd()) setFlagsFromString("--experimental-wasm-relaxed-simd");
}

/** Uniform in [-1, 1), the same for the same seed. */
export function randomFloats(length: number, seed: number): Float32Array {
  let state = (Math.imul(seed, 2654435761) ^ 0x9e3779b9) >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 23 - 1;
  });
}

function bitsOf(values: DTypeArray): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length);
}

/** Equal bits, NaN counting as one value. */
export function expectSameBits(actual: DTypeArray, expected: DTypeArray, what = ""): void {
  expect(actual.length, what).toBe(expected.length);
  const actualBits = bitsOf(actual);
  const expectedBits = bitsOf(expected);
  for (let i = 0; i < actual.length; i++) {
    if (actualBits[i] === expectedBits[i] || (Number.isNaN(actual[i]) && Number.isNaN(expected[i]))) continue;
    expect.fail(`${what} element ${i} is ${actual[i]}, must be ${expected[i]} to the bit`);
  }
}

/** Greatest difference, as a part of 1 + the expected value. */
export function maxError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let worst = 0;
  for (let i = 0; i < actual.length; i++) {
    const error = Math.abs(actual[i]! - expected[i]!) / (1 + Math.abs(expected[i]!));
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

/** First 16 hex digits of the sha256 of the bytes. */
export function hashOf(values: DTypeArray): string {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}
