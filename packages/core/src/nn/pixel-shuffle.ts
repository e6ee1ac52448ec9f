import { pixelShuffle, pixelUnshuffle } from "../ops/pixel-shuffle.js";
import type { Tensor } from "../tensor/tensor.js";
import { assertSizes } from "./linear.js";
import { Module } from "./module.js";

/** Channels to space. @shape x [B, C r^2, H, W] -> [B, C, H r, W r] @throws {ValueError} E_LAYER; {ShapeError} E_SHAPE @source torch.nn.PixelShuffle */
export class PixelShuffle extends Module {
  readonly factor: number;

  constructor(factor: number) {
    super();
    assertSizes("PixelShuffle", { factor });
    this.factor = factor;
  }

  forward(x: Tensor): Tensor {
    return pixelShuffle(x, this.factor);
  }
}

/** Space to channels. @shape x [B, C, H r, W r] -> [B, C r^2, H, W] @throws {ValueError} E_LAYER; {ShapeError} E_SHAPE @source torch.nn.PixelUnshuffle */
export class PixelUnshuffle extends Module {
  readonly factor: number;

  constructor(factor: number) {
    super();
    assertSizes("PixelUnshuffle", { factor });
    this.factor = factor;
  }

  forward(x: Tensor): Tensor {
    return pixelUnshuffle(x, this.factor);
  }
}
