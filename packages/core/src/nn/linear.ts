import { ValueError } from "../errors.js";
import { linear } from "../ops/linear.js";
import { activate, type LinearActivation, linearActivation } from "../ops/linear-activation.js";
import type { Tensor } from "../tensor/tensor.js";
import { uniformParameter } from "./init.js";
import { Module } from "./module.js";
import type { Parameter } from "./parameter.js";

export interface LinearOptions {
  /** Default true. */
  readonly bias?: boolean;
}

/**
 * y = x W^T + b.
 *
 * @shape x [..., inDim] -> [..., outDim]; weight [outDim, inDim], bias [outDim]
 * @throws {ValueError} E_LAYER when a size is not a whole number of at least 1.
 * @source torch.nn.Linear, its initial weights too: uniform in +-1/sqrt(inDim), weight and bias.
 * @example
 * new nn.Linear(784, 128).weight.shape; // => [128, 784]
 */
export class Linear extends Module {
  weight: Parameter;
  bias: Parameter | undefined;

  constructor(inDim: number, outDim: number, { bias = true }: LinearOptions = {}) {
    super();
    assertSizes("Linear", { inDim, outDim });
    const bound = 1 / Math.sqrt(inDim);
    this.weight = uniformParameter([outDim, inDim], bound);
    this.bias = bias ? uniformParameter([outDim], bound) : undefined;
  }

  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }

  /** An activation of `forward(x)`, in one op unless somebody watches or replaced `forward`: the same bits. */
  activated(x: Tensor, activation: LinearActivation): Tensor {
    if (this.forward === Linear.prototype.forward) return linearActivation(x, this, activation);
    return activate(this.forward(x), activation);
  }
}

/** @throws {ValueError} E_LAYER */
export function assertSizes(layer: string, sizes: Readonly<Record<string, number>>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (!Number.isInteger(size) || size < 1) {
      throw new ValueError(
        `${layer}: ${name} is ${size}; it must be a whole number of at least 1.`,
        { [name]: size },
        "E_LAYER",
      );
    }
  }
}
