import { layerNorm } from "../ops/layer-norm.js";
import type { Tensor } from "../tensor/tensor.js";
import { filledParameter } from "./init.js";
import { assertSizes } from "./linear.js";
import { Module } from "./module.js";
import type { Parameter } from "./parameter.js";

export interface LayerNormModuleOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
}

/**
 * Each row minus its mean, over its standard deviation, times weight, plus bias.
 *
 * @shape x [..., embedDim] -> same; weight, bias [embedDim]
 * @throws {ValueError} E_LAYER when embedDim is not a whole number of at least 1.
 * @source torch.nn.LayerNorm over the last dim: biased variance, weight 1 and bias 0 at first.
 */
export class LayerNorm extends Module {
  weight: Parameter;
  bias: Parameter;
  readonly eps: number;

  constructor(embedDim: number, { eps = 1e-5 }: LayerNormModuleOptions = {}) {
    super();
    assertSizes("LayerNorm", { embedDim });
    this.eps = eps;
    this.weight = filledParameter([embedDim], 1);
    this.bias = filledParameter([embedDim], 0);
  }

  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight, this.bias, { eps: this.eps });
  }
}
