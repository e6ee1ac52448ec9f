/** @file Losses that grow with the size of the error, not with its square: l1Loss, and those that are round at 0. */
import { abs, div, sub } from "../ops/arithmetic.js";
import { huberTerms } from "../ops/elementwise-losses.js";
import { sum } from "../ops/expand-sum.js";
import type { Tensor } from "../tensor/tensor.js";
import { assertAlike, assertOption } from "./loss-checks.js";
import type { LossSum } from "./loss-sum.js";

/**
 * Absolute error: sum = sum of |prediction - target|, weight = number of elements. Its gradient where they are equal is 0.
 *
 * @shape prediction, target of one shape -> scalar
 * @throws {ShapeError} E_SHAPE if the shapes differ. {DTypeError} E_DTYPE unless both are f32.
 * @source torch.nn.functional.l1_loss(reduction="sum").
 * @example
 * losses.l1Loss(tensor([1, 2]), tensor([0, 4])).sum.itemSync(); // => 3
 */
export function l1Loss(prediction: Tensor, target: Tensor): LossSum {
  assertAlike("l1Loss", { prediction, target });
  return { sum: sum(abs(sub(prediction, target))), weight: prediction.size };
}

export interface HuberOptions {
  /** Size of the error from which on the loss is a straight line. Default 1. */
  readonly delta?: number;
}

/**
 * Squared error near 0, absolute error far from it. With d = |prediction - target|:
 *
 *   sum    = sum of ( d <= delta ? d^2 / 2 : delta * (d - delta / 2) )
 *   weight = number of elements
 *
 * @shape prediction, target of one shape -> scalar
 * @throws {ShapeError} E_SHAPE if the shapes differ. {DTypeError} E_DTYPE unless both are f32. {ValueError} E_VALUE unless delta > 0.
 * @source torch.nn.functional.huber_loss(reduction="sum"); Huber 1964.
 * @example
 * losses.huberLoss(tensor([0.5, 3]), tensor([0, 0])).sum.itemSync(); // => 2.625
 */
export function huberLoss(prediction: Tensor, target: Tensor, { delta = 1 }: HuberOptions = {}): LossSum {
  assertAlike("huberLoss", { prediction, target });
  assertOption("huberLoss", ["delta", delta], "> 0");
  return { sum: sum(huberTerms(prediction, target, delta)), weight: prediction.size };
}

export interface SmoothL1Options {
  /** Size of the error from which on the loss is a straight line of slope 1. Default 1. */
  readonly beta?: number;
}

/**
 * huberLoss(delta = beta) / beta, so that the far slope is 1; beta = 0 is l1Loss. The weight is the number of elements.
 *
 * @shape prediction, target of one shape -> scalar
 * @throws {ShapeError} E_SHAPE if the shapes differ. {DTypeError} E_DTYPE unless both are f32. {ValueError} E_VALUE unless beta >= 0.
 * @source torch.nn.functional.smooth_l1_loss(reduction="sum"); Girshick 2015, Fast R-CNN.
 * @example
 * losses.smoothL1Loss(tensor([0.5, 3]), tensor([0, 0]), { beta: 2 }).sum.itemSync(); // => 2.0625
 */
export function smoothL1Loss(prediction: Tensor, target: Tensor, { beta = 1 }: SmoothL1Options = {}): LossSum {
  assertAlike("smoothL1Loss", { prediction, target });
  assertOption("smoothL1Loss", ["beta", beta], ">= 0");
  if (beta === 0) return l1Loss(prediction, target);
  return { sum: div(sum(huberTerms(prediction, target, beta)), beta), weight: prediction.size };
}
