/** @file Images as models take them: f32, a plane for each channel. Legend: C channels, H height, W width. */
import { ShapeError, type Tensor } from "@lockstep/core";
import { stackSamples } from "../pipeline/stack-samples.js";
import type { Image } from "./image.js";

/** f32 planes, [C, H, W]. Functions of this room do not write to them. */
export interface FloatImage {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly data: Float32Array;
}

/**
 * A decoded image as numbers in [0, 1], planes instead of pixels.
 *
 * @shape [H, W, C] -> [C, H, W]
 * @source torchvision.transforms.ToTensor
 * @example
 * floatImage({ width: 1, height: 1, channels: 3, data: Uint8Array.of(0, 51, 255) }).data; // => [0, Math.fround(0.2), 1]
 */
export function floatImage({ width, height, channels, data }: Image): FloatImage {
  const largest = data instanceof Uint16Array ? 65535 : 255;
  const planeSize = width * height;
  const out = new Float32Array(planeSize * channels);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < planeSize; i++) out[c * planeSize + i] = data[i * channels + c]! / largest;
  }
  return { channels, height, width, data: out };
}

/**
 * Images of one size as a tensor, for `collate`.
 *
 * @shape B images [C, H, W] -> [B, C, H, W]
 * @throws {ShapeError} E_SHAPE with the place when an image has another size than the first.
 */
export function stackImages(images: readonly FloatImage[]): Tensor {
  const { channels, height, width } = images[0] ?? { channels: 0, height: 0, width: 0 }; // stackSamples refuses none
  for (const [i, image] of images.entries()) {
    if (image.channels === channels && image.height === height && image.width === width) continue;
    throw new ShapeError(
      `stackImages: image ${i} is [${image.channels}, ${image.height}, ${image.width}], but image 0 is [${channels}, ${height}, ${width}]; they must be equal. Use resizeImage or randomCrop first.`,
      { place: i },
    );
  }
  return stackSamples(
    images.map(({ data }) => data),
    [channels, height, width],
  );
}

/** A new image of the same size, each number by a rule. */
export function mapImage(image: FloatImage, map: (value: number, channel: number) => number): FloatImage {
  const planeSize = image.height * image.width;
  return { ...image, data: image.data.map((value, i) => map(value, Math.floor(i / planeSize))) };
}
