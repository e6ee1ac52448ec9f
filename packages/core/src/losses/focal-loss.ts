/** @file Focal losses: cross-entropies that count less where the model is already right. */

import { ValueError } from "../errors.js";
import { add, mul } from "../ops/arithmetic.js";
import { crossEntropyRows } from "../ops/cross-entropy.js";
import { focalTerms, sigmoidFocalTerms } from "../ops/elementwise-losses.js";
import { sum } from "../ops/expand-sum.js";
import type { Tensor } from "../tensor/tensor.js";
import { classTargets, rowWeights } from "./class-targets.js";
import { assertAlike, assertElements, assertOption, type ClassWeights } from "./loss-checks.js";
import type { LossSum } from "./loss-sum.js";

export interface FocalOptions {
  /** Exponent, >= 0; 0 is cross-entropy. Default 2. */
  readonly gamma?: number;
  /** Positions with this target add nothing and are not counted. Default -100. */
  readonly ignoreIndex?: number;
  /** [C], finite and >= 0: the paper's alpha of each class. They do not change the weight. Default: none. */
  readonly classWeights?: ClassWeights;
}

/**
 * Focal loss of integer targets under a softmax over the last dim.
 *
 *   sum    = sum over kept positions of -alpha[target] * (1 - p)^gamma * log p, p = softmax(logits)[target]
 *   weight = number of kept positions
 *
 * @shape logits [..., C], targets [...] (i32, 0..C-1 or `ignoreIndex`) -> scalar
 * @numerics 1 - p keeps its digits where p is nearly 1.
 * @throws {ShapeError} E_SHAPE; {DTypeError} E_DTYPE; {ValueError} E_TARGET_RANGE with the first bad position, E_VALUE unless gamma >= 0.
 * @source Lin et al. 2017, equation 5, with a softmax for the sigmoid.
 * @example
 * losses.focalLoss(tensor([[0, 0]]), tensor([1], { dtype: "i32" }), { gamma: 0 }).sum.itemSync(); // => 0.6931471824645996
 */
export function focalLoss(
  logits: Tensor,
  targets: Tensor,
  { gamma = 2, ignoreIndex = -100, classWeights }: FocalOptions = {},
): LossSum {
  assertOption("focalLoss", ["gamma", gamma], ">= 0");
  const classes = classTargets("focalLoss", logits, { targets, ignoreIndex });
  const rows = focalTerms(crossEntropyRows(logits, targets, ignoreIndex).losses, gamma);
  const weighted = classWeights === undefined ? rows : mul(rows, rowWeights("focalLoss", classes, classWeights).byRow);
  return { sum: sum(weighted), weight: classes.numKept };
}

export interface SigmoidFocalOptions {
  /** Exponent, >= 0; 0 is cross-entropy. Default 2. */
  readonly gamma?: number;
  /** Multiplies the loss of targets 1, and 1 - alpha that of targets 0; undefined leaves both. Default 0.25. */
  readonly alpha?: number | undefined;
}

/**
 * Focal loss of independent yes-or-no targets under a sigmoid.
 *
 *   sum    = sum of -alpha * (1 - p)^gamma * log p, p the probability given to the target, alpha 1 - alpha for targets 0
 *   weight = number of elements
 *
 * @shape logits, targets of one shape, targets 0 or 1 (f32) -> scalar
 * @numerics The power is taken of logarithms: finite for logits of any size.
 * @throws {ShapeError} E_SHAPE if the shapes differ. {DTypeError} E_DTYPE unless both are f32. {ValueError} E_TARGET_RANGE with the first
 *   target that is neither 0 nor 1; E_VALUE unless gamma >= 0 and alpha in 0..1.
 * @source torchvision.ops.sigmoid_focal_loss(reduction="sum"), with the same defaults; Lin et al. 2017, equation 5.
 * @example
 * losses.sigmoidFocalLoss(tensor([0, 0]), tensor([0, 1])).sum.itemSync(); // => 0.1732867956161499
 */
export function sigmoidFocalLoss(logits: Tensor, targets: Tensor, options: SigmoidFocalOptions = {}): LossSum {
  const { gamma = 2 } = options;
  const alpha = "alpha" in options ? options.alpha : 0.25;
  assertAlike("sigmoidFocalLoss", { logits, targets });
  assertOption("sigmoidFocalLoss", ["gamma", gamma], ">= 0");
  if (alpha !== undefined && !(alpha >= 0 && alpha <= 1)) {
    throw new ValueError(`sigmoidFocalLoss: alpha is ${alpha}; it must be in 0..1, or undefined.`, { alpha });
  }
  assertElements("sigmoidFocalLoss", ["the target", targets], {
    rule: "0 or 1",
    holds: (value) => value === 0 || value === 1,
  });
  const fixed = targets.detach();
  const terms = sigmoidFocalTerms(logits, fixed, gamma);
  const weighted = alpha === undefined ? terms : mul(terms, add(mul(fixed, 2 * alpha - 1), 1 - alpha));
  return { sum: sum(weighted), weight: logits.size };
}
