/** @file Cross-entropy under a softmax, of integer targets and of targets that are probabilities. Legend: N rows, V classes. */
import { ValueError } from "../errors.js";
import { add, mul, neg } from "../ops/arithmetic.js";
import { where as choose, eq } from "../ops/compare.js";
import { crossEntropyRows } from "../ops/cross-entropy.js";
import { sum } from "../ops/expand-sum.js";
import { reshape } from "../ops/reshape.js";
import { logSoftmax } from "../ops/softmax.js";
import type { Tensor } from "../tensor/tensor.js";
import { classRows, classTargets, keptOnly, rowWeights, targetScores } from "./class-targets.js";
import { assertAlike, type ClassWeights, classWeightsBeside } from "./loss-checks.js";
import type { LossSum } from "./loss-sum.js";

export interface CrossEntropyOptions {
  /** Positions with this target add nothing and are not counted. Default -100. Of integer targets only. */
  readonly ignoreIndex?: number;
  /** [V], finite and >= 0: multiplies what each class adds. Default: none. */
  readonly classWeights?: ClassWeights;
  /** In 0..1: this share of each target goes to all V classes alike. Default 0. */
  readonly labelSmoothing?: number;
}

const where = "crossEntropy";

/**
 * Cross-entropy under a softmax over the last dim, of integer targets or, where targets are f32 of the shape of logits, of probabilities.
 *
 *   integers:      sum = sum over kept positions of -( (1 - s) w[target] log p[target] + s / V * sum over classes of w[c] log p[c] )
 *                  weight = sum over kept positions of w[target]: their number without classWeights
 *   probabilities: sum = sum over positions and classes of -( ((1 - s) target[c] + s / V) w[c] log p[c] )
 *                  weight = number of positions
 *
 * with p = softmax(logits), w = classWeights, s = labelSmoothing.
 *
 * @shape logits [..., V], targets [...] (i32, 0..V-1 or `ignoreIndex`) or [..., V] (f32) -> scalar
 * @numerics Row maximum is subtracted first. A probability of 0 adds 0, whatever its logit. The sum of classWeights is f64, over ascending
 *   positions. Probabilities are not checked to add up to 1.
 * @throws {ShapeError} E_SHAPE if targets are not the leading dims of logits, or classWeights are not V numbers. {ValueError}
 *   E_TARGET_RANGE with the first bad position; E_VALUE for a negative class weight or a labelSmoothing outside of 0..1.
 * @source torch.nn.functional.cross_entropy(weight, ignore_index, label_smoothing, reduction="sum"); its classes are dim 1, here the last.
 *   With weights the weight is what PyTorch's mean divides by. Szegedy et al. 2016, section 7, for label smoothing.
 * @example
 * losses.crossEntropy(tensor([[0, 0]]), tensor([1], { dtype: "i32" })).sum.itemSync(); // => 0.6931471824645996
 */
export function crossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): LossSum {
  const { ignoreIndex = -100, classWeights, labelSmoothing = 0 } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw new ValueError(`${where}: labelSmoothing is ${labelSmoothing}; it must be in 0..1.`, { labelSmoothing });
  }
  if (targets.dtype === "f32") return softCrossEntropy(logits, targets, options);
  if (labelSmoothing > 0) return smoothedCrossEntropy(logits, targets, options);
  if (classWeights === undefined) {
    const { losses, numKept } = crossEntropyRows(logits, targets, ignoreIndex);
    return { sum: sum(losses), weight: numKept };
  }
  const classes = classTargets(where, logits, { targets, ignoreIndex });
  const { byRow, total } = rowWeights(where, classes, classWeights);
  const { losses } = crossEntropyRows(logits, targets, ignoreIndex);
  return { sum: sum(mul(losses, byRow)), weight: total };
}

function smoothedCrossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions): LossSum {
  const { ignoreIndex = -100, classWeights, labelSmoothing = 0 } = options;
  const classes = classTargets(where, logits, { targets, ignoreIndex });
  const logProbs = logSoftmax(classes.rows); // [N, V]
  const numClasses = logProbs.shape[1]!;
  const ofTarget = targetScores({ ...classes, rows: logProbs });
  const weights = classWeights === undefined ? undefined : rowWeights(where, classes, classWeights);
  const one = weights === undefined ? ofTarget : mul(ofTarget, weights.byRow);
  const all = sum(weights === undefined ? logProbs : mul(logProbs, weights.byClass), -1);
  const rows = add(mul(one, labelSmoothing - 1), mul(all, -labelSmoothing / numClasses)); // [N]
  return { sum: sum(keptOnly(classes, rows)), weight: weights?.total ?? classes.numKept };
}

function softCrossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions): LossSum {
  const { classWeights, labelSmoothing = 0 } = options;
  assertAlike(where, { logits, targets });
  const logProbs = logSoftmax(classRows(where, logits)); // [N, V]
  const [numRows, numClasses] = logProbs.shape as [number, number];
  const given = reshape(targets, [numRows, numClasses]);
  const smoothed = labelSmoothing === 0 ? given : add(mul(given, 1 - labelSmoothing), labelSmoothing / numClasses);
  const weighted =
    classWeights === undefined
      ? logProbs
      : mul(logProbs, classWeightsBeside(where, logProbs, { weights: classWeights, numClasses }));
  return { sum: neg(sum(choose(eq(smoothed, 0), 0, mul(smoothed, weighted)))), weight: numRows };
}
