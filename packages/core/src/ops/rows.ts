/** @file A contiguous tensor seen as rows of its last dim: what row kernels (softmax, layerNorm, ...) take. */
import type { TensorView } from "../backend/backend.js";

/** [..., C] -> [N, C]; contiguous input only. */
export function asRows({ buffer, offset, dtype, shape }: TensorView): TensorView {
  const width = shape[shape.length - 1]!;
  let rows = 1;
  for (let i = 0; i < shape.length - 1; i++) rows *= shape[i]!;
  return { buffer, offset, dtype, shape: [rows, width], strides: [width, 1] };
}

/** Any shape -> [n]; contiguous input only. */
export function asFlat({ buffer, offset, dtype, shape }: TensorView): TensorView {
  let count = 1;
  for (const size of shape) count *= size;
  return { buffer, offset, dtype, shape: [count], strides: [1] };
}
