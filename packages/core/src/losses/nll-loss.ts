import { mul, neg } from "../ops/arithmetic.js";
import { sum } from "../ops/expand-sum.js";
import type { Tensor } from "../tensor/tensor.js";
import { classTargets, keptOnly, rowWeights, targetScores } from "./class-targets.js";
import type { ClassWeights } from "./loss-checks.js";
import type { LossSum } from "./loss-sum.js";

export interface NllOptions {
  /** Positions with this target add nothing and are not counted. Default -100. */
  readonly ignoreIndex?: number;
  /** [C], finite and >= 0: multiplies what each class adds. Default: none. */
  readonly classWeights?: ClassWeights;
}

/**
 * Negative log-likelihood: cross-entropy of what logSoftmax gives.
 *
 *   sum    = sum over kept positions of -w[target] * logProbs[target], w = classWeights
 *   weight = sum over kept positions of w[target]: their number without classWeights
 *
 * @shape logProbs [..., C], targets [...] (i32, 0..C-1 or `ignoreIndex`) -> scalar
 * @throws {ShapeError} E_SHAPE if targets are not the leading dims of logProbs, or classWeights are not C numbers. {DTypeError} E_DTYPE.
 *   {ValueError} E_TARGET_RANGE with the first bad position; E_VALUE for a negative class weight.
 * @source torch.nn.functional.nll_loss(reduction="sum"); its classes are dim 1, here the last.
 * @example
 * losses.nllLoss(tensor([[-1, -2]]), tensor([1], { dtype: "i32" })).sum.itemSync(); // => 2
 */
export function nllLoss(
  logProbs: Tensor,
  targets: Tensor,
  { ignoreIndex = -100, classWeights }: NllOptions = {},
): LossSum {
  const classes = classTargets("nllLoss", logProbs, { targets, ignoreIndex });
  const kept = keptOnly(classes, neg(targetScores(classes)));
  if (classWeights === undefined) return { sum: sum(kept), weight: classes.numKept };
  const { byRow, total } = rowWeights("nllLoss", classes, classWeights);
  return { sum: sum(mul(kept, byRow)), weight: total };
}
