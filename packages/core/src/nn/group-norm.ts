import { ValueError } from "../errors.js";
import { groupNorm } from "../ops/channel-norm.js";
import type { Tensor } from "../tensor/tensor.js";
import { filledParameter } from "./init.js";
import { assertSizes } from "./linear.js";
import { Module } from "./module.js";
import type { Parameter } from "./parameter.js";

export interface GroupNormModuleOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Whether there are a weight and a bias. Default true. */
  readonly affine?: boolean;
}

/**
 * Normalises groups of neighbouring channels of each image; no statistics over the batch.
 *
 * @shape x [B, numChannels, ...] -> same; weight, bias [numChannels]
 * @throws {ValueError} E_LAYER when numGroups does not divide numChannels. {ShapeError} E_SHAPE for x of other channels.
 * @source torch.nn.GroupNorm, weight 1 and bias 0 at first
 */
export class GroupNorm extends Module {
  readonly numGroups: number;
  readonly numChannels: number;
  readonly eps: number;
  weight: Parameter | undefined;
  bias: Parameter | undefined;

  constructor(numGroups: number, numChannels: number, { eps = 1e-5, affine = true }: GroupNormModuleOptions = {}) {
    super();
    assertSizes("GroupNorm", { numGroups, numChannels });
    if (numChannels % numGroups !== 0) {
      throw new ValueError(
        `GroupNorm: numGroups is ${numGroups} and numChannels ${numChannels}; the first must divide the second.`,
        { numGroups, numChannels },
        "E_LAYER",
      );
    }
    this.numGroups = numGroups;
    this.numChannels = numChannels;
    this.eps = eps;
    this.weight = affine ? filledParameter([numChannels], 1) : undefined;
    this.bias = affine ? filledParameter([numChannels], 0) : undefined;
  }

  forward(x: Tensor): Tensor {
    return groupNorm(x, this.numGroups, { weight: this.weight, bias: this.bias, eps: this.eps });
  }
}
