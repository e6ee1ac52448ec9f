import { rmsNorm } from "../ops/rms-norm.js";
import type { Tensor } from "../tensor/tensor.js";
import { filledParameter } from "./init.js";
import { assertSizes } from "./linear.js";
import { Module } from "./module.js";
import type { Parameter } from "./parameter.js";

export interface RmsNormModuleOptions {
  /** Added to the mean square. Default: the epsilon of f32. */
  readonly eps?: number;
}

/**
 * Each row over its root mean square, times weight.
 *
 * @shape x [..., embedDim] -> same; weight [embedDim]
 * @throws {ValueError} E_LAYER when embedDim is not a whole number of at least 1.
 * @source torch.nn.RMSNorm over the last dim, weight 1 at first
 */
export class RmsNorm extends Module {
  weight: Parameter;
  readonly eps: number;

  constructor(embedDim: number, { eps = 1.1920928955078125e-7 }: RmsNormModuleOptions = {}) {
    super();
    assertSizes("RmsNorm", { embedDim });
    this.eps = eps;
    this.weight = filledParameter([embedDim], 1);
  }

  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.weight, { eps: this.eps });
  }
}
