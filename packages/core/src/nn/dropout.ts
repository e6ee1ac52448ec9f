import { dropout } from "../ops/dropout.js";
import type { Tensor } from "../tensor/tensor.js";
import { assertProbability } from "./dropout-mask.js";
import { Module } from "./module.js";

/**
 * In training, zeroes each element with a probability and divides the others by what remains; otherwise does nothing.
 *
 * @shape any -> same
 * @numerics Randomness is a function of (seed, step, micro-batch, use): inside a microBatchScope the same elements are dropped whoever
 *   computes it.
 * @throws {ValueError} E_LAYER when the probability is not in [0, 1).
 * @source torch.nn.Dropout. Deviation: probability 1 is refused.
 */
export class Dropout extends Module {
  readonly probability: number;

  constructor(probability = 0.5) {
    super();
    this.probability = assertProbability("Dropout", probability);
  }

  forward(x: Tensor): Tensor {
    return this.training && this.probability > 0 ? dropout(x, this.probability) : x;
  }
}
