/** @file gather along an axis, scatterAdd (its vjp, and the other way round), indexSelect. */
import { DTypeError, ShapeError } from "../errors.js";
import { formatShape, normalizeAxis } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural, type StructuralOp } from "./apply.js";
import { add } from "./arithmetic.js";
import { type AxisAttrs, axisViewOf } from "./axis.js";
import type { ReferenceArray, TensorSpec } from "./contract.js";
import { contiguous } from "./copy.js";
import { expand } from "./expand-sum.js";
import { checkIndices } from "./index-range.js";
import { reshape } from "./reshape.js";
import { i32Values, integers, normal } from "./samples.js";

export interface ScatterAttrs extends AxisAttrs {
  /** Size of the result along the axis. */
  readonly size: number;
}

function checkGather(
  where: string,
  { shape: x, index }: { shape: readonly number[]; index: TensorSpec },
  axis: number,
): void {
  if (index.dtype !== "i32")
    throw new DTypeError(`${where}: index is ${index.dtype}; it must be i32.`, { dtype: index.dtype });
  if (index.shape.length !== x.length || index.shape.some((size, i) => i !== axis && size !== x[i])) {
    throw new ShapeError(
      `${where}: index is ${formatShape(index.shape)}, but the tensor is ${formatShape(x)}; all dims but axis ${axis} must be equal.`,
      { index: index.shape, x, axis },
    );
  }
}

/** For element i of the index, the flat place in the tensor of `shape`. */
function placeOf(index: ReferenceArray, shape: readonly number[], axis: number): (i: number) => number {
  const { axisLength, inner } = axisViewOf(shape, axis);
  const indexLength = index.shape[axis]!;
  return (i) => {
    const outer = Math.floor(i / (indexLength * inner));
    return (outer * axisLength + index.values[i]!) * inner + (i % inner);
  };
}

export const gatherOp: StructuralOp<AxisAttrs> = defineStructural<AxisAttrs>({
  name: "gather",
  shapeRule: ([x, index], { axis }) => {
    checkGather("gather", { shape: x!.shape, index: index! }, axis);
    return [{ shape: index!.shape, dtype: x!.dtype }];
  },
  reference: ([x, index], { axis }) => {
    const place = placeOf(index!, x!.shape, axis);
    return [{ shape: index!.shape, values: index!.values.map((_, i) => x!.values[place(i)]!) }];
  },
  run: (backend, [x, index], [out], { axis }) =>
    backend.kernels.gather(x!, index!, { ...axisViewOf(x!.shape, axis), indexLength: index!.shape[axis]! }, out!),
  vjp: {
    saves: { inputs: [1] },
    pull: ({ inputs: [, index], inputShapes, attrs: { axis } }, dOut) => [
      scatterAddOp.apply([index!, dOut], { axis, size: inputShapes[0]![axis]! })[0],
      undefined,
    ],
  },
  samples: [
    { name: "columns, repeated", inputs: [normal([3, 5]), i32Values([4, 0, 1, 1, 2, 2], [3, 2])], attrs: { axis: 1 } },
    { name: "rows", inputs: [normal([4, 3]), integers([6, 3], 0, 4)], attrs: { axis: 0 } },
    { name: "middle", inputs: [normal([2, 5, 3]), integers([2, 2, 3], 0, 5)], attrs: { axis: 1 } },
  ],
});

/** Inputs index and source of one shape: zeros with the source added at the index along the axis. */
export const scatterAddOp: StructuralOp<ScatterAttrs> = defineStructural<ScatterAttrs>({
  name: "scatterAdd",
  shapeRule: ([index, source], { axis, size }) => {
    checkGather("scatterAdd", { shape: source!.shape, index: index! }, axis);
    if (source!.dtype !== "f32" || source!.shape[axis] !== index!.shape[axis]) {
      throw new ShapeError(
        `scatterAdd: source is ${formatShape(source!.shape)} ${source!.dtype}, index ${formatShape(index!.shape)}; source must be f32 and have the shape of index.`,
        { source: source!.shape, index: index!.shape },
      );
    }
    return [{ shape: source!.shape.with(axis, size), dtype: "f32" }];
  },
  reference: ([index, source], { axis, size }) => {
    const shape = source!.shape.with(axis, size);
    const values = new Float64Array(shape.reduce((a, b) => a * b, 1));
    const place = placeOf(index!, shape, axis);
    source!.values.forEach((value, i) => {
      values[place(i)]! += value;
    });
    return [{ shape, values }];
  },
  run: (backend, [index, source], [out], { axis }) =>
    backend.kernels.scatterAdd(
      index!,
      source!,
      { ...axisViewOf(out!.shape, axis), indexLength: index!.shape[axis]! },
      out!,
    ),
  vjp: {
    saves: { inputs: [0] },
    pull: ({ inputs: [index], attrs: { axis } }, dOut) => [undefined, gatherOp.apply([dOut, index!], { axis })[0]],
  },
  reductionLength: ([index], { axis }) => index![axis]!,
  samples: [
    {
      name: "columns, repeated",
      inputs: [i32Values([4, 0, 1, 1, 2, 2], [3, 2]), normal([3, 2])],
      attrs: { axis: 1, size: 5 },
    },
    { name: "rows", inputs: [integers([6, 3], 0, 4), normal([6, 3])], attrs: { axis: 0, size: 4 } },
  ],
});

/**
 * out[..., j, ...] = x[..., index[..., j, ...], ...] along an axis.
 * @shape x [a, K, b], index [a, J, b] (i32, 0..K-1), axis 1 -> [a, J, b]
 * @throws {ValueError} E_INDEX_RANGE; {ShapeError} E_SHAPE
 * @source torch.gather, but index must have the other dims of x
 */
export function gather(x: Tensor, axis: number, index: Tensor): Tensor {
  const at = normalizeAxis("gather", axis, x.numDims);
  if (index.dtype === "i32")
    checkIndices("gather", index, { limit: x.shape[at]!, code: "E_INDEX_RANGE", what: "the index" });
  return gatherOp.apply([x, index], { axis: at })[0]!;
}

/**
 * x with `source` added at `index` along an axis; repeated places add up in ascending order.
 * @shape x [a, K, b], index and source [a, J, b], axis 1 -> [a, K, b]
 * @throws {ValueError} E_INDEX_RANGE; {ShapeError} E_SHAPE
 * @source torch.scatter_add, not in place
 */
export function scatterAdd(
  x: Tensor,
  axis: number,
  { index, source }: { readonly index: Tensor; readonly source: Tensor },
): Tensor {
  const at = normalizeAxis("scatterAdd", axis, x.numDims);
  const size = x.shape[at]!;
  if (index.dtype === "i32")
    checkIndices("scatterAdd", index, { limit: size, code: "E_INDEX_RANGE", what: "the index" });
  return add(x, scatterAddOp.apply([index, source], { axis: at, size })[0]!);
}

/** Places `ids` of an axis, in that order. @shape x [a, K, b], ids [J], axis 1 -> [a, J, b] @source torch.index_select */
export function indexSelect(x: Tensor, axis: number, ids: Tensor): Tensor {
  const at = normalizeAxis("indexSelect", axis, x.numDims);
  if (ids.numDims !== 1)
    throw new ShapeError(`indexSelect: ids are ${formatShape(ids.shape)}; they must have one dim.`, { ids: ids.shape });
  const column = reshape(
    ids,
    x.shape.map((_, i) => (i === at ? ids.size : 1)),
  );
  return gather(x, at, contiguous(expand(column, x.shape.with(at, ids.size))));
}
