/** @file Evenly spaced numbers between two ends. */
import { ValueError } from "../errors.js";
import { pow } from "../scalar-math/pow.js";
import { type CreateOptions, tensor } from "./create.js";
import type { Tensor } from "./tensor.js";

export interface SpaceOptions extends CreateOptions {
  /** The last number is `end`. Default true. */
  readonly endpoint?: boolean;
}

function spaced(where: string, ends: readonly [number, number], count: number, endpoint: boolean): number[] {
  const [start, end] = ends;
  if (!Number.isFinite(start) || !Number.isFinite(end)) {
    throw new ValueError(`${where}: start is ${start} and end ${end}; both must be finite.`, { start, end });
  }
  if (!Number.isInteger(count) || count < 0) {
    throw new ValueError(`${where}: count is ${count}; it must be a whole number of 0 or more.`, { count });
  }
  const steps = endpoint ? count - 1 : count;
  return Array.from({ length: count }, (_, i) =>
    endpoint && i === steps && i > 0 ? end : start + (i * (end - start)) / (steps || 1),
  );
}

/**
 * `count` numbers from start to end, evenly apart, computed in f64.
 * @shape -> [count]
 * @throws {ValueError} E_VALUE for an end that is not finite or a negative count.
 * @source numpy.linspace, whose count is 50 by default
 * @example
 * linspace(0, 1, 5).toArraySync(); // => [0, 0.25, 0.5, 0.75, 1]
 */
export function linspace(start: number, end: number, count: number, options: SpaceOptions = {}): Tensor {
  const { endpoint = true, ...create } = options;
  return tensor(spaced("linspace", [start, end], count, endpoint), create);
}

/**
 * base^start to base^end, with evenly spaced exponents, computed in f64.
 * @shape -> [count]
 * @throws {ValueError} E_VALUE as linspace, and for a base that is not above 0.
 * @source numpy.logspace
 * @example
 * logspace(0, 3, 4).toArraySync(); // => [1, 10, 100, 1000]
 */
export function logspace(
  start: number,
  end: number,
  count: number,
  options: SpaceOptions & { readonly base?: number } = {},
): Tensor {
  const { endpoint = true, base = 10, ...create } = options;
  if (!(base > 0 && base < Number.POSITIVE_INFINITY)) {
    throw new ValueError(`logspace: base is ${base}; it must be a finite number above 0.`, { base });
  }
  return tensor(
    spaced("logspace", [start, end], count, endpoint).map((exponent) => pow(base, exponent)),
    create,
  );
}
