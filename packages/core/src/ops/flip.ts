/** @file flip: axes backwards. */
import { contiguousStrides } from "../tensor/shape.js";
import type { Layout, Tensor } from "../tensor/tensor.js";
import { defineStructural, type StructuralOp } from "./apply.js";
import { normalizeAxes } from "./expand-sum.js";
import { referenceFrom } from "./reference-arrays.js";
import { i32Values, normal } from "./samples.js";

export interface FlipAttrs {
  readonly axes: readonly number[];
}

/** The window walked backwards along `axes`: strides below zero, which only the source of a copy may have. */
function backwards({ offset, shape, strides }: Layout, axes: readonly number[]): Layout {
  const start = axes.reduce((at, axis) => at + Math.max(0, shape[axis]! - 1) * strides[axis]!, offset);
  return { offset: start, shape, strides: strides.map((stride, axis) => (axes.includes(axis) ? -stride : stride)) };
}

export const flipOp: StructuralOp<FlipAttrs> = defineStructural<FlipAttrs>({
  name: "flip",
  layout: "any",
  shapeRule: ([x]) => [x!],
  reference: ([x], { axes }) => {
    const { shape, values } = x!;
    const counts = contiguousStrides(shape);
    const mirror = (i: number, axis: number) => shape[axis]! - 1 - 2 * (Math.floor(i / counts[axis]!) % shape[axis]!);
    return [referenceFrom(shape, (i) => values[axes.reduce((at, axis) => at + mirror(i, axis) * counts[axis]!, i)]!)];
  },
  run: (backend, [x], [out], { axes }) =>
    backend.kernels.copy({ buffer: x!.buffer, dtype: x!.dtype, ...backwards(x!, axes) }, out!),
  vjp: { pull: ({ attrs }, dOut) => flipOp.apply([dOut], attrs) },
  samples: [
    { name: "rows", inputs: [normal([4, 7])], attrs: { axes: [0] } },
    { name: "columns", inputs: [normal([5, 37])], attrs: { axes: [1] } },
    { name: "first and last of three", inputs: [normal([3, 4, 5])], attrs: { axes: [0, 2] } },
    { name: "all", inputs: [normal([33, 65])], attrs: { axes: [0, 1] }, checkVjp: false },
    { name: "integers", inputs: [i32Values([1, 2, 3])], attrs: { axes: [0] } },
    { name: "empty", inputs: [normal([0, 3])], attrs: { axes: [0, 1] } },
  ],
});

/**
 * The axes backwards; all of them without `axis`. A copy.
 * @shape [a, b] -> [a, b]
 * @source torch.flip, numpy.flip
 * @example
 * tensor([[1, 2], [3, 4]]).flip(1).toArraySync(); // => [[2, 1], [4, 3]]
 */
export function flip(x: Tensor, axis?: number | readonly number[]): Tensor {
  const axes = normalizeAxes("flip", axis, x.numDims);
  return flipOp.apply([x], { axes })[0]!;
}
