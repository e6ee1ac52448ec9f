/** @file Random turns, cuts and mirrorings of images. Each answers an Augmentation; what it draws is said in order. */
import { scalarMath, ValueError } from "@lockstep/core";
import type { FloatImage } from "../image/float-image.js";
import { affineImage, assertImageSide, cropImage, flipImage, type ImageSize, resizeImage } from "../image/geometry.js";
import { type Augmentation, assertProbability, uniformIn } from "../random/draws.js";

type Range = readonly [number, number];

/** Mirrors left and right. Draws once. @throws {ValueError} E_AUGMENTATION unless 0 <= p <= 1. @source torchvision.transforms.RandomHorizontalFlip */
export function randomHorizontalFlip(p = 0.5): Augmentation<FloatImage> {
  assertProbability("randomHorizontalFlip", "p", p);
  return (image, draws) => (draws.uniform() < p ? flipImage(image, "horizontal") : image);
}

/** Mirrors top and bottom. Draws once. @throws {ValueError} E_AUGMENTATION unless 0 <= p <= 1. @source torchvision.transforms.RandomVerticalFlip */
export function randomVerticalFlip(p = 0.5): Augmentation<FloatImage> {
  assertProbability("randomVerticalFlip", "p", p);
  return (image, draws) => (draws.uniform() < p ? flipImage(image, "vertical") : image);
}

export interface RandomAffineOptions {
  /** Turns by up to so many degrees either way, or in a range. */
  readonly degrees: number | Range;
  /** Moves by up to these shares of width and height. Default none. */
  readonly translate?: Range;
  /** Default [1, 1]. */
  readonly scale?: Range;
  /** Shears along x by up to so many degrees either way, or in a range. Default none. */
  readonly shear?: number | Range;
  /** Default 0. */
  readonly fill?: number;
}

/**
 * Turns, moves, scales and shears about the middle. Draws angle, two moves, scale and shear, always all five.
 *
 * @throws {ValueError} E_AUGMENTATION for a range that does not ascend, a share outside of [0, 1] or a scale that is not positive.
 * @source torchvision.transforms.RandomAffine(interpolation=BILINEAR). Deviation: moves are not rounded to whole pixels.
 */
export function randomAffine(options: RandomAffineOptions): Augmentation<FloatImage> {
  const { translate = [0, 0], scale = [1, 1], fill = 0 } = options;
  const degrees = rangeOf("randomAffine", "degrees", options.degrees);
  const shear = rangeOf("randomAffine", "shear", options.shear ?? 0);
  for (const share of translate) assertProbability("randomAffine", "translate", share);
  assertRange("randomAffine", "scale", scale, Number.MIN_VALUE);
  return (image, draws) => {
    const angle = uniformIn(draws, degrees);
    const moveX = uniformIn(draws, [-translate[0], translate[0]]) * image.width;
    const moveY = uniformIn(draws, [-translate[1], translate[1]]) * image.height;
    const factor = uniformIn(draws, scale);
    return affineImage(image, {
      angle,
      translate: [moveX, moveY],
      scale: factor,
      shear: [uniformIn(draws, shear), 0],
      fill,
    });
  };
}

/** Turns about the middle by up to `degrees` either way, or in a range. @throws {ValueError} E_AUGMENTATION @source torchvision.transforms.RandomRotation */
export function randomRotation(degrees: number | Range, { fill = 0 }: { readonly fill?: number } = {}) {
  return randomAffine({ degrees, fill });
}

export interface RandomCropOptions extends ImageSize {
  /** Pixels of `fill` on every side before the cut. Default 0. */
  readonly padding?: number;
  readonly fill?: number;
}

/**
 * A rectangle of a fixed size at a random place. Draws top, then left.
 *
 * @throws {ValueError} E_AUGMENTATION when the padded image is smaller than the rectangle, or padding is no whole number of at least 0.
 * @source torchvision.transforms.RandomCrop
 */
export function randomCrop({ height, width, padding = 0, fill = 0 }: RandomCropOptions): Augmentation<FloatImage> {
  assertImageSide("randomCrop", { height, width });
  if (!Number.isInteger(padding) || padding < 0) {
    throw new ValueError(
      `randomCrop: padding is ${padding}; it must be a whole number of at least 0.`,
      { padding },
      "E_AUGMENTATION",
    );
  }
  return (image, draws) => {
    const [spareY, spareX] = [image.height + 2 * padding - height, image.width + 2 * padding - width];
    if (spareX < 0 || spareY < 0) {
      throw new ValueError(
        `randomCrop: the image is ${image.width} x ${image.height} with a padding of ${padding}; it must be at least ${width} x ${height}. Raise the padding or resize first.`,
        { width: image.width, height: image.height, padding },
        "E_AUGMENTATION",
      );
    }
    const top = draws.integer(spareY + 1) - padding;
    const left = draws.integer(spareX + 1) - padding;
    return cropImage(image, { top, left, height, width, fill });
  };
}

export interface RandomResizedCropOptions extends ImageSize {
  /** Share of the area. Default [0.08, 1]. */
  readonly scale?: Range;
  /** Width over height. Default [3/4, 4/3]; drawn evenly in its logarithm. */
  readonly ratio?: Range;
}

const numTries = 10;

/**
 * A rectangle of random area and shape, brought to a fixed size. Draws area and shape up to ten times until the rectangle fits, then top and
 * left; else it takes the largest one in the middle whose shape is in the range.
 *
 * @throws {ValueError} E_AUGMENTATION for a range that does not ascend or is not positive.
 * @source torchvision.transforms.RandomResizedCrop, without antialiasing.
 */
export function randomResizedCrop(options: RandomResizedCropOptions): Augmentation<FloatImage> {
  const { height, width, scale = [0.08, 1], ratio = [3 / 4, 4 / 3] } = options;
  assertImageSide("randomResizedCrop", { height, width });
  assertRange("randomResizedCrop", "scale", scale, Number.MIN_VALUE);
  assertRange("randomResizedCrop", "ratio", ratio, Number.MIN_VALUE);
  const logRatio: Range = [scalarMath.log(ratio[0]), scalarMath.log(ratio[1])];
  return (image, draws) => {
    for (let attempt = 0; attempt < numTries; attempt++) {
      const area = image.height * image.width * uniformIn(draws, scale);
      const shape = scalarMath.exp(uniformIn(draws, logRatio));
      const cut = { width: Math.round(Math.sqrt(area * shape)), height: Math.round(Math.sqrt(area / shape)) };
      if (cut.width < 1 || cut.height < 1 || cut.width > image.width || cut.height > image.height) continue;
      const top = draws.integer(image.height - cut.height + 1);
      const left = draws.integer(image.width - cut.width + 1);
      return resizeImage(cropImage(image, { ...cut, top, left }), { height, width });
    }
    const cut = middleCut(image, ratio);
    const place = { top: Math.floor((image.height - cut.height) / 2), left: Math.floor((image.width - cut.width) / 2) };
    return resizeImage(cropImage(image, { ...cut, ...place }), { height, width });
  };
}

function middleCut({ height, width }: ImageSize, [narrowest, widest]: Range): ImageSize {
  const shape = width / height;
  if (shape < narrowest) return { width, height: Math.max(1, Math.round(width / narrowest)) };
  if (shape > widest) return { width: Math.max(1, Math.round(height * widest)), height };
  return { width, height };
}

function rangeOf(where: string, name: string, value: number | Range): Range {
  const range = typeof value === "number" ? ([-value, value] as const) : value;
  assertRange(where, name, range, Number.NEGATIVE_INFINITY);
  return range;
}

/** @throws {ValueError} E_AUGMENTATION unless least <= low <= high. */
export function assertRange(where: string, name: string, [low, high]: Range, least: number): void {
  if (low >= least && low <= high) return;
  const bound =
    least === Number.NEGATIVE_INFINITY ? "" : least > 0 ? " and be positive" : ` and not lie below ${least}`;
  throw new ValueError(
    `${where}: ${name} is [${low}, ${high}]; it must ascend${bound}.`,
    { [name]: [low, high] },
    "E_AUGMENTATION",
  );
}
