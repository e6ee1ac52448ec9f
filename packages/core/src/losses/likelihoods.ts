/** @file Negative log-likelihoods of counts (Poisson) and of measurements (Gaussian). */

import { ShapeError } from "../errors.js";
import { add, div, maximum, mul, square, sub } from "../ops/arithmetic.js";
import { where as choose, gt } from "../ops/compare.js";
import { sum } from "../ops/expand-sum.js";
import { exp, log } from "../ops/math.js";
import { formatShape, shapesEqual } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { assertAlike, assertElements, assertFloats, assertOption } from "./loss-checks.js";
import type { LossSum } from "./loss-sum.js";

const twoPi = 6.283185307179586;
const halfLogTwoPi = 0.9189385332046727;

export interface PoissonNllOptions {
  /** The prediction is the logarithm of the rate. Default true. */
  readonly logInput?: boolean;
  /** Adds Stirling's approximation of log(target!) for targets above 1. Default false. */
  readonly full?: boolean;
  /** Added to the rate before its logarithm is taken, without logInput; > 0. Default 1e-8. */
  readonly eps?: number;
}

/**
 * Negative log-likelihood of counts under a Poisson distribution.
 *
 *   sum    = sum of ( logInput: e^x - target * x, else: x - target * log(x + eps) )
 *   weight = number of elements
 *
 * @shape prediction, target of one shape -> scalar
 * @throws {ShapeError} E_SHAPE if the shapes differ. {DTypeError} E_DTYPE unless both are f32. {ValueError} E_TARGET_RANGE with the first
 *   negative target; E_VALUE unless eps > 0.
 * @source torch.nn.functional.poisson_nll_loss(reduction="sum").
 * @example
 * losses.poissonNllLoss(tensor([0, 0]), tensor([1, 2])).sum.itemSync(); // => 2
 */
export function poissonNllLoss(prediction: Tensor, target: Tensor, options: PoissonNllOptions = {}): LossSum {
  const { logInput = true, full = false, eps = 1e-8 } = options;
  assertAlike("poissonNllLoss", { prediction, target });
  assertOption("poissonNllLoss", ["eps", eps], "> 0");
  assertElements("poissonNllLoss", ["the target", target], { rule: ">= 0", holds: (value) => value >= 0 });
  const terms = logInput
    ? sub(exp(prediction), mul(target, prediction))
    : sub(prediction, mul(target, log(add(prediction, eps))));
  return { sum: sum(full ? add(terms, stirling(target)) : terms), weight: prediction.size };
}

/** t log t - t + log(2 pi t) / 2 above 1, else 0. */
function stirling(target: Tensor): Tensor {
  const isLarge = gt(target, 1);
  const t = choose(isLarge, target, 1);
  return choose(isLarge, add(sub(mul(t, log(t)), t), mul(log(mul(t, twoPi)), 0.5)), 0);
}

export interface GaussianNllOptions {
  /** Adds log(2 pi) / 2 for each element. Default false. */
  readonly full?: boolean;
  /** Least variance that is counted with, > 0. Default 1e-6. */
  readonly eps?: number;
}

/**
 * Negative log-likelihood of measurements under normal distributions of predicted mean and variance. With v = max(variance, eps):
 *
 *   sum    = sum of ( log(v) + (prediction - target)^2 / v ) / 2
 *   weight = number of elements
 *
 * @shape prediction, target of one shape; variance of that shape, or with a last dim of 1 -> scalar
 * @numerics The bound eps passes gradients on as if it were not there, so that a variance below it can grow again.
 * @throws {ShapeError} E_SHAPE if the shapes do not fit. {DTypeError} E_DTYPE unless all are f32. {ValueError} E_TARGET_RANGE with the first
 *   negative variance; E_VALUE unless eps > 0.
 * @source torch.nn.functional.gaussian_nll_loss(reduction="sum"), with its treatment of eps; Nix and Weigend 1994.
 * @example
 * losses.gaussianNllLoss(tensor([1]), tensor([3]), tensor([1])).sum.itemSync(); // => 2
 */
export function gaussianNllLoss(
  prediction: Tensor,
  target: Tensor,
  variance: Tensor,
  { full = false, eps = 1e-6 }: GaussianNllOptions = {},
): LossSum {
  const where = "gaussianNllLoss";
  assertAlike(where, { prediction, target });
  assertFloats(where, { variance });
  assertOption(where, ["eps", eps], "> 0");
  const isOneARow =
    prediction.numDims > 0 && shapesEqual(variance.shape, prediction.shape.with(prediction.numDims - 1, 1));
  if (!isOneARow && !shapesEqual(variance.shape, prediction.shape)) {
    throw new ShapeError(
      `${where}: variance is ${formatShape(variance.shape)}, but prediction is ${formatShape(prediction.shape)}; it must be that, or that with a last dim of 1.`,
      { variance: variance.shape, prediction: prediction.shape },
    );
  }
  assertElements(where, ["the variance", variance], { rule: ">= 0", holds: (value) => value >= 0 });
  const fixed = variance.detach();
  const bounded = add(variance, sub(maximum(fixed, eps), fixed));
  const terms = add(log(bounded), div(square(sub(prediction, target)), bounded));
  const constant = full ? halfLogTwoPi * prediction.size : 0;
  return { sum: add(mul(sum(terms), 0.5), constant), weight: prediction.size };
}
