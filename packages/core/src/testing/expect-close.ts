/** @file Comparing arrays of numbers, with a message that says where and how far. */
import { LockstepError } from "../errors.js";
import type { DType } from "../tensor/dtype.js";
import { type Tolerance, type ToleranceOptions, toleranceOf } from "./tolerance.js";

/** What a check of this folder throws; test runners show its message. */
export class CheckError extends LockstepError {
  constructor(message: string, fields: Readonly<Record<string, unknown>> = {}) {
    super("E_CHECK", message, fields);
  }
}

interface TableTolerance extends ToleranceOptions {
  /** Default "f32". */
  readonly dtype?: DType;
  readonly tolerance?: undefined;
}

interface OwnTolerance {
  readonly tolerance: Tolerance;
  /** Why it is not the table's. */
  readonly because: string;
}

export type ExpectCloseOptions = (TableTolerance | OwnTolerance) & {
  /** Shown first in the message. */
  readonly what?: string;
};

/**
 * Every element within absolute + relative * |expected|; NaN equals NaN, an infinity equals itself.
 *
 * @shape actual [N], expected [N]
 * @throws {CheckError} E_CHECK with the first bad index, both values, the largest errors and the number of bad elements.
 * @source numpy.testing.assert_allclose
 */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  options: ExpectCloseOptions = {},
): void {
  const what = options.what ?? "values";
  const tolerance = options.tolerance ?? toleranceOf(options.dtype ?? "f32", options);
  assertLength(actual, expected, what);
  let first = -1;
  let numBad = 0;
  let maxAbsolute = 0;
  let maxRelative = 0;
  for (let i = 0; i < actual.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!];
    if (a === e || (Number.isNaN(a) && Number.isNaN(e))) continue;
    const error = Math.abs(a - e);
    if (error <= tolerance.absolute + tolerance.relative * Math.abs(e) && Number.isFinite(a)) continue;
    numBad++;
    if (first < 0) first = i;
    maxAbsolute = Math.max(maxAbsolute, error);
    maxRelative = Math.max(maxRelative, error / Math.abs(e));
  }
  if (numBad === 0) return;
  const because = options.tolerance === undefined ? "" : ` (because ${options.because})`;
  throw new CheckError(
    `${what}: element ${first} is ${actual[first]}, expected ${expected[first]}; ${numBad} of ${actual.length} elements are off, ` +
      `by up to ${maxAbsolute} (relative ${maxRelative}); allowed are ${tolerance.absolute} + ${tolerance.relative} * |expected|${because}.`,
    { index: first, actual: actual[first], expected: expected[first], numBad, maxAbsolute, maxRelative },
  );
}

/**
 * The same bits; all NaN count as one, -0 is not 0.
 * @shape actual [N], expected [N]
 * @throws {CheckError} E_CHECK with the first differing index and the number of differing elements.
 * @source none: ours
 */
export function expectSameBits(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  assertLength(actual, expected, what);
  let first = -1;
  let numBad = 0;
  for (let i = 0; i < actual.length; i++) {
    if (Object.is(actual[i], expected[i])) continue;
    numBad++;
    if (first < 0) first = i;
  }
  if (numBad === 0) return;
  throw new CheckError(
    `${what}: element ${first} is ${actual[first]}; it must be the same bits as ${expected[first]}. ${numBad} of ${actual.length} elements differ.`,
    { index: first, actual: actual[first], expected: expected[first], numBad },
  );
}

function assertLength(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  if (actual.length === expected.length) return;
  throw new CheckError(`${what}: there are ${actual.length} values; there must be ${expected.length}.`, {
    numActual: actual.length,
    numExpected: expected.length,
  });
}
