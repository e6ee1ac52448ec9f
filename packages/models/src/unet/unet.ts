/** @file U-Net. Legend: B batch, H and W of the image. */
import { concat, maxPool2d, nn, ShapeError, type Tensor } from "@lockstep/core";
import { assertModelSizes } from "../config-sizes.js";
import { DoubleConv } from "./double-conv.js";

export interface UnetConfig {
  /** Default 1. */
  readonly inChannels?: number;
  /** Channels of the output: a logit for each class at each pixel. Default 2. */
  readonly numClasses?: number;
  /** How often the image is halved. Default 4. */
  readonly depth?: number;
  /** Channels at full size; they double at each halving. Default 64. */
  readonly width?: number;
}

/**
 * An encoder that halves the image, a decoder that doubles it again, and a connection between them at each size.
 *
 * Weights are named encoder.<i>, bottom, up.<i>, decoder.<i> (from the largest image to the smallest in both), head.
 *
 * @shape x [B, inChannels, H, W] -> logits [B, numClasses, H, W]; H and W divisible by 2^depth
 * @throws {ValueError} E_MODEL_CONFIG for sizes that make no model. {ShapeError} E_SHAPE for images that cannot be halved so often.
 * @source Ronneberger et al. 2015. Deviations: padding, so that output and input are of one size; batch norm after each convolution.
 * @example
 * new Unet({ depth: 2, width: 4 }).forward(tensor(new Float32Array(64), { shape: [1, 1, 8, 8] })).shape; // => [1, 2, 8, 8]
 */
export class Unet extends nn.Module {
  readonly config: Readonly<Required<UnetConfig>>;
  encoder: DoubleConv[];
  bottom: DoubleConv;
  up: nn.ConvTranspose2d[];
  decoder: DoubleConv[];
  head: nn.Conv2d;

  constructor({ inChannels = 1, numClasses = 2, depth = 4, width = 64 }: UnetConfig = {}) {
    super();
    this.config = { inChannels, numClasses, depth, width };
    assertModelSizes("Unet", { inChannels, numClasses, depth, width });
    const widths = Array.from({ length: depth + 1 }, (_, level) => width * (1 << level));
    const levels = widths.slice(0, depth);
    this.encoder = levels.map((own, level) => new DoubleConv(level === 0 ? inChannels : widths[level - 1]!, own));
    this.bottom = new DoubleConv(widths[depth - 1]!, widths[depth]!);
    this.up = levels.map((own) => new nn.ConvTranspose2d(2 * own, own, 2, { stride: 2 }));
    this.decoder = levels.map((own) => new DoubleConv(2 * own, own));
    this.head = new nn.Conv2d(width, numClasses, 1);
  }

  forward(x: Tensor): Tensor {
    const { depth, inChannels } = this.config;
    const unit = 1 << depth;
    const [height = 0, width = 0] = x.shape.slice(2);
    if (x.numDims !== 4 || height % unit !== 0 || width % unit !== 0 || height * width === 0) {
      throw new ShapeError(
        `Unet: x is [${x.shape.join(",")}]; it must be [B,${inChannels},H,W] with H and W divisible by ${unit}, 2^depth. Pad the images or lower depth.`,
        { x: x.shape, depth },
      );
    }
    const skips: Tensor[] = [];
    let features = x;
    for (const block of this.encoder) {
      const full = block.forward(features);
      skips.push(full);
      features = maxPool2d(full, 2);
    }
    features = this.bottom.forward(features);
    for (let level = depth - 1; level >= 0; level--) {
      const larger = this.up[level]!.forward(features);
      features = this.decoder[level]!.forward(concat([skips[level]!, larger], 1));
    }
    return this.head.forward(features);
  }
}
