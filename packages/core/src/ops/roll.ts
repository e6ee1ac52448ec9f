/** @file roll: axes as rings. */
import { ShapeError, ValueError } from "../errors.js";
import { formatShape, normalizeAxis } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { concat } from "./concat.js";
import { reshape } from "./reshape.js";
import { narrow } from "./slice.js";

/**
 * Moves elements `shift` places along an axis; what leaves at one end comes in at the other. Without an axis: over the flat tensor.
 * Lists of shifts and axes go together.
 * @shape [a, b] -> [a, b]
 * @throws {ValueError} E_VALUE for a shift that is no whole number; {ShapeError} E_SHAPE when the lists differ in length.
 * @source torch.roll, numpy.roll
 * @example
 * tensor([1, 2, 3, 4]).roll(1).toArraySync(); // => [4, 1, 2, 3]
 */
export function roll(x: Tensor, shift: number | readonly number[], axis?: number | readonly number[]): Tensor {
  if (axis === undefined) {
    const only = typeof shift === "number" ? shift : shift.reduce((a, b) => a + b, 0);
    return reshape(rollAxis(reshape(x, [x.size]), only, 0), x.shape);
  }
  const shifts = typeof shift === "number" ? [shift] : shift;
  const axes = typeof axis === "number" ? [axis] : axis;
  if (shifts.length !== axes.length) {
    throw new ShapeError(
      `roll: shifts are ${formatShape(shifts)} and axes ${formatShape(axes)}; there must be one shift for each axis.`,
      { shifts, axes },
    );
  }
  return axes.reduce((y, at, i) => rollAxis(y, shifts[i]!, normalizeAxis("roll", at, x.numDims)), x);
}

function rollAxis(x: Tensor, shift: number, axis: number): Tensor {
  if (!Number.isInteger(shift)) {
    throw new ValueError(`roll: shift is ${shift}; it must be a whole number.`, { shift });
  }
  const size = x.shape[axis]!;
  if (size === 0) return x;
  const start = ((shift % size) + size) % size;
  if (start === 0) return x;
  return concat([narrow(x, axis, size - start, start), narrow(x, axis, 0, size - start)], axis);
}
