import { type UpsampleOptions, upsample } from "../ops/upsample.js";
import type { Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";

/** Images of another size. @shape x [B, C, ...] -> [B, C, ...size] @throws {ValueError} E_VALUE; {ShapeError} E_SHAPE @source torch.nn.Upsample with the modes nearest, linear and bilinear */
export class Upsample extends Module {
  readonly options: UpsampleOptions;

  constructor(options: UpsampleOptions) {
    super();
    this.options = options;
  }

  forward(x: Tensor): Tensor {
    return upsample(x, this.options);
  }
}
