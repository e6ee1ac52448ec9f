import { div } from "../ops/arithmetic.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * A loss as it adds up over micro-batches: the sum over samples (or tokens, or elements) and how many they were. Dividing is for
 * whoever has all of them (design section 3): the step's gradient is the sum of the gradients over the sum of the weights.
 */
export interface LossSum {
  /** Scalar, not divided by anything. */
  readonly sum: Tensor;
  /** 0 is legal: a micro-batch with nothing to train on. */
  readonly weight: number;
}

/**
 * sum / weight, for a loop that has just this one batch.
 *
 * @shape -> scalar
 * @source none: ours
 */
export function meanLoss({ sum, weight }: LossSum): Tensor {
  return div(sum, weight);
}
