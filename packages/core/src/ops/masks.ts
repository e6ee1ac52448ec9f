/** @file Masks, such as comparisons give: which elements they name (nonzero), reading those (maskedSelect), replacing them (maskedFill). */
import { DTypeError, ShapeError } from "../errors.js";
import { fullLike } from "../tensor/create.js";
import { broadcastShapes, contiguousStrides, formatShape, numElements, shapesEqual } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { where as choose } from "./compare.js";
import type { Operand } from "./elementwise.js";
import { expand } from "./expand-sum.js";
import { reshape } from "./reshape.js";
import { takeRowsOp } from "./take-rows.js";
import { indicesBeside } from "./wrap-indices.js";

/** Row-major places of the elements that are not 0, ascending. Reads the tensor. */
function placesOf(x: Tensor): Int32Array {
  const values = x.dataSync();
  const places = new Int32Array(values.length);
  let count = 0;
  for (let i = 0; i < values.length; i++) if (values[i] !== 0) places[count++] = i;
  return places.slice(0, count);
}

/**
 * Where the elements that are not 0 are: one row of coordinates for each, in row-major order. NaN is not 0.
 * @shape [a, b] -> [n, 2], i32
 * @throws {BackendError} E_BACKEND on a device that cannot read at once.
 * @source torch.nonzero, numpy.argwhere
 * @example
 * nonzero(tensor([[0, 7], [8, 0]])).toArraySync(); // => [[0, 1], [1, 0]]
 */
export function nonzero(x: Tensor): Tensor {
  const places = placesOf(x);
  const strides = contiguousStrides(x.shape);
  const out = new Int32Array(places.length * x.numDims);
  places.forEach((place, row) => {
    x.shape.forEach((size, axis) => {
      out[row * x.numDims + axis] = Math.floor(place / strides[axis]!) % size;
    });
  });
  return indicesBeside(x, out, [places.length, x.numDims]);
}

/** @throws {DTypeError} E_DTYPE for f32. */
function checkMask(where: string, mask: Tensor): void {
  if (mask.dtype === "f32") {
    throw new DTypeError(`${where}: the mask is f32; it must be what a comparison gives. Use ne(0).`, {
      mask: mask.dtype,
    });
  }
}

/**
 * The elements of x where the mask is not 0, in row-major order; x and the mask broadcast.
 * @shape x and mask [...] -> [n]
 * @throws {DTypeError} E_DTYPE for a mask of f32; {ShapeError} E_SHAPE; {BackendError} E_BACKEND on a device that cannot read at once.
 * @source torch.masked_select; numpy's x[mask], whose mask must have the shape of x
 * @example
 * const y = tensor([1, -2, 3]);
 * y.maskedSelect(y.gt(0)).toArraySync(); // => [1, 3]
 */
export function maskedSelect(x: Tensor, mask: Tensor): Tensor {
  checkMask("maskedSelect", mask);
  const shape = broadcastShapes("maskedSelect", x.shape, mask.shape);
  const places = placesOf(expand(mask, shape));
  const rows = reshape(expand(x, shape), [numElements(shape), 1]);
  return reshape(takeRowsOp.apply([rows, indicesBeside(x, places)], undefined)[0]!, [places.length]);
}

/**
 * x with `value` where the mask is not 0. The mask broadcasts to x.
 * @shape x [...], mask broadcast to it, value a number or broadcast to x -> [...]
 * @throws {ShapeError} E_SHAPE when the mask or the value does not broadcast to x; {DTypeError} E_DTYPE for a mask of f32 or another dtype
 *   of value.
 * @source torch.masked_fill; numpy's x[mask] = value, not in place
 * @example
 * const y = tensor([1, -2, 3]);
 * y.maskedFill(y.lt(0), 0).toArraySync(); // => [1, 0, 3]
 */
export function maskedFill(x: Tensor, mask: Tensor, value: Operand): Tensor {
  checkMask("maskedFill", mask);
  const others = typeof value === "number" ? [mask] : [mask, value];
  for (const other of others) {
    if (shapesEqual(broadcastShapes("maskedFill", x.shape, other.shape), x.shape)) continue;
    throw new ShapeError(
      `maskedFill: the ${other === mask ? "mask" : "value"} is ${formatShape(other.shape)}, but x is ${formatShape(x.shape)}; it must broadcast to x.`,
      { x: x.shape, other: other.shape },
    );
  }
  // A number takes the dtype of x, as in a write; beside bool `where` would make it i32.
  const source =
    typeof value === "number" && x.dtype !== "f32"
      ? fullLike({ shape: [], dtype: x.dtype, backend: x.backend }, value)
      : value;
  return choose(mask, source, x);
}
