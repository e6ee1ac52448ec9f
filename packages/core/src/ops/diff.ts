/** @file diff: differences of neighbours. */
import { ValueError } from "../errors.js";
import { normalizeAxis } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { sub } from "./arithmetic.js";
import { slice } from "./slice.js";

export interface DiffOptions {
  /** How often. Default 1. */
  readonly times?: number;
  /** Default -1. */
  readonly axis?: number;
}

/**
 * Every element minus the one before it along an axis, once or several times.
 * @shape [a, K], axis 1 -> [a, K - times]; nothing remains of fewer elements
 * @throws {ValueError} E_VALUE unless times is a whole number of 0 or more; {ShapeError} E_AXIS; {DTypeError} E_DTYPE for bool.
 * @source numpy.diff, torch.diff
 * @example
 * diff(tensor([1, 4, 9, 16])).toArraySync(); // => [3, 5, 7]
 */
export function diff(x: Tensor, { times = 1, axis = -1 }: DiffOptions = {}): Tensor {
  if (!Number.isInteger(times) || times < 0) {
    throw new ValueError(`diff: times is ${times}; it must be a whole number of 0 or more.`, { times });
  }
  const at = normalizeAxis("diff", axis, x.numDims);
  const part = (range: { readonly start?: number; readonly stop?: number }) => (y: Tensor) =>
    slice(
      y,
      y.shape.map((_, i) => (i === at ? range : null)),
    );
  const [later, earlier] = [part({ start: 1 }), part({ stop: -1 })];
  let out = x;
  for (let i = 0; i < times && out.shape[at]! > 0; i++) out = sub(later(out), earlier(out));
  return out;
}
