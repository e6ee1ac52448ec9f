import { ShapeError } from "../errors.js";
import { binaryCrossEntropyTerms } from "../ops/binary-cross-entropy.js";
import { sum } from "../ops/expand-sum.js";
import { formatShape, shapesEqual } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import type { LossSum } from "./loss-sum.js";

/**
 * Cross-entropy of independent yes-or-no targets under a sigmoid.
 *
 *   sum    = sum of ( log(1 + e^x) - x * target ), x the logit
 *   weight = number of elements
 *
 * @shape logits, targets of one shape, targets in [0, 1] -> scalar
 * @numerics Without overflow for logits of any size.
 * @throws {ShapeError} E_SHAPE if the shapes differ (no broadcasting: it hides mistakes).
 * @source torch.nn.functional.binary_cross_entropy_with_logits(reduction="sum"); no class weights.
 * @example
 * losses.binaryCrossEntropyWithLogits(tensor([0, 0]), tensor([0, 1])).sum.itemSync(); // => 1.3862943649291992
 */
export function binaryCrossEntropyWithLogits(logits: Tensor, targets: Tensor): LossSum {
  if (!shapesEqual(logits.shape, targets.shape)) {
    throw new ShapeError(
      `binaryCrossEntropyWithLogits: logits are ${formatShape(logits.shape)} and targets ${formatShape(targets.shape)}; they must be equal.`,
      { logits: logits.shape, targets: targets.shape },
    );
  }
  return { sum: sum(binaryCrossEntropyTerms(logits, targets)), weight: logits.size };
}
