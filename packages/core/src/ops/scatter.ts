/** @file scatter and indexPut: torch's names for writes at indices, answered as a changed copy. */
import { DTypeError, ShapeError } from "../errors.js";
import { formatShape, normalizeAxis, shapesEqual } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { add, mul } from "./arithmetic.js";
import { addAt, setAt } from "./at.js";
import { axisViewOf } from "./axis.js";
import { contiguous } from "./copy.js";
import { checkIndices } from "./index-range.js";
import { reshape } from "./reshape.js";
import { putRowsOp } from "./take-rows.js";
import { indicesBeside } from "./wrap-indices.js";

/**
 * x with `source` written at `index` along an axis; of several values at one place the last stays, and only it gets a gradient.
 * @shape x [a, K, b], index (i32, 0..K-1) and source [a, J, b], axis 1 -> [a, K, b]
 * @throws {ValueError} E_INDEX_RANGE; {ShapeError} E_SHAPE; {DTypeError} E_DTYPE
 * @source torch.scatter, not in place, and index must have the other dims of x
 * @example
 * const index = tensor([[2, 0]], { dtype: "i32" });
 * zeros([1, 3]).scatter(1, { index, source: tensor([[5, 6]]) }).toArraySync(); // => [[6, 0, 5]]
 */
export function scatter(
  x: Tensor,
  axis: number,
  { index, source }: { readonly index: Tensor; readonly source: Tensor },
): Tensor {
  const at = normalizeAxis("scatter", axis, x.numDims);
  if (
    !shapesEqual(index.shape, source.shape) ||
    index.numDims !== x.numDims ||
    !shapesEqual(index.shape.with(at, 0), x.shape.with(at, 0))
  ) {
    throw new ShapeError(
      `scatter: index is ${formatShape(index.shape)} and source ${formatShape(source.shape)}, but x is ${formatShape(x.shape)}; index and source must be equal, and equal to x in all dims but axis ${axis}.`,
      { index: index.shape, source: source.shape, x: x.shape, axis },
    );
  }
  const { outer, axisLength, inner } = axisViewOf(x.shape, at);
  if (index.dtype !== "i32")
    throw new DTypeError(`scatter: index is ${index.dtype}; it must be i32. Use cast("i32").`, { dtype: index.dtype });
  checkIndices("scatter", index, { limit: axisLength, code: "E_INDEX_RANGE", what: "the index" });
  const firsts = Int32Array.from(
    { length: outer * inner },
    (_, i) => Math.floor(i / inner) * axisLength * inner + (i % inner),
  );
  const columns = reshape(index, [outer, index.shape[at]!, inner]);
  const places = add(mul(columns, inner), indicesBeside(x, firsts, [outer, 1, inner]));
  const rows = putRowsOp.apply(
    [reshape(x, [x.size, 1]), reshape(contiguous(places), [index.size]), reshape(source, [source.size, 1])],
    undefined,
  )[0]!;
  return reshape(rows, x.shape);
}

export interface IndexPutOptions {
  /** Adds the values, all of them where a place is named twice. Default false: the last value stays. */
  readonly accumulate?: boolean;
}

/**
 * x with `values` written at index tensors of its leading dims: `setAt`, or with `accumulate` `addAt`, of these indices.
 * @shape x [a, b, c], two indices of [p], values broadcast to [p, c] -> [a, b, c]
 * @throws as `setAt`
 * @source torch.index_put, not in place
 */
export function indexPut(
  x: Tensor,
  indices: readonly Tensor[],
  values: Tensor | number,
  { accumulate = false }: IndexPutOptions = {},
): Tensor {
  return accumulate ? addAt(x, indices, values) : setAt(x, indices, values);
}
