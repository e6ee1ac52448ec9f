/**
 * @file Ops as methods of Tensor: `x.matmul(w).relu()`. Each is the function of the same name with the tensor as first argument.
 * Importing this file adds them; core's index does.
 */
import { type BackwardOptions, backward } from "../autograd/backward.js";
import { ShapeError } from "../errors.js";
import type { DType } from "../tensor/dtype.js";
import type { Shape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import type {
  AddcOptions,
  AverageOptions,
  BincountOptions,
  ClosenessOptions,
  DiagOptions,
  DiagonalOptions,
  DiffOptions,
  Histogram,
  HistogramOptions,
  Index,
  IndexPutOptions,
  NanToNum,
  Operand,
  PadOptions,
  PadWidth,
  QuantileOptions,
  ReduceOptions,
  SliceRange,
  Sorted,
  SortOptions,
  TopKOptions,
  Unique,
  VarianceOptions,
  VectorNormOptions,
} from "./index.js";
import * as ops from "./index.js";

type Axes = number | readonly number[];

export interface TensorMethods {
  add(y: Operand): Tensor;
  sub(y: Operand): Tensor;
  mul(y: Operand): Tensor;
  div(y: Operand): Tensor;
  maximum(y: Operand): Tensor;
  minimum(y: Operand): Tensor;
  lt(y: Operand): Tensor;
  le(y: Operand): Tensor;
  gt(y: Operand): Tensor;
  ge(y: Operand): Tensor;
  eq(y: Operand): Tensor;
  ne(y: Operand): Tensor;
  neg(): Tensor;
  abs(): Tensor;
  square(): Tensor;
  sqrt(): Tensor;
  exp(): Tensor;
  log(): Tensor;
  tanh(): Tensor;
  erf(): Tensor;
  sin(): Tensor;
  cos(): Tensor;
  floor(): Tensor;
  pow(exponent: number): Tensor;
  ceil(): Tensor;
  sign(): Tensor;
  trunc(): Tensor;
  acosh(): Tensor;
  asinh(): Tensor;
  atanh(): Tensor;
  cosh(): Tensor;
  exp2(): Tensor;
  expm1(): Tensor;
  log1p(): Tensor;
  log2(): Tensor;
  log10(): Tensor;
  sinh(): Tensor;
  softplus(options?: { readonly beta?: number }): Tensor;
  acos(): Tensor;
  asin(): Tensor;
  atan(): Tensor;
  tan(): Tensor;
  isFinite(): Tensor;
  isInf(): Tensor;
  isNaN(): Tensor;
  logicalNot(): Tensor;
  reciprocal(): Tensor;
  rsqrt(): Tensor;
  fmod(y: Operand): Tensor;
  floorDivide(y: Operand): Tensor;
  remainder(y: Operand): Tensor;
  logicalAnd(y: Operand): Tensor;
  logicalOr(y: Operand): Tensor;
  logicalXor(y: Operand): Tensor;
  atan2(y: Operand): Tensor;
  hypot(y: Operand): Tensor;
  round(decimals?: number): Tensor;
  nanToNum(options?: NanToNum): Tensor;
  lerp(y: Operand, weight: Operand): Tensor;
  addcmul(a: Tensor, b: Tensor, options?: AddcOptions): Tensor;
  addcdiv(a: Tensor, b: Tensor, options?: AddcOptions): Tensor;
  sigmoid(): Tensor;
  silu(): Tensor;
  relu(): Tensor;
  gelu(options?: { readonly approximate?: "none" | "tanh" }): Tensor;
  clip(low: number | null, high: number | null): Tensor;
  diff(options?: DiffOptions): Tensor;
  cast(dtype: DType): Tensor;
  matmul(b: Tensor): Tensor;
  softmax(axis?: number): Tensor;
  logSoftmax(axis?: number): Tensor;
  sum(axis?: Axes, options?: ReduceOptions): Tensor;
  mean(axis?: Axes, options?: ReduceOptions): Tensor;
  max(axis?: Axes, options?: ReduceOptions): Tensor;
  min(axis?: Axes, options?: ReduceOptions): Tensor;
  variance(axis?: Axes, options?: VarianceOptions): Tensor;
  prod(axis?: Axes, options?: ReduceOptions): Tensor;
  any(axis?: Axes, options?: ReduceOptions): Tensor;
  all(axis?: Axes, options?: ReduceOptions): Tensor;
  countNonzero(axis?: Axes, options?: ReduceOptions): Tensor;
  logSumExp(axis?: Axes, options?: ReduceOptions): Tensor;
  std(axis?: Axes, options?: VarianceOptions): Tensor;
  norm(axis?: Axes, options?: VectorNormOptions): Tensor;
  average(axis?: Axes, options?: AverageOptions): Tensor;
  nanSum(axis?: Axes, options?: ReduceOptions): Tensor;
  nanMean(axis?: Axes, options?: ReduceOptions): Tensor;
  median(axis?: Axes, options?: ReduceOptions): Tensor;
  quantile(q: Axes, axis?: Axes, options?: QuantileOptions): Tensor;
  isClose(y: Operand, options?: ClosenessOptions): Tensor;
  argMax(axis?: number): Tensor;
  argMin(axis?: number): Tensor;
  reshape(shape: Shape): Tensor;
  flatten(start?: number, end?: number): Tensor;
  squeeze(axis?: number): Tensor;
  unsqueeze(axis: number): Tensor;
  permute(axes: readonly number[]): Tensor;
  transpose(axis0?: number, axis1?: number): Tensor;
  expand(shape: Shape): Tensor;
  broadcastTo(shape: Shape): Tensor;
  slice(ranges: readonly (SliceRange | null)[]): Tensor;
  narrow(axis: number, start: number, length: number): Tensor;
  select(axis: number, index: number): Tensor;
  split(sizes: Axes, axis?: number): readonly Tensor[];
  gather(axis: number, index: Tensor): Tensor;
  scatterAdd(axis: number, where: { readonly index: Tensor; readonly source: Tensor }): Tensor;
  indexSelect(axis: number, ids: Tensor): Tensor;
  contiguous(): Tensor;
  copy(): Tensor;
  at(...indices: Index[]): Tensor;
  setAt(indices: readonly Index[], values: Tensor | number): Tensor;
  addAt(indices: readonly Index[], values: Tensor | number): Tensor;
  take(ids: Tensor, axis?: number): Tensor;
  takeAlong(ids: Tensor, axis: number): Tensor;
  scatter(axis: number, where: { readonly index: Tensor; readonly source: Tensor }): Tensor;
  indexPut(indices: readonly Tensor[], values: Tensor | number, options?: IndexPutOptions): Tensor;
  chunk(count: number, axis?: number): readonly Tensor[];
  pad(widths: number | readonly PadWidth[], options?: PadOptions): Tensor;
  flip(axis?: Axes): Tensor;
  roll(shift: Axes, axis?: Axes): Tensor;
  tile(repeats: Axes): Tensor;
  repeatInterleave(repeats: Axes, axis?: number): Tensor;
  swapAxes(axis0: number, axis1: number): Tensor;
  moveAxis(source: Axes, destination: Axes): Tensor;
  expandDims(axis: Axes): Tensor;
  tril(options?: DiagOptions): Tensor;
  triu(options?: DiagOptions): Tensor;
  diag(options?: DiagOptions): Tensor;
  diagonal(options?: DiagonalOptions): Tensor;
  trace(options?: DiagonalOptions): Tensor;
  outer(y: Tensor): Tensor;
  sort(options?: SortOptions): Sorted;
  argSort(options?: SortOptions): Tensor;
  topK(k: number, options?: TopKOptions): Sorted;
  cumSum(axis?: number): Tensor;
  cumProd(axis?: number): Tensor;
  unique(): Unique;
  nonzero(): Tensor;
  maskedSelect(mask: Tensor): Tensor;
  maskedFill(mask: Tensor, value: Operand): Tensor;
  bincount(options?: BincountOptions): Tensor;
  histogram(options?: HistogramOptions): Histogram;
  /** The parts along the first axis, as views. @throws {ShapeError} E_SHAPE when there is no axis. */
  [Symbol.iterator](): IterableIterator<Tensor>;
  /** Adds d this / d leaf to `.grad` of every leaf that requires grad. See autograd/backward.ts. */
  backward(options?: BackwardOptions): void;
}

declare module "../tensor/tensor.js" {
  interface Tensor extends TensorMethods {}
}

function rowsOf(x: Tensor): IterableIterator<Tensor> {
  if (x.numDims === 0) {
    throw new ShapeError("iterate: the tensor is [], a single number; it must have an axis to go along. Use item().", {
      shape: x.shape,
    });
  }
  return Array.from({ length: x.shape[0]! }, (_, i) => ops.select(x, 0, i)).values();
}

type Function_ = (x: Tensor, ...rest: never[]) => unknown;

const methods = {
  ...pick("add", "sub", "mul", "div", "maximum", "minimum", "lt", "le", "gt", "ge", "eq", "ne"),
  ...pick("neg", "abs", "square", "sqrt", "exp", "log", "tanh", "erf", "sin", "cos", "floor", "pow"),
  ...pick("sigmoid", "silu", "relu", "gelu", "clip", "cast", "matmul", "softmax", "logSoftmax"),
  ...pick("sum", "mean", "max", "min", "variance", "argMax", "argMin"),
  ...pick("reshape", "flatten", "squeeze", "unsqueeze", "permute", "transpose", "expand"),
  ...pick("slice", "narrow", "select", "split", "gather", "scatterAdd", "indexSelect", "contiguous", "copy"),
  ...pick("at", "setAt", "addAt", "take", "takeAlong", "scatter", "indexPut", "chunk", "pad"),
  ...pick("flip", "roll", "tile", "repeatInterleave", "swapAxes", "moveAxis", "expandDims"),
  ...pick("tril", "triu", "diag", "diagonal", "trace", "outer", "sort", "argSort", "topK"),
  ...pick("cumSum", "cumProd", "unique", "bincount", "histogram"),
  ...pick("nonzero", "maskedSelect", "maskedFill"),
  ...pick("ceil", "sign", "trunc", "acosh", "asinh", "atanh", "cosh", "exp2"),
  ...pick("expm1", "log1p", "log2", "log10", "sinh", "softplus", "acos", "asin"),
  ...pick("atan", "tan", "isFinite", "isInf", "isNaN", "logicalNot", "reciprocal", "rsqrt"),
  ...pick("fmod", "floorDivide", "remainder", "logicalAnd", "logicalOr", "logicalXor", "atan2", "hypot"),
  ...pick("round", "nanToNum", "lerp", "addcmul", "addcdiv"),
  ...pick("prod", "any", "all", "countNonzero", "logSumExp", "std", "norm", "average", "nanSum", "nanMean"),
  ...pick("median", "quantile", "isClose", "diff"),
  [Symbol.iterator]: rowsOf,
  broadcastTo: ops.expand,
  backward,
} satisfies {
  readonly [Name in keyof TensorMethods]: (
    x: Tensor,
    ...rest: Parameters<TensorMethods[Name]>
  ) => ReturnType<TensorMethods[Name]>;
};

function pick<Name extends keyof typeof ops>(...names: Name[]): Pick<typeof ops, Name> {
  // biome-ignore lint/performance/noDynamicNamespaceImportAccess: methods are made of the list above, none is left out
  return Object.fromEntries(names.map((name) => [name, ops[name]])) as Pick<typeof ops, Name>;
}

for (const name of Reflect.ownKeys(methods) as (keyof typeof methods)[]) {
  const op = methods[name] as unknown as Function_;
  Object.defineProperty(Tensor.prototype, name, {
    configurable: true,
    writable: true,
    value: function (this: Tensor, ...rest: never[]) {
      return op(this, ...rest);
    },
  });
}

export { Tensor };
