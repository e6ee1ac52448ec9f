import { ValueError } from "../errors.js";
import { div } from "../ops/arithmetic.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * A loss as it adds up over micro-batches: the sum over samples (or tokens, or elements) and how many they were. Dividing is for
 * whoever has all of them (design section 3): the step's gradient is the sum of the gradients over the sum of the weights.
 */
export interface LossSum {
  /** Scalar, not divided by anything. */
  readonly sum: Tensor;
  /** 0 is legal: a micro-batch with nothing to train on. A fraction where samples or classes have weights of their own. */
  readonly weight: number;
}

/**
 * sum / weight, for a loop that has just this one batch.
 *
 * @shape -> scalar
 * @throws {ValueError} E_EMPTY_LOSS when the weight is 0: there is nothing to take a mean of.
 * @source none: ours
 */
export function meanLoss({ sum, weight }: LossSum): Tensor {
  if (!(weight > 0)) {
    throw new ValueError(
      `meanLoss: the weight is ${weight}; it must be above 0. Is the batch empty, or every target ignored or of class weight 0?`,
      { weight },
      "E_EMPTY_LOSS",
    );
  }
  return div(sum, weight);
}
