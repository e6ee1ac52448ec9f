/** @file Transposed convolution layers. */
import { type ConvTransposeOptions, convTranspose1d, convTranspose2d, type SpatialSize } from "../ops/conv.js";
import type { Tensor } from "../tensor/tensor.js";
import { ConvLayer } from "./conv.js";

export interface ConvTransposeLayerOptions extends ConvTransposeOptions {
  /** Default true. */
  readonly bias?: boolean;
}

/**
 * The gradient of Conv1d by its input, as a layer: signals become longer.
 *
 * @shape x [B, inChannels, W] -> [B, outChannels, W']; weight [inChannels, outChannels / groups, kernelSize], bias [outChannels]
 * @throws {ValueError} E_LAYER, E_VALUE; {ShapeError} E_SHAPE
 * @source torch.nn.ConvTranspose1d, its initial weights too. Deviation: outputPadding must be smaller than the stride.
 */
export class ConvTranspose1d extends ConvLayer {
  readonly options: ConvTransposeOptions;

  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: SpatialSize,
    options: ConvTransposeLayerOptions = {},
  ) {
    super(
      "ConvTranspose1d",
      { inChannels, outChannels, kernelSize },
      { ...options, numSpatial: 1, isTransposed: true },
    );
    this.options = options;
  }

  forward(x: Tensor): Tensor {
    this.assertInput("ConvTranspose1d", x);
    return convTranspose1d(x, this.weight, this.bias, this.options);
  }
}

/**
 * The gradient of Conv2d by its input, as a layer: images become larger.
 *
 * @shape x [B, inChannels, H, W] -> [B, outChannels, H', W']; weight [inChannels, outChannels / groups, kH, kW], bias [outChannels]
 * @throws {ValueError} E_LAYER, E_VALUE; {ShapeError} E_SHAPE
 * @source torch.nn.ConvTranspose2d, its initial weights too. Deviation: outputPadding must be smaller than the stride.
 */
export class ConvTranspose2d extends ConvLayer {
  readonly options: ConvTransposeOptions;

  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: SpatialSize,
    options: ConvTransposeLayerOptions = {},
  ) {
    super(
      "ConvTranspose2d",
      { inChannels, outChannels, kernelSize },
      { ...options, numSpatial: 2, isTransposed: true },
    );
    this.options = options;
  }

  forward(x: Tensor): Tensor {
    this.assertInput("ConvTranspose2d", x);
    return convTranspose2d(x, this.weight, this.bias, this.options);
  }
}
