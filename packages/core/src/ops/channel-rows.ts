/**
 * @file Images as rows of their channels: one value a channel against every position, and sums over all positions of a channel.
 *
 * Legend: B batch, C channels, P positions of an image.
 */
import type { Backend, TensorView } from "../backend/backend.js";
import { add, input } from "../expr/expr.js";
import { elementwiseProgram } from "../expr/program.js";
import { contiguousStrides, numElements } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";

/** [B, C, ...] contiguous -> [B * C, P]. */
export function asChannelRows(x: TensorView): TensorView {
  const rows = x.shape[0]! * x.shape[1]!;
  const width = numElements(x.shape.slice(2));
  return { buffer: x.buffer, offset: x.offset, dtype: x.dtype, shape: [rows, width], strides: [width, 1] };
}

/** `values` [n] repeated to one value a row: [outer * n * inner], row (o, i, k) has values[i]. */
export function repeatRows(values: Tensor, repeat: { readonly outer: number; readonly inner: number }): Tensor {
  const shape = [repeat.outer, values.size, repeat.inner];
  const out = Tensor.allocate(values.backend, [numElements(shape)], "f32", "exact");
  const { buffer, offset, dtype } = values;
  const to = { buffer: out.buffer, offset: out.offset, dtype, shape, strides: contiguousStrides(shape) };
  values.backend.kernels.copy({ buffer, offset, dtype, shape, strides: [0, 1, 0] }, to);
  return out;
}

/** One value a row, seen as [rows, width]. */
export function asColumn({ buffer, offset, dtype, shape }: TensorView, width: number): TensorView {
  return { buffer, offset, dtype, shape: [numElements(shape), width], strides: [1, 0] };
}

const addTwo = elementwiseProgram("addBias", ["f32", "f32"], [add(input(0), input(1))]);

/** x[b, c, p] += bias[c], in place. */
export function addChannelBias(backend: Backend, x: TensorView, bias: Tensor): void {
  const rows = asChannelRows(x);
  if (numElements(rows.shape) === 0) return;
  const repeated = repeatRows(bias, { outer: x.shape[0]!, inner: 1 });
  backend.elementwise(addTwo, [rows, asColumn(repeated, rows.shape[1]!)], [], [rows]);
  repeated.dispose();
}
