/** @file Quantiles and medians: by a stable sort, so that they have gradients. */
import { ValueError } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";
import { asReal, nonEmptyAxes } from "./aggregate.js";
import { add, mul, sub } from "./arithmetic.js";
import { where as choose } from "./compare.js";
import { stack } from "./concat.js";
import { keptShape, mergeAxes, type ReduceOptions } from "./expand-sum.js";
import { isNaN as areNaN } from "./logic.js";
import { reshape } from "./reshape.js";
import { select } from "./slice.js";
import { sort } from "./sort.js";

export type Interpolation = "linear" | "lower" | "higher" | "nearest" | "midpoint";

export interface QuantileOptions extends ReduceOptions {
  /** What stands for a quantile between two elements. Default "linear". */
  readonly interpolation?: Interpolation;
}

const positions: Readonly<Record<Interpolation, (place: number) => number>> = {
  linear: (place) => place,
  lower: Math.floor,
  higher: Math.ceil,
  nearest: (place) => (place % 1 === 0.5 ? 2 * Math.round(place / 2) : Math.round(place)),
  midpoint: (place) => (Math.floor(place) + Math.ceil(place)) / 2,
};

/**
 * The element below which the share q of all elements lies, q in 0..1; NaN if there is one. A list of q answers one more dim in front.
 * @shape x [a, K], axis 1 -> [a]; with a list of n -> [n, a]
 * @throws {ValueError} E_VALUE for q outside 0..1; {ShapeError} E_SHAPE when the axes are empty; {DTypeError} E_DTYPE for i32.
 * @source numpy.quantile, torch.quantile
 * @example
 * quantile(tensor([1, 2, 3, 4]), [0, 0.5]).toArraySync(); // => [1, 2.5]
 */
export function quantile(
  x: Tensor,
  q: number | readonly number[],
  axis?: number | readonly number[],
  { interpolation = "linear", keepDims = false }: QuantileOptions = {},
): Tensor {
  const list = typeof q === "number" ? [q] : q;
  const wrong = list.find((share) => !(share >= 0 && share <= 1));
  if (wrong !== undefined) throw new ValueError(`quantile: q is ${wrong}; it must be in 0..1.`, { q: wrong });
  const positionOf = positions[interpolation];
  if (positionOf === undefined) {
    throw new ValueError(
      `quantile: interpolation is ${JSON.stringify(interpolation)}; it must be one of ${Object.keys(positions).join(", ")}.`,
      { interpolation },
    );
  }
  const axes = nonEmptyAxes("quantile", x, axis);
  const real = asReal("quantile", x);
  const merged = axes.length === 0 ? { x: reshape(real, [...x.shape, 1]), axis: x.numDims } : mergeAxes(real, axes);
  const { values } = sort(merged.x, { axis: merged.axis });
  const last = merged.x.shape[merged.axis]! - 1;
  const shape = keepDims ? keptShape(x.shape, axes) : x.shape.filter((_, i) => !axes.includes(i));
  const hasNaN = areNaN(select(values, merged.axis, last));
  const found = list.map((share) => {
    const place = positionOf(share * last);
    const low = select(values, merged.axis, Math.floor(place));
    const weight = place - Math.floor(place);
    const between = weight === 0 ? low : between2(low, select(values, merged.axis, Math.ceil(place)), weight);
    return reshape(choose(hasNaN, Number.NaN, between), shape);
  });
  return typeof q === "number" ? found[0]! : stack(found);
}

/** From the nearer side, so that weight 1 would give `high` itself. */
function between2(low: Tensor, high: Tensor, weight: number): Tensor {
  const step = sub(high, low);
  return weight < 0.5 ? add(low, mul(step, weight)) : sub(high, mul(step, 1 - weight));
}

/** quantile at q / 100. @shape as quantile @throws as `quantile` @source numpy.percentile */
export function percentile(
  x: Tensor,
  q: number | readonly number[],
  axis?: number | readonly number[],
  options: QuantileOptions = {},
): Tensor {
  return quantile(x, typeof q === "number" ? q / 100 : q.map((share) => share / 100), axis, options);
}

/** The middle element, or the mean of the two in the middle. @shape as sum @throws as `quantile` @source numpy.median (torch.median takes the lower one) */
export function median(x: Tensor, axis?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  return quantile(x, 0.5, axis, options);
}
