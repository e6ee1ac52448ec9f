/**
 * @file Sums and programs of channel-norm.ts on one tensor, seen as rows (b, c) of P positions.
 *
 * A statistic's sum adds its rows' sums: over images for "batch", over the channels of a group else. N elements a statistic.
 */
import type { Backend, TensorView } from "../backend/backend.js";
import type { AxisView } from "../backend/kernel-table.js";
import { add, div, type Expr, input, mul, scalar, sqrt, sub } from "../expr/expr.js";
import { type ElementwiseProgram, elementwiseProgram } from "../expr/program.js";
import { Tensor } from "../tensor/tensor.js";
import { asChannelRows, asColumn, repeatRows } from "./channel-rows.js";

function program(
  name: string,
  numInputs: number,
  build: (...inputs: Expr[]) => Expr,
  numScalars = 0,
): ElementwiseProgram {
  const inputs = Array.from({ length: numInputs }, (_, i) => input(i));
  return elementwiseProgram(name, new Array<"f32">(numInputs).fill("f32"), [build(...inputs)], numScalars);
}

const rstdOf = program("rstd", 1, (variance) => div(1, sqrt(add(variance!, scalar(0)))), 1);
const divide = program("divide", 1, (x) => div(x!, scalar(0)), 1);
const product = program("product", 2, (x, y) => mul(x!, y!));
const centredSquare = program("centredSquare", 2, (x, mean) => mul(sub(x!, mean!), sub(x!, mean!)));
const timesCentred = program("timesCentred", 3, (dy, x, mean) => mul(dy!, sub(x!, mean!)));
const affine = program("channelNorm", 4, (x, mean, scale, bias) => add(mul(sub(x!, mean!), scale!), bias!));
/** (dMean - rstd * sum(w dy)) / N */
const shiftOf = program("normShift", 3, (dMean, rstd, sum) => div(sub(dMean!, mul(rstd!, sum!)), scalar(0)), 1);
/** (2 dVariance - rstd^3 * sum(w dy (x - mean))) / N */
const slopeOf = program(
  "normSlope",
  3,
  (dVariance, rstd, sum) => div(sub(add(dVariance!, dVariance!), mul(mul(mul(rstd!, rstd!), rstd!), sum!)), scalar(0)),
  1,
);
/** dy * scale + shift + (x - mean) * slope */
const inputGradient = program("channelNormBackward", 6, (dy, x, mean, scale, shift, slope) =>
  add(add(mul(dy!, scale!), shift!), mul(sub(x!, mean!), slope!)),
);

export interface NormSaved {
  readonly means: Tensor;
  readonly variances: Tensor;
  readonly weight: Tensor;
  readonly eps: number;
}

export class ChannelStatistics {
  readonly #backend: Backend;
  /** [B * C, P] */
  readonly #x: TensorView;
  readonly #numImages: number;
  readonly #numChannels: number;
  /** Rows of a statistic, as `reduce` sees them. */
  readonly #rowsOfStatistic: AxisView;
  readonly #count: number;
  /** How a statistic is repeated over its rows. */
  readonly #repeat: { readonly outer: number; readonly inner: number };
  readonly #temporaries: Tensor[] = [];

  constructor(x: Tensor, groups: "batch" | number) {
    const [numImages, numChannels] = x.shape as [number, number];
    this.#backend = x.backend;
    this.#x = asChannelRows(x);
    this.#numImages = numImages;
    this.#numChannels = numChannels;
    const perGroup = groups === "batch" ? 1 : numChannels / groups;
    this.#rowsOfStatistic =
      groups === "batch"
        ? { outer: 1, axisLength: numImages, inner: numChannels }
        : { outer: numImages * groups, axisLength: perGroup, inner: 1 };
    this.#repeat = groups === "batch" ? { outer: numImages, inner: 1 } : { outer: 1, inner: perGroup };
    this.#count = this.#rowsOfStatistic.axisLength * this.#x.shape[1]!;
  }

  moments(means: Tensor, variances: Tensor): void {
    this.#statisticOf(this.#rowSums(this.#x), means);
    this.#run(divide, [means], { out: means, scalars: [this.#count] });
    const squares = this.#wide();
    this.#run(centredSquare, [this.#x, this.#column(this.#toRows(means))], { out: squares });
    this.#statisticOf(this.#rowSums(squares), variances);
    this.#run(divide, [variances], { out: variances, scalars: [this.#count] });
  }

  normalize(from: NormSaved & { readonly bias: Tensor }, out: Tensor): void {
    const scale = this.#product(this.#rstd(from), this.#channel(from.weight));
    const [mean, bias] = [this.#toRows(from.means), this.#channel(from.bias)];
    const columns = [mean, scale, bias].map((values) => this.#column(values));
    this.#run(affine, [this.#x, ...columns], { out: asChannelRows(out) });
  }

  backward(
    saved: NormSaved,
    cotangents: { readonly dy: Tensor; readonly dMeans: Tensor; readonly dVariances: Tensor },
    to: { readonly dx: Tensor; readonly dWeight: Tensor; readonly dBias: Tensor },
  ): void {
    const dy = asChannelRows(cotangents.dy);
    const [rstd, weight, mean] = [this.#rstd(saved), this.#channel(saved.weight), this.#toRows(saved.means)];
    const products = this.#wide();
    this.#run(timesCentred, [dy, this.#x, this.#column(mean)], { out: products });
    const [sums, centredSums] = [this.#rowSums(dy), this.#rowSums(products)];
    const overImages = { outer: 1, axisLength: this.#numImages, inner: this.#numChannels };
    this.#backend.kernels.reduce("sum", sums, overImages, to.dBias);
    this.#backend.kernels.reduce("sum", this.#product(centredSums, rstd), overImages, to.dWeight);
    const ofStatistic = (rows: Tensor): Tensor => {
      const statistic = this.#temporary(saved.means.shape);
      this.#statisticOf(this.#product(rows, weight), statistic);
      return this.#toRows(statistic);
    };
    const coefficient = (made: ElementwiseProgram, cotangent: Tensor, rows: Tensor): Tensor => {
      const out = this.#temporary(rows.shape);
      this.#run(made, [this.#toRows(cotangent), rstd, ofStatistic(rows)], { out, scalars: [this.#count] });
      return out;
    };
    const shift = coefficient(shiftOf, cotangents.dMeans, sums);
    const slope = coefficient(slopeOf, cotangents.dVariances, centredSums);
    const columns = [mean, this.#product(rstd, weight), shift, slope].map((values) => this.#column(values));
    this.#run(inputGradient, [dy, this.#x, ...columns], { out: asChannelRows(to.dx) });
  }

  dispose(): void {
    for (const tensor of this.#temporaries) tensor.dispose();
  }

  #temporary(shape: readonly number[]): Tensor {
    const made = Tensor.allocate(this.#backend, shape, "f32", "exact");
    this.#temporaries.push(made);
    return made;
  }

  #wide(): TensorView {
    return asChannelRows(this.#temporary([1, ...this.#x.shape]));
  }

  #column(rows: Tensor): TensorView {
    return asColumn(rows, this.#x.shape[1]!);
  }

  #run(
    made: ElementwiseProgram,
    inputs: readonly TensorView[],
    { out, scalars = [] }: { readonly out: TensorView; readonly scalars?: readonly number[] },
  ): void {
    this.#backend.elementwise(made, inputs, scalars, [out]);
  }

  /** Of values a row. */
  #product(x: Tensor, y: Tensor): Tensor {
    const out = this.#temporary([this.#x.shape[0]!]);
    this.#run(product, [x, y], { out });
    return out;
  }

  #rowSums(wide: TensorView): Tensor {
    const [rows, width] = wide.shape as [number, number];
    const out = this.#temporary([rows]);
    this.#backend.kernels.reduce("sum", wide, { outer: rows, axisLength: width, inner: 1 }, out);
    return out;
  }

  #statisticOf(rows: Tensor, out: Tensor): void {
    this.#backend.kernels.reduce("sum", rows, this.#rowsOfStatistic, out);
  }

  #toRows(statistic: Tensor): Tensor {
    return this.#repeated(statistic, this.#repeat);
  }

  /** The value of each row's channel. */
  #channel(values: Tensor): Tensor {
    return this.#repeated(values, { outer: this.#numImages, inner: 1 });
  }

  #rstd({ variances, eps }: NormSaved): Tensor {
    const out = this.#temporary(variances.shape);
    this.#run(rstdOf, [variances], { out, scalars: [eps] });
    return this.#toRows(out);
  }

  #repeated(values: Tensor, repeat: { readonly outer: number; readonly inner: number }): Tensor {
    const out = repeatRows(values, repeat);
    this.#temporaries.push(out);
    return out;
  }
}
