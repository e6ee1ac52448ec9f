/** @file Brings a matrix near to the nearest one with orthogonal rows or columns, by products alone. */
import type { Backend, TensorView } from "../backend/backend.js";
import { add, input, mul, scalar } from "../expr/expr.js";
import { elementwiseProgram } from "../expr/program.js";

const scaleProgram = elementwiseProgram("scaleBy", ["f32"], [mul(input(0), scalar(0))], 1);
const mixProgram = elementwiseProgram(
  "mixTwo",
  ["f32", "f32"],
  [add(mul(scalar(0), input(0)), mul(scalar(1), input(1)))],
  2,
);

const normEps = 1e-7;
/** Of the quintic a x + b x^3 + c x^5, chosen for its slope at 0. */
const [a, b, c] = [3.4445, -4.775, 2.0315];

/**
 * x := the quintic iteration of Newton and Schulz on x / |x|, in place: singular values go to about 0.7..1.2, singular vectors stay.
 *
 *   A = X X^T; X = a X + (b A + c A A) X
 *
 * @param x contiguous [R, C], f32. The shorter side is the one that is squared: R > C works on the transpose.
 * @numerics The norm is f64, on a GPU f32; products add over ascending k, in the backend's numeric class.
 * @source Jordan et al. 2024 (Muon), its coefficients.
 */
export function orthogonalise(backend: Backend, x: TensorView, numIterations: number): void {
  const [rows, columns] = x.shape as [number, number];
  const [n, k] = [Math.min(rows, columns), Math.max(rows, columns)];
  const matrix = (height: number, width: number): TensorView => {
    const buffer = backend.allocate(4 * height * width);
    return { buffer, offset: 0, shape: [height, width], strides: [width, 1], dtype: "f32" };
  };
  const { kernels } = backend;
  const [flat, moved, square, fourth] = [matrix(n, k), matrix(n, k), matrix(n, n), matrix(n, n)];
  try {
    const norm = backend.late === undefined ? Math.sqrt(kernels.sumSquares([x])) : undefined;
    kernels.copy(rows > columns ? transposed(x) : x, flat);
    if (norm === undefined) backend.late!.normalize(flat, normEps);
    else backend.elementwise(scaleProgram, [flat], [1 / (norm + normEps)], [flat]);
    for (let i = 0; i < numIterations; i++) {
      kernels.matmul(flat, transposed(flat), square, {});
      kernels.matmul(square, square, fourth, {});
      backend.elementwise(mixProgram, [square, fourth], [b, c], [square]);
      kernels.matmul(square, flat, moved, {});
      backend.elementwise(mixProgram, [flat, moved], [a, 1], [flat]);
    }
    kernels.copy(rows > columns ? transposed(flat) : flat, x);
  } finally {
    for (const { buffer } of [flat, moved, square, fourth]) backend.free(buffer);
  }
}

function transposed({ buffer, offset, shape, strides, dtype }: TensorView): TensorView {
  return { buffer, offset, shape: [shape[1]!, shape[0]!], strides: [strides[1]!, strides[0]!], dtype };
}
