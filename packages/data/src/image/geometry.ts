/** @file Images turned, cut and brought to another size. Deterministic; augment/ draws their arguments. */
import { scalarMath, ValueError } from "@lockstep/core";
import type { FloatImage } from "./float-image.js";
import { sampleBilinear } from "./sample-bilinear.js";

export interface ImageSize {
  readonly height: number;
  readonly width: number;
}

const radiansPerDegree = 0.017453292519943295;

/**
 * An image of another size, by bilinear interpolation between pixel middles, without smoothing.
 *
 * @throws {ValueError} E_AUGMENTATION unless height and width are whole numbers of at least 1.
 * @source torch.nn.functional.interpolate(mode="bilinear", align_corners=False)
 */
export function resizeImage(image: FloatImage, { height, width }: ImageSize): FloatImage {
  assertImageSide("resizeImage", { height, width });
  const [scaleX, scaleY] = [image.width / width, image.height / height];
  const place = (x: number, y: number) =>
    [Math.max((x + 0.5) * scaleX - 0.5, 0), Math.max((y + 0.5) * scaleY - 0.5, 0)] as const;
  return sampleBilinear(image, { height, width }, place, "nearest");
}

/** A rectangle of an image; what lies outside of it is `fill`. */
export function cropImage(
  image: FloatImage,
  area: ImageSize & { readonly top: number; readonly left: number; readonly fill?: number },
): FloatImage {
  const { top, left, height, width, fill = 0 } = area;
  assertImageSide("cropImage", { height, width });
  const data = new Float32Array(image.channels * height * width).fill(fill);
  const first = Math.max(0, -left);
  const end = Math.min(width, image.width - left);
  for (let c = 0; c < image.channels; c++) {
    for (let y = Math.max(0, -top); y < Math.min(height, image.height - top); y++) {
      const row = (c * image.height + top + y) * image.width + left;
      if (end > first) data.set(image.data.subarray(row + first, row + end), (c * height + y) * width + first);
    }
  }
  return { channels: image.channels, height, width, data };
}

/** Left and right, or top and bottom, change places. */
export function flipImage(image: FloatImage, direction: "horizontal" | "vertical"): FloatImage {
  const { channels, height, width } = image;
  const data = new Float32Array(image.data.length);
  for (let row = 0; row < channels * height; row++) {
    const y = row % height;
    const from = direction === "vertical" ? row - y + (height - 1 - y) : row;
    const line = image.data.slice(from * width, (from + 1) * width);
    data.set(direction === "horizontal" ? line.reverse() : line, row * width);
  }
  return { channels, height, width, data };
}

export interface AffineArguments {
  /** Degrees, clockwise. Default 0. */
  readonly angle?: number;
  /** Pixels to the right and down. Default [0, 0]. */
  readonly translate?: readonly [number, number];
  /** Default 1. */
  readonly scale?: number;
  /** Degrees along x and y. Default [0, 0]. */
  readonly shear?: readonly [number, number];
  /** What lies outside of the image. Default 0. */
  readonly fill?: number;
}

/**
 * An image sheared, scaled and turned about its middle, then moved, by bilinear sampling.
 *
 * @throws {ValueError} E_AUGMENTATION unless scale is positive.
 * @source torchvision.transforms.functional.affine(interpolation=BILINEAR): R(angle) S(scale) SHy SHx about the middle.
 */
export function affineImage(image: FloatImage, args: AffineArguments): FloatImage {
  const { angle = 0, translate = [0, 0], scale = 1, shear = [0, 0], fill = 0 } = args;
  if (!(scale > 0)) {
    throw new ValueError(`affineImage: scale is ${scale}; it must be positive.`, { scale }, "E_AUGMENTATION");
  }
  const [cos, sin] = [scalarMath.cos(angle * radiansPerDegree), scalarMath.sin(angle * radiansPerDegree)];
  const [shearX, shearY] = [tangent(shear[0]), tangent(shear[1])];
  // [[a, b], [c, d]] = R(angle) SHy SHx; its determinant is 1.
  const a = cos + sin * shearY;
  const c = sin - cos * shearY;
  const b = -shearX * a - sin;
  const d = -shearX * c + cos;
  const [middleX, middleY] = [(image.width - 1) / 2, (image.height - 1) / 2];
  return sampleBilinear(
    image,
    image,
    (x, y) => {
      const [fromX, fromY] = [x - middleX - translate[0], y - middleY - translate[1]];
      return [(d * fromX - b * fromY) / scale + middleX, (a * fromY - c * fromX) / scale + middleY];
    },
    fill,
  );
}

const tangent = (degrees: number): number =>
  scalarMath.sin(degrees * radiansPerDegree) / scalarMath.cos(degrees * radiansPerDegree);

/** @throws {ValueError} E_AUGMENTATION */
export function assertImageSide(where: string, size: ImageSize): void {
  for (const [name, value] of Object.entries({ height: size.height, width: size.width })) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new ValueError(
      `${where}: ${name} is ${value}; it must be a whole number of at least 1.`,
      { [name]: value },
      "E_AUGMENTATION",
    );
  }
}
