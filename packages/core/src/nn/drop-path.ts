/** @file Dropout of whole samples, and dropout for SELU. Random numbers as for Dropout. */
import { add, mul, sub } from "../ops/arithmetic.js";
import type { Tensor } from "../tensor/tensor.js";
import { assertProbability, dropoutMask } from "./dropout-mask.js";
import { Module } from "./module.js";

/** -scale * alpha of selu: what SELU gives far below 0. */
const SELU_FLOOR = -1.7580993408473766;

/**
 * In training, zeroes whole samples with a probability and divides the others by what remains; otherwise does nothing. Put it on the
 * branch of a residual block, before the addition: the block is then left out for a sample (stochastic depth).
 *
 * @shape x [B, ...] -> same
 * @numerics As Dropout: one draw for each sample.
 * @throws {ValueError} E_LAYER when the probability is not in [0, 1).
 * @source Huang et al. 2016, Deep Networks with Stochastic Depth; torchvision.ops.StochasticDepth in mode "row"
 */
export class DropPath extends Module {
  readonly probability: number;

  constructor(probability = 0.1) {
    super();
    this.probability = assertProbability("DropPath", probability);
  }

  forward(x: Tensor): Tensor {
    if (!this.training || this.probability === 0 || x.numDims === 0) return x;
    const shape = x.shape.map((size, axis) => (axis === 0 ? size : 1));
    return mul(x, dropoutMask(x, shape, this.probability));
  }
}

/**
 * In training, sets elements to SELU's lowest value with a probability, then scales and shifts so that mean 0 and variance 1 stay;
 * otherwise does nothing.
 *
 * @shape any -> same
 * @numerics As Dropout.
 * @throws {ValueError} E_LAYER when the probability is not in [0, 1).
 * @source Klambauer et al. 2017; torch.nn.AlphaDropout. Deviation: probability 1 is refused.
 */
export class AlphaDropout extends Module {
  readonly probability: number;

  constructor(probability = 0.5) {
    super();
    this.probability = assertProbability("AlphaDropout", probability);
  }

  forward(x: Tensor): Tensor {
    const p = this.probability;
    if (!this.training || p === 0) return x;
    const kept = mul(dropoutMask(x, x.shape, p), 1 - p); // 1 or 0
    const scale = 1 / Math.sqrt((1 - p) * (1 + p * SELU_FLOOR * SELU_FLOOR));
    const replaced = add(mul(x, kept), mul(sub(1, kept), SELU_FLOOR));
    return add(mul(replaced, scale), -scale * p * SELU_FLOOR);
  }
}
