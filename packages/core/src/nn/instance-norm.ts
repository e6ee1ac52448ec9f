/** @file Instance normalisation: each channel of each image by itself. Legend: B batch. */
import { ShapeError } from "../errors.js";
import { groupNorm } from "../ops/channel-norm.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import type { GroupNormModuleOptions } from "./group-norm.js";
import { filledParameter } from "./init.js";
import { assertSizes } from "./linear.js";
import { Module } from "./module.js";
import type { Parameter } from "./parameter.js";

abstract class InstanceNorm extends Module {
  readonly numFeatures: number;
  readonly eps: number;
  weight: Parameter | undefined;
  bias: Parameter | undefined;
  readonly #layer: string;
  readonly #numSpatial: number;

  protected constructor(
    numSpatial: number,
    numFeatures: number,
    { eps = 1e-5, affine = false }: GroupNormModuleOptions,
  ) {
    super();
    this.#layer = `InstanceNorm${numSpatial}d`;
    this.#numSpatial = numSpatial;
    assertSizes(this.#layer, { numFeatures });
    this.numFeatures = numFeatures;
    this.eps = eps;
    this.weight = affine ? filledParameter([numFeatures], 1) : undefined;
    this.bias = affine ? filledParameter([numFeatures], 0) : undefined;
  }

  forward(x: Tensor): Tensor {
    const { numFeatures, weight, bias, eps } = this;
    const numValues = x.shape.slice(2).reduce((a, b) => a * b, 1);
    if (x.numDims !== this.#numSpatial + 2 || x.shape[1] !== numFeatures || numValues < 2) {
      const spatial = ["D", "H", "W"].slice(-this.#numSpatial).join(",");
      throw new ShapeError(
        `${this.#layer}: x is ${formatShape(x.shape)}; it must be [B,${numFeatures},${spatial}], batch, numFeatures and spatial dims of at least two elements together.`,
        { x: x.shape, numFeatures },
      );
    }
    return groupNorm(x, numFeatures, { weight, bias, eps });
  }
}

/**
 * Normalises each channel of each signal; the same in training and evaluation. Weight and bias only with `affine`.
 *
 * @shape x [B, numFeatures, W] -> same; weight, bias [numFeatures]
 * @throws {ValueError} E_LAYER; {ShapeError} E_SHAPE for other channels or a single element a channel.
 * @source torch.nn.InstanceNorm1d. Deviation: no running statistics.
 */
export class InstanceNorm1d extends InstanceNorm {
  constructor(numFeatures: number, options: GroupNormModuleOptions = {}) {
    super(1, numFeatures, options);
  }
}

/** As InstanceNorm1d, for images. @shape x [B, numFeatures, H, W] -> same @throws {ValueError} E_LAYER; {ShapeError} E_SHAPE @source torch.nn.InstanceNorm2d. Deviation: no running statistics. */
export class InstanceNorm2d extends InstanceNorm {
  constructor(numFeatures: number, options: GroupNormModuleOptions = {}) {
    super(2, numFeatures, options);
  }
}

/** As InstanceNorm1d, for volumes. @shape x [B, numFeatures, D, H, W] -> same @throws {ValueError} E_LAYER; {ShapeError} E_SHAPE @source torch.nn.InstanceNorm3d. Deviation: no running statistics. */
export class InstanceNorm3d extends InstanceNorm {
  constructor(numFeatures: number, options: GroupNormModuleOptions = {}) {
    super(3, numFeatures, options);
  }
}
