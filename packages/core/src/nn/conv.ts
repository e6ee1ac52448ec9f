/** @file Convolution layers. Legend: B batch, C input channels, O output channels. */
import { ShapeError, ValueError } from "../errors.js";
import { type ConvOptions, conv1d, conv2d, conv3d, type SpatialSize, spatialSizes } from "../ops/conv.js";
import { checkWindow } from "../ops/convolution-geometry.js";
import { formatShape, numElements } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { uniformParameter } from "./init.js";
import { assertSizes } from "./linear.js";
import { Module } from "./module.js";
import type { Parameter } from "./parameter.js";

export interface ConvLayerOptions extends ConvOptions {
  /** Default true. */
  readonly bias?: boolean;
}

/** What a convolution layer and a transposed one have in common: checked sizes and initial weights. */
export abstract class ConvLayer extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly number[];
  weight: Parameter;
  bias: Parameter | undefined;

  protected constructor(
    layer: string,
    sizes: { readonly inChannels: number; readonly outChannels: number; readonly kernelSize: SpatialSize },
    options: ConvLayerOptions & { readonly numSpatial: number; readonly isTransposed: boolean },
  ) {
    super();
    const { groups = 1, bias = true, numSpatial, isTransposed } = options;
    const { inChannels, outChannels } = sizes;
    assertSizes(layer, { inChannels, outChannels, groups });
    const kernelSize = spatialSizes(layer, "kernelSize", { size: sizes.kernelSize, numSpatial });
    checkWindow(layer, { kernelSize });
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      throw new ValueError(
        `${layer}: groups is ${groups}, inChannels ${inChannels} and outChannels ${outChannels}; groups must divide both.`,
        { groups, inChannels, outChannels },
        "E_LAYER",
      );
    }
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = kernelSize;
    const [first, second] = isTransposed ? [inChannels, outChannels] : [outChannels, inChannels];
    const bound = 1 / Math.sqrt((second / groups) * numElements(kernelSize));
    this.weight = uniformParameter([first, second / groups, ...kernelSize], bound);
    this.bias = bias ? uniformParameter([outChannels], bound) : undefined;
  }

  /** @throws {ShapeError} E_SHAPE unless x is [B, inChannels, ...] with as many spatial dims as the kernel. */
  protected assertInput(layer: string, x: Tensor): void {
    if (x.numDims === this.kernelSize.length + 2 && x.shape[1] === this.inChannels) return;
    const spatial = ["D", "H", "W"].slice(-this.kernelSize.length).join(",");
    throw new ShapeError(
      `${layer}: x is ${formatShape(x.shape)}; it must be [B,${this.inChannels},${spatial}], batch, inChannels and spatial dims.`,
      { x: x.shape, inChannels: this.inChannels },
    );
  }
}

/**
 * Cross-correlation of signals with learned kernels.
 *
 * @shape x [B, inChannels, W] -> [B, outChannels, W']; weight [outChannels, inChannels / groups, kernelSize], bias [outChannels]
 * @throws {ValueError} E_LAYER for sizes below 1 or groups that do not divide the channels; E_VALUE for other options. {ShapeError} E_SHAPE
 * @source torch.nn.Conv1d, its initial weights too: +-1 / sqrt(inChannels / groups * kernelSize). Deviation: zero padding alone.
 */
export class Conv1d extends ConvLayer {
  readonly options: ConvOptions;

  constructor(inChannels: number, outChannels: number, kernelSize: SpatialSize, options: ConvLayerOptions = {}) {
    super("Conv1d", { inChannels, outChannels, kernelSize }, { ...options, numSpatial: 1, isTransposed: false });
    this.options = options;
  }

  forward(x: Tensor): Tensor {
    this.assertInput("Conv1d", x);
    return conv1d(x, this.weight, this.bias, this.options);
  }
}

/**
 * Cross-correlation of images with learned kernels.
 *
 * @shape x [B, inChannels, H, W] -> [B, outChannels, H', W']; weight [outChannels, inChannels / groups, kH, kW], bias [outChannels]
 * @throws {ValueError} E_LAYER, E_VALUE; {ShapeError} E_SHAPE
 * @source torch.nn.Conv2d, its initial weights too. Deviation: zero padding alone.
 * @example
 * new nn.Conv2d(3, 8, 5, { stride: 2, padding: 2 }).forward(tensor(new Float32Array(192), { shape: [1, 3, 8, 8] })).shape; // => [1, 8, 4, 4]
 */
export class Conv2d extends ConvLayer {
  readonly options: ConvOptions;

  constructor(inChannels: number, outChannels: number, kernelSize: SpatialSize, options: ConvLayerOptions = {}) {
    super("Conv2d", { inChannels, outChannels, kernelSize }, { ...options, numSpatial: 2, isTransposed: false });
    this.options = options;
  }

  forward(x: Tensor): Tensor {
    this.assertInput("Conv2d", x);
    return conv2d(x, this.weight, this.bias, this.options);
  }
}

/**
 * Cross-correlation of volumes with learned kernels.
 *
 * @shape x [B, inChannels, D, H, W] -> [B, outChannels, D', H', W']; weight [outChannels, inChannels / groups, kD, kH, kW]
 * @throws {ValueError} E_LAYER, E_VALUE; {ShapeError} E_SHAPE
 * @source torch.nn.Conv3d, its initial weights too. Deviation: zero padding alone.
 */
export class Conv3d extends ConvLayer {
  readonly options: ConvOptions;

  constructor(inChannels: number, outChannels: number, kernelSize: SpatialSize, options: ConvLayerOptions = {}) {
    super("Conv3d", { inChannels, outChannels, kernelSize }, { ...options, numSpatial: 3, isTransposed: false });
    this.options = options;
  }

  forward(x: Tensor): Tensor {
    this.assertInput("Conv3d", x);
    return conv3d(x, this.weight, this.bias, this.options);
  }
}
