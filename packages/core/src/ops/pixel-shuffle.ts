/** @file Channels to space and back. Legend: B batch, C channels, r factor. */
import { ShapeError } from "../errors.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { permute } from "./permute.js";
import { reshape } from "./reshape.js";

/**
 * Spreads groups of r^2 channels over an image r times as high and wide.
 *
 * @shape x [B, C r^2, H, W] -> [B, C, H r, W r]
 * @throws {ShapeError} E_SHAPE unless r^2 divides the channels.
 * @source Shi et al. 2016; torch.nn.functional.pixel_shuffle
 */
export function pixelShuffle(x: Tensor, factor: number): Tensor {
  const [B, channels, H, W] = imageShape("pixelShuffle", x, factor);
  if (channels % (factor * factor) !== 0) {
    throw new ShapeError(
      `pixelShuffle: x is ${formatShape(x.shape)} and factor ${factor}; ${factor * factor} must divide ${channels}, its channels (dim 1).`,
      { x: x.shape, factor },
    );
  }
  const C = channels / (factor * factor);
  const parts = permute(reshape(x, [B, C, factor, factor, H, W]), [0, 1, 4, 2, 5, 3]); // [B, C, H, r, W, r]
  return reshape(parts, [B, C, H * factor, W * factor]);
}

/**
 * Undoes pixelShuffle.
 *
 * @shape x [B, C, H r, W r] -> [B, C r^2, H, W]
 * @throws {ShapeError} E_SHAPE unless r divides height and width.
 * @source torch.nn.functional.pixel_unshuffle
 */
export function pixelUnshuffle(x: Tensor, factor: number): Tensor {
  const [B, C, height, width] = imageShape("pixelUnshuffle", x, factor);
  if (height % factor !== 0 || width % factor !== 0) {
    throw new ShapeError(
      `pixelUnshuffle: x is ${formatShape(x.shape)} and factor ${factor}; factor must divide height and width (dims 2 and 3).`,
      { x: x.shape, factor },
    );
  }
  const [H, W] = [height / factor, width / factor];
  const parts = permute(reshape(x, [B, C, H, factor, W, factor]), [0, 1, 3, 5, 2, 4]); // [B, C, r, r, H, W]
  return reshape(parts, [B, C * factor * factor, H, W]);
}

function imageShape(where: string, x: Tensor, factor: number): readonly [number, number, number, number] {
  if (x.numDims === 4 && Number.isInteger(factor) && factor >= 1) return x.shape as [number, number, number, number];
  throw new ShapeError(
    `${where}: x is ${formatShape(x.shape)} and factor ${factor}; x must be [B,C,H,W] and factor a whole number of at least 1.`,
    { x: x.shape, factor },
  );
}
