/**
 * @file rmsNorm over the last dim: x / sqrt(mean(x^2) + eps) * weight. Made of element-wise programs and reductions.
 * Legend: N flattened rows, C features.
 */
import type { Backend, TensorView } from "../backend/backend.js";
import { DTypeError, ShapeError } from "../errors.js";
import * as expr from "../expr/expr.js";
import { elementwiseProgram } from "../expr/program.js";
import { formatShape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { defineStructural } from "./apply.js";
import { add, div, mul, square } from "./arithmetic.js";
import { asContiguous, runBackwardKernel } from "./backward-kernel.js";
import type { ReferenceArray } from "./contract.js";
import { sqrt } from "./math.js";
import { mean } from "./reduce.js";
import { asRows } from "./rows.js";
import { normal } from "./samples.js";

const [in0, in1, in2, in3] = [0, 1, 2, 3].map((i) => expr.input(i)) as [expr.Expr, expr.Expr, expr.Expr, expr.Expr];
const f32s = (count: number) => new Array<"f32">(count).fill("f32");
const squareOf = elementwiseProgram("squares", f32s(1), [expr.mul(in0, in0)]);
/** 1 / sqrt(sum / C + eps) */
const rstdOf = elementwiseProgram(
  "rmsNormRstd",
  f32s(1),
  [expr.div(1, expr.sqrt(expr.add(expr.div(in0, expr.scalar(0)), expr.scalar(1))))],
  2,
);
/** x * rstd * weight; also dOut * x * rstd */
const productOf = elementwiseProgram("rmsNorm", f32s(3), [expr.mul(expr.mul(in0, in1), in2)]);
/** rstd^3 * sum / C */
const slopeOf = elementwiseProgram(
  "rmsNormSlope",
  f32s(2),
  [expr.div(expr.mul(expr.mul(expr.mul(in0, in0), in0), in1), expr.scalar(0))],
  1,
);
/** dOut * weight * rstd - x * slope */
const gradientOf = elementwiseProgram("rmsNormBackward", f32s(5), [
  expr.sub(expr.mul(expr.mul(in0, in1), in2), expr.mul(in3, expr.input(4))),
]);

export interface RmsNormAttrs {
  readonly eps: number;
}

/** Inputs x [..., C], weight [C]; outputs: the result, and 1 / root mean square of each row for the vjp. */
export const rmsNormOp = defineStructural<RmsNormAttrs>({
  name: "rmsNorm",
  numVisible: 1,
  shapeRule: ([x, weight]) => {
    const width = x!.shape.at(-1);
    if (x!.dtype !== "f32" || weight!.dtype !== "f32") {
      throw new DTypeError(`rmsNorm: x is ${x!.dtype} and weight is ${weight!.dtype}; both must be f32.`, {
        x: x!.dtype,
        weight: weight!.dtype,
      });
    }
    if (weight!.shape.length !== 1 || weight!.shape[0] !== width) {
      throw new ShapeError(
        `rmsNorm: weight has shape ${formatShape(weight!.shape)}, but x is ${formatShape(x!.shape)}; weight must have shape [${width}], the last dim of x.`,
        { x: x!.shape, weight: weight!.shape },
      );
    }
    return [x!, { shape: x!.shape.slice(0, -1), dtype: "f32", fidelity: "exact" }];
  },
  reference: ([x, weight], { eps }) => rmsNormReference(x!, weight!, eps),
  run: (backend, [x, weight], [out, rstd], { eps }) => {
    if (x!.size === 0) return;
    const rows = asRows(x!);
    const squares = Tensor.allocate(backend, rows.shape, "f32", "exact");
    backend.elementwise(squareOf, [rows], [], [squares]);
    const sums = rowSums(backend, squares);
    backend.elementwise(rstdOf, [sums], [rows.shape[1]!, eps], [{ ...viewOf(rstd!), shape: sums.shape, strides: [1] }]);
    backend.elementwise(productOf, [rows, perRow(rstd!, rows), perColumn(weight!, rows)], [], [asRows(out!)]);
    for (const temporary of [squares, sums]) temporary.dispose();
  },
  vjp: {
    saves: { inputs: [0, 1], outputs: [1] },
    pull: ({ inputs: [x, weight], outputs: [, rstd] }, dOut) => {
      const dy = asContiguous(dOut);
      const specs = { inputs: [dy, x!, weight!], outputs: [x!, weight!] };
      return runBackwardKernel("rmsNormBackward", specs, (backend, [dx, dWeight]) => {
        if (x!.size === 0) backend.kernels.fill(dWeight!, 0);
        else runBackward(backend, { dy, x: x!, weight: weight!, rstd: rstd! }, { dx: dx!, dWeight: dWeight! });
      });
    },
  },
  reductionLength: ([shape]) => shape!.at(-1)!,
  composite: ([x, weight], { eps }) => [
    mul(mul(x!, div(1, sqrt(add(mean(square(x!), -1, { keepDims: true }), eps)))), weight!),
  ],
  samples: [
    { name: "odd width", inputs: [normal([5, 7]), normal([7], 1, 0.2)], attrs: { eps: 1e-6 } },
    { name: "three dims", inputs: [normal([2, 3, 33]), normal([33], 1, 0.2)], attrs: { eps: 1e-6 } },
    { name: "mean far from zero", inputs: [normal([3, 65], 100, 1), normal([65])], attrs: { eps: 1e-6 } },
    { name: "many rows", inputs: [normal([300, 129]), normal([129])], attrs: { eps: 1e-6 }, checkVjp: false },
    { name: "no rows", inputs: [normal([0, 5]), normal([5])], attrs: { eps: 1e-6 } },
  ],
});

interface Saved {
  readonly dy: Tensor;
  readonly x: Tensor;
  readonly weight: Tensor;
  readonly rstd: Tensor;
}

function runBackward(backend: Backend, { dy, x, weight, rstd }: Saved, to: { dx: Tensor; dWeight: Tensor }): void {
  const rows = asRows(x);
  const [numRows, width] = rows.shape as [number, number];
  const products = Tensor.allocate(backend, rows.shape, "f32", "exact");
  backend.elementwise(productOf, [asRows(dy), rows, perColumn(weight, rows)], [], [products]);
  const sums = rowSums(backend, products);
  const slope = Tensor.allocate(backend, [numRows], "f32", "exact");
  backend.elementwise(slopeOf, [{ ...viewOf(rstd), shape: [numRows], strides: [1] }, sums], [width], [slope]);
  const columns = [perColumn(weight, rows), perRow(rstd, rows), rows, perRow(slope, rows)];
  backend.elementwise(gradientOf, [asRows(dy), ...columns], [], [asRows(to.dx)]);
  backend.elementwise(productOf, [asRows(dy), rows, perRow(rstd, rows)], [], [products]);
  backend.kernels.reduce("sum", products, { outer: 1, axisLength: numRows, inner: width }, to.dWeight);
  for (const temporary of [products, sums, slope]) temporary.dispose();
}

function rowSums(backend: Backend, rows: Tensor): Tensor {
  const [outer, axisLength] = rows.shape as [number, number];
  const sums = Tensor.allocate(backend, [outer], "f32", "exact");
  backend.kernels.reduce("sum", rows, { outer, axisLength, inner: 1 }, sums);
  return sums;
}

function viewOf({ buffer, offset, dtype }: TensorView): Pick<TensorView, "buffer" | "offset" | "dtype"> {
  return { buffer, offset, dtype };
}

function perRow(values: TensorView, { shape }: TensorView): TensorView {
  return { ...viewOf(values), shape, strides: [1, 0] };
}

function perColumn(values: TensorView, { shape }: TensorView): TensorView {
  return { ...viewOf(values), shape, strides: [0, 1] };
}

function rmsNormReference(x: ReferenceArray, weight: ReferenceArray, eps: number): readonly ReferenceArray[] {
  const width = weight.values.length;
  const rstds: number[] = [];
  for (let start = 0; start < x.values.length; start += width) {
    const row = x.values.subarray(start, start + width);
    rstds.push(1 / Math.sqrt(row.reduce((total, value) => total + value * value, 0) / width + eps));
  }
  const values = x.values.map((value, i) => value * rstds[Math.floor(i / width)]! * weight.values[i % width]!);
  return [
    { shape: x.shape, values },
    { shape: x.shape.slice(0, -1), values: Float64Array.from(rstds) },
  ];
}

/**
 * x / sqrt(mean(x^2) + eps) * weight over the last dim.
 * @shape x [..., C], weight [C] -> [..., C]
 * @throws {ShapeError} E_SHAPE, {DTypeError} E_DTYPE
 * @source Zhang and Sennrich 2019; torch.nn.functional.rms_norm over one dim, whose default eps is that of f32 as well.
 */
export function rmsNorm(x: Tensor, weight: Tensor, options: { readonly eps?: number } = {}): Tensor {
  return rmsNormOp.apply([x, weight], { eps: options.eps ?? 1.1920928955078125e-7 })[0]!;
}
