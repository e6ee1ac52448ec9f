import { sum } from "../ops/expand-sum.js";
import { type LinearCrossEntropyOptions, linearCrossEntropyRows } from "../ops/linear-cross-entropy.js";
import type { Tensor } from "../tensor/tensor.js";
import type { LossSum } from "./loss-sum.js";

export type { LinearCrossEntropyOptions };

/**
 * Cross-entropy of the logits x W^T + bias, which are never there at once: for vocabularies whose logits would not fit.
 *
 *   sum = sum over kept positions of logSumExp(logits) - logits[target]        weight = number of kept positions
 *
 * It computes the logits in pieces of at most 64 MiB, and again in backward: a third more arithmetic of the last layer, for memory that does
 * not grow with the number of positions.
 *
 * @shape x [..., C], weight [V, C], targets [...] (i32, 0..V-1 or `ignoreIndex`), bias [V] -> scalar
 * @numerics Up to 262,144 classes the pieces are rows: value and gradients have the bits of `crossEntropy(linear(x, weight, bias), targets)` on the
 *   same backend, but for the gradient of bias, which adds the sums of pieces. Rows of more classes are cut, too, and are within rounding.
 *   The pieces are a function of the shapes alone.
 * @throws {ShapeError} E_SHAPE if targets are not the leading dims of x, or weight is not [V, C]. {DTypeError} E_DTYPE. {ValueError}
 *   E_TARGET_RANGE with the first bad position. {StateError} E_SECOND_DERIVATIVE in a backward with createGraph.
 * @source torch.nn.functional.cross_entropy(linear(x, weight, bias), targets, reduction="sum"); Wijmans et al. 2024, "Cut your losses in
 *   large-vocabulary language models", for the idea and the name. Deviation: pieces of logits lie in memory.
 * @example
 * losses.linearCrossEntropy(tensor([[1, 2]]), tensor([[0, 0], [0, 0]]), tensor([1], { dtype: "i32" })).sum.itemSync(); // => 0.6931471824645996
 */
export function linearCrossEntropy(
  x: Tensor,
  weight: Tensor,
  targets: Tensor,
  options: LinearCrossEntropyOptions = {},
): LossSum {
  const { losses, numKept } = linearCrossEntropyRows(x, weight, targets, options);
  return { sum: sum(losses), weight: numKept };
}
