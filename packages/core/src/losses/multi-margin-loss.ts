import { ValueError } from "../errors.js";
import { relu } from "../ops/activations.js";
import { add, div, mul, square, sub } from "../ops/arithmetic.js";
import { where as choose, eq } from "../ops/compare.js";
import { sum } from "../ops/expand-sum.js";
import { reshape } from "../ops/reshape.js";
import { countBeside } from "../ops/wrap-indices.js";
import type { Tensor } from "../tensor/tensor.js";
import { classTargets, rowWeights, targetScores } from "./class-targets.js";
import { assertOption, type ClassWeights } from "./loss-checks.js";
import type { LossSum } from "./loss-sum.js";

export interface MultiMarginOptions {
  /** By how much the target's score must be the largest, >= 0. Default 1. */
  readonly margin?: number;
  /** Exponent of each term. Default 1. */
  readonly p?: 1 | 2;
  /** [C], finite and >= 0: multiplies the loss of each target. They do not change the weight. Default: none. */
  readonly classWeights?: ClassWeights;
}

/**
 * Hinge loss of several classes.
 *
 *   sum    = sum over positions of w[y] / C * sum over classes c != y of max(0, margin - scores[y] + scores[c])^p, y the target
 *   weight = number of positions
 *
 * @shape scores [..., C], targets [...] (i32, 0..C-1) -> scalar
 * @throws {ShapeError} E_SHAPE; {DTypeError} E_DTYPE; {ValueError} E_TARGET_RANGE with the first bad position, E_VALUE for a negative margin
 *   or a p that is neither 1 nor 2.
 * @source torch.nn.functional.multi_margin_loss(reduction="sum"); Crammer and Singer 2001, with a sum for the maximum.
 * @example
 * losses.multiMarginLoss(tensor([[1, 0.5]]), tensor([0], { dtype: "i32" })).sum.itemSync(); // => 0.25
 */
export function multiMarginLoss(scores: Tensor, targets: Tensor, options: MultiMarginOptions = {}): LossSum {
  const { margin = 1, p = 1, classWeights } = options;
  assertOption("multiMarginLoss", ["margin", margin], ">= 0");
  if (p !== 1 && p !== 2) throw new ValueError(`multiMarginLoss: p is ${p}; it must be 1 or 2.`, { p });
  const classes = classTargets("multiMarginLoss", scores, { targets });
  const { rows } = classes;
  const [numRows, numClasses] = rows.shape as [number, number];
  const own = reshape(targetScores(classes), [numRows, 1]);
  const misses = relu(add(sub(rows, own), margin)); // [N, C]
  const isOwn = eq(countBeside(rows, numClasses), reshape(classes.targets, [numRows, 1]));
  const others = choose(isOwn, 0, p === 1 ? misses : square(misses));
  const byRow = div(sum(others, -1), numClasses);
  const weights = classWeights && rowWeights("multiMarginLoss", classes, classWeights);
  return { sum: sum(weights === undefined ? byRow : mul(byRow, weights.byRow)), weight: numRows };
}
