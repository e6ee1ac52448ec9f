/** @file take, takeAlong: elements by integer indices, negative ones from the end. */
import { ShapeError } from "../errors.js";
import { broadcastShapes, formatShape, normalizeAxis } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { contiguous } from "./copy.js";
import { expand } from "./expand-sum.js";
import { gatherOp } from "./gather.js";
import { permute } from "./permute.js";
import { reshape } from "./reshape.js";
import { takeRowsOp } from "./take-rows.js";
import { wrapIndices } from "./wrap-indices.js";

/**
 * The elements (or, along an axis, the slices) at `ids`, which may be of any shape; negative ones count from the end. Without an axis
 * x is taken as flat. The gradient adds up where an index is repeated.
 * @shape x [a, K, b], ids [p, q] (i32), axis 1 -> [a, p, q, b]; without an axis -> [p, q]
 * @throws {ValueError} E_INDEX_RANGE with the first index outside; {DTypeError} E_DTYPE
 * @source numpy.take (torch.take without an axis)
 * @example
 * tensor([10, 20, 30]).take(tensor([2, 0, -1], { dtype: "i32" })).toArraySync(); // => [30, 10, 30]
 */
export function take(x: Tensor, ids: Tensor, axis?: number): Tensor {
  if (axis === undefined) return reshape(takeFlat(reshape(x, [x.size, 1]), ids), ids.shape);
  const at = normalizeAxis("take", axis, x.numDims);
  const rest = x.shape.toSpliced(at, 1);
  const front = at === 0 ? x : permute(x, [at, ...x.shape.map((_, i) => i).filter((i) => i !== at)]);
  const rows = reshape(front, [x.shape[at]!, rest.reduce((a, b) => a * b, 1)]);
  const taken = reshape(takeFlat(rows, ids), [...ids.shape, ...rest]);
  if (at === 0) return taken;
  const index = ids.shape.map((_, i) => i);
  const others = rest.map((_, i) => ids.numDims + i);
  return permute(taken, [...others.slice(0, at), ...index, ...others.slice(at)]);
}

function takeFlat(rows: Tensor, ids: Tensor): Tensor {
  const flat = reshape(wrapIndices("take", ids, rows.shape[0]!), [ids.size]);
  return takeRowsOp.apply([rows, flat], undefined)[0]!;
}

/**
 * out[..., j, ...] = x[..., ids[..., j, ...], ...] along an axis; negative indices count from the end, and the other dims of x and ids
 * broadcast. What argSort and argMax answer fits in.
 * @shape x [a, K], ids [a, J] (i32), axis 1 -> [a, J]
 * @throws {ValueError} E_INDEX_RANGE; {ShapeError} E_SHAPE when the dims do not fit; {DTypeError} E_DTYPE
 * @source numpy.take_along_axis, torch.take_along_dim
 * @example
 * const scores = tensor([[3, 1, 2]]);
 * scores.takeAlong(scores.argSort(), -1).toArraySync(); // => [[1, 2, 3]]
 */
export function takeAlong(x: Tensor, ids: Tensor, axis: number): Tensor {
  const at = normalizeAxis("takeAlong", axis, x.numDims);
  if (ids.numDims !== x.numDims) {
    throw new ShapeError(
      `takeAlong: ids are ${formatShape(ids.shape)}, but x is ${formatShape(x.shape)}; both must have the same number of dims.`,
      { ids: ids.shape, x: x.shape },
    );
  }
  const others = broadcastShapes("takeAlong", x.shape.with(at, 1), ids.shape.with(at, 1));
  const wrapped = wrapIndices("takeAlong", ids, x.shape[at]!);
  const index = contiguous(expand(wrapped, others.with(at, ids.shape[at]!)));
  return gatherOp.apply([expand(x, others.with(at, x.shape[at]!)), index], { axis: at })[0]!;
}
