/** @file Reductions made of sums and extremes: counts, truth, products, norms, averages. Axes and keepDims as in `sum`. */

import { withBackend } from "../backend/current-backend.js";
import { DTypeError, ShapeError, ValueError } from "../errors.js";
import { full, fullLike } from "../tensor/create.js";
import { formatShape, normalizeAxis, shapesEqual } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural } from "./apply.js";
import { abs, add, div, mul, square, sub } from "./arithmetic.js";
import { type AxisAttrs, axisViewOf, reducedShape, reduceReference } from "./axis.js";
import { cast, where as choose, eq, gt, ne } from "./compare.js";
import { keptShape, mergeAxes, normalizeAxes, type ReduceOptions, sum } from "./expand-sum.js";
import { isFinite as areFinite, isNaN as areNaN, logicalNot } from "./logic.js";
import { exp, log, pow, sqrt } from "./math.js";
import { max, min, type VarianceOptions, variance } from "./reduce.js";
import { reshape } from "./reshape.js";
import { i32Values, integers } from "./samples.js";
import { cumProd } from "./scan.js";
import { select } from "./slice.js";

type Axes = number | readonly number[] | undefined;

/** f32 as it is, u8 and bool as f32. @throws {DTypeError} E_DTYPE for i32, which f32 cannot hold. */
export function asReal(where: string, x: Tensor): Tensor {
  if (x.dtype !== "i32") return cast(x, "f32");
  throw new DTypeError(`${where}: x is i32; it must be f32, u8 or bool. Use cast("f32").`, { dtype: x.dtype });
}

/** The axes as a list. @throws {ShapeError} E_AXIS; E_SHAPE when they hold no elements. */
export function nonEmptyAxes(where: string, x: Tensor, axis: Axes): number[] {
  const axes = normalizeAxes(where, axis, x.numDims);
  if (axes.some((a) => x.shape[a] === 0)) {
    throw new ShapeError(`${where}: x is ${formatShape(x.shape)}; the axes ${formatShape(axes)} must not be empty.`, {
      x: x.shape,
      axes,
    });
  }
  return axes;
}

/** Product of i32, u8 or bool over one axis of [outer, K, inner], i32. */
export const integerProdOp = defineStructural<AxisAttrs>({
  name: "integerProd",
  shapeRule: ([x], { axis }) => [{ shape: reducedShape(x!.shape, axis), dtype: "i32" }],
  reference: ([x], { axis }) => [reduceReference(x!, axis, (values) => values.reduce((a, b) => a * b, 1))],
  run: ({ kernels }, [x], [out], { axis }) => kernels.reduceIntegers("prod", x!, axisViewOf(x!.shape, axis), out!),
  vjp: { notDifferentiable: "integers have no gradient" },
  samples: [
    { name: "rows", inputs: [integers([3, 7], -4, 5)], attrs: { axis: 1 } },
    { name: "columns", inputs: [integers([5, 3], 1, 5)], attrs: { axis: 0 } },
    { name: "length zero", inputs: [i32Values([], [2, 0])], attrs: { axis: 1 } },
  ],
});

/**
 * Product of elements; of no elements 1. Of i32, u8 and bool it is i32, modulo 2^32. The gradient is exact where elements are 0.
 * @shape as sum
 * @numerics f64 over ascending index, rounded once.
 * @source numpy.prod
 * @example
 * prod(tensor([[1, 2], [3, 4]]), 1).toArraySync(); // => [2, 12]
 */
export function prod(x: Tensor, axis?: Axes, options: ReduceOptions = {}): Tensor {
  const axes = normalizeAxes("prod", axis, x.numDims);
  const shape = options.keepDims ? keptShape(x.shape, axes) : x.shape.filter((_, i) => !axes.includes(i));
  if (axes.length === 0) return x.dtype === "f32" ? x : cast(x, "i32");
  const merged = mergeAxes(x, axes);
  if (x.dtype !== "f32") return reshape(integerProdOp.apply([merged.x], { axis: merged.axis })[0]!, shape);
  if (merged.x.shape[merged.axis] === 0) return fullLike({ shape, dtype: "f32", backend: x.backend }, 1);
  return reshape(select(cumProd(merged.x, merged.axis), merged.axis, -1), shape);
}

/** How many elements are not 0, i32; NaN is not 0. @shape as sum @source numpy.count_nonzero */
export function countNonzero(x: Tensor, axis?: Axes, options: ReduceOptions = {}): Tensor {
  return sum(x.dtype === "bool" ? x : ne(x, 0), axis, options);
}
/** Whether an element is not 0, bool; of no elements false. @shape as sum @source numpy.any */
export function any(x: Tensor, axis?: Axes, options: ReduceOptions = {}): Tensor {
  return gt(countNonzero(x, axis, options), 0);
}
/** Whether no element is 0, bool; of no elements true. @shape as sum @source numpy.all */
export function all(x: Tensor, axis?: Axes, options: ReduceOptions = {}): Tensor {
  return eq(sum(eq(x, 0), axis, options), 0);
}

/**
 * log(sum(e^x)), without overflow: the largest element is subtracted first.
 * @shape as sum
 * @throws {ShapeError} E_SHAPE when the axes are empty.
 * @source torch.logsumexp, scipy.special.logsumexp
 */
export function logSumExp(x: Tensor, axis?: Axes, options: ReduceOptions = {}): Tensor {
  const axes = nonEmptyAxes("logSumExp", x, axis);
  if (axes.length === 0) return x;
  const largest = max(x.detach(), axes, { keepDims: true });
  const shift = choose(areFinite(largest), largest, 0);
  const out = add(log(sum(exp(sub(x, shift)), axes, { keepDims: true })), shift);
  return options.keepDims
    ? out
    : reshape(
        out,
        x.shape.filter((_, i) => !axes.includes(i)),
      );
}

/** Root of `variance`, with the same options. @shape as sum @source torch.std; numpy.std is that with correction 0 */
export function std(x: Tensor, axis?: Axes, options: VarianceOptions = {}): Tensor {
  return sqrt(variance(x, axis, options));
}

export interface VectorNormOptions extends ReduceOptions {
  /** p of the p-norm; Infinity, -Infinity and 0 (how many are not 0) too. Default 2, of which "fro" is the name for matrices. */
  readonly ord?: number | "fro";
}

/** sqrt whose gradient at 0 is 0. */
function safeSqrt(x: Tensor): Tensor {
  const isZero = eq(x, 0);
  return choose(isZero, 0, sqrt(choose(isZero, 1, x)));
}

/**
 * (sum |x|^p)^(1/p) over all elements of the axes: over two axes the Frobenius norm, not the spectral one. The gradient of the 2-norm at 0 is 0.
 * @shape as sum
 * @throws {ValueError} E_VALUE for another `ord`; {ShapeError} E_SHAPE for the largest of nothing.
 * @source torch.linalg.vector_norm
 * @example
 * norm(tensor([[3, 4], [6, 8]]), 1).toArraySync(); // => [5, 10]
 */
export function norm(x: Tensor, axis?: Axes, { ord = 2, ...options }: VectorNormOptions = {}): Tensor {
  const real = asReal("norm", x);
  if (ord === 2 || ord === "fro") return safeSqrt(sum(square(real), axis, options));
  if (typeof ord !== "number" || Number.isNaN(ord)) {
    throw new ValueError(`norm: ord is ${ord}; it must be a number or "fro".`, { ord });
  }
  if (ord === 0) return cast(countNonzero(real, axis, options), "f32");
  const size = abs(real);
  if (ord === 1) return sum(size, axis, options);
  if (!Number.isFinite(ord)) {
    const axes = nonEmptyAxes("norm", x, axis);
    return ord > 0 ? max(size, axes, options) : min(size, axes, options);
  }
  return pow(sum(pow(size, ord), axis, options), 1 / ord);
}

export interface AverageOptions extends ReduceOptions {
  /** Shape of x, or [K] for one axis of length K. Default: all 1. */
  readonly weights?: Tensor;
}

/**
 * sum(x * weights) / sum(weights). Not finite where the weights add up to 0.
 * @shape x [a, K], axis 1, weights [a, K] or [K] -> [a]
 * @throws {ShapeError} E_SHAPE when the weights have another shape.
 * @source numpy.average
 * @example
 * average(tensor([1, 2]), 0, { weights: tensor([3, 1]) }).itemSync(); // => 1.25
 */
export function average(x: Tensor, axis?: Axes, { weights, ...options }: AverageOptions = {}): Tensor {
  const real = asReal("average", x);
  const ones = withBackend(x.backend, () => full([], 1));
  const wide = weights === undefined ? ones.expand(x.shape) : weightsOf(real, axis, weights);
  return div(sum(mul(real, wide), axis, options), sum(wide, axis, options));
}

function weightsOf(x: Tensor, axis: Axes, weights: Tensor): Tensor {
  const real = asReal("average", weights);
  if (shapesEqual(weights.shape, x.shape)) return real;
  const at = typeof axis === "number" ? normalizeAxis("average", axis, x.numDims) : undefined;
  if (at === undefined || !shapesEqual(weights.shape, [x.shape[at]!])) {
    throw new ShapeError(
      `average: the weights are ${formatShape(weights.shape)}, but x is ${formatShape(x.shape)} and axis ${String(axis)}; they must have the shape of x, or of the one axis.`,
      { weights: weights.shape, x: x.shape, axis },
    );
  }
  return reshape(
    real,
    x.shape.map((size, i) => (i === at ? size : 1)),
  ).expand(x.shape);
}

/** Sum of the elements that are not NaN. @shape as sum @source numpy.nansum */
export function nanSum(x: Tensor, axis?: Axes, options: ReduceOptions = {}): Tensor {
  return sum(choose(areNaN(x), 0, x), axis, options);
}
/** Mean of the elements that are not NaN; NaN where there is none. @shape as sum @source numpy.nanmean */
export function nanMean(x: Tensor, axis?: Axes, options: ReduceOptions = {}): Tensor {
  const count = sum(logicalNot(areNaN(x)), axis, options);
  return div(nanSum(asReal("nanMean", x), axis, options), cast(count, "f32"));
}
