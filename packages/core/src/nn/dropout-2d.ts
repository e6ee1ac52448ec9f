import { ShapeError } from "../errors.js";
import { mul } from "../ops/arithmetic.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { assertProbability, dropoutMask } from "./dropout-mask.js";
import { Module } from "./module.js";

/**
 * In training, zeroes whole channels with a probability and divides the others by what remains; otherwise does nothing.
 *
 * @shape x [B, C, H, W] -> same
 * @numerics As Dropout: one draw for each channel of each image.
 * @throws {ValueError} E_LAYER when the probability is not in [0, 1). {ShapeError} E_SHAPE unless x has four dims.
 * @source torch.nn.Dropout2d. Deviation: probability 1 is refused.
 */
export class Dropout2d extends Module {
  readonly probability: number;

  constructor(probability = 0.5) {
    super();
    this.probability = assertProbability("Dropout2d", probability);
  }

  forward(x: Tensor): Tensor {
    if (x.numDims !== 4) {
      throw new ShapeError(`Dropout2d: x is ${formatShape(x.shape)}; it must be [B,C,H,W].`, { x: x.shape });
    }
    if (!this.training || this.probability === 0) return x;
    const [numImages, numChannels] = x.shape as [number, number];
    return mul(x, dropoutMask(x, [numImages, numChannels, 1, 1], this.probability));
  }
}
