import { crossEntropyRows } from "../ops/cross-entropy.js";
import { sum } from "../ops/expand-sum.js";
import type { Tensor } from "../tensor/tensor.js";
import type { LossSum } from "./loss-sum.js";

export interface CrossEntropyOptions {
  /** Positions with this target add nothing and are not counted. Default -100. */
  readonly ignoreIndex?: number;
}

/**
 * Cross-entropy of integer targets under a softmax over the last dim.
 *
 *   sum    = sum over kept positions of ( logSumExp(logits) - logits[target] )
 *   weight = number of kept positions
 *
 * @shape logits [..., V], targets [...] (i32, 0..V-1 or `ignoreIndex`) -> scalar
 * @numerics Row maximum is subtracted first.
 * @throws {ShapeError} E_SHAPE if targets are not the leading dims of logits. {ValueError} E_TARGET_RANGE with the first bad position.
 * @source torch.nn.functional.cross_entropy(ignore_index, reduction="sum"); label smoothing and class weights are not supported.
 * @example
 * losses.crossEntropy(tensor([[0, 0]]), tensor([1], { dtype: "i32" })).sum.itemSync(); // => 0.6931471824645996
 */
export function crossEntropy(
  logits: Tensor,
  targets: Tensor,
  { ignoreIndex = -100 }: CrossEntropyOptions = {},
): LossSum {
  const { losses, numKept } = crossEntropyRows(logits, targets, ignoreIndex);
  return { sum: sum(losses), weight: numKept };
}
