/** @file Random changes of the numbers of images. Each answers an Augmentation; what it draws is said in order. */
import { ValueError } from "@lockstep/core";
import { adjustBrightness, adjustContrast, adjustHue, adjustSaturation, grayscaleImage } from "../image/color.js";
import type { FloatImage } from "../image/float-image.js";
import { type Augmentation, assertProbability, drawNormals, drawPermutation, uniformIn } from "../random/draws.js";
import { assertRange } from "./image-geometry.js";

export interface ColorJitterOptions {
  /** Factor in [max(0, 1 - x), 1 + x], or in a range. Default 0: no change. */
  readonly brightness?: number | readonly [number, number];
  readonly contrast?: number | readonly [number, number];
  readonly saturation?: number | readonly [number, number];
  /** Turn in [-x, x], or in a range, inside [-0.5, 0.5]. */
  readonly hue?: number | readonly [number, number];
}

/**
 * Changes brightness, contrast, saturation and hue by random factors, in a random order. Draws the order, then one factor for each that is given.
 *
 * @throws {ValueError} E_AUGMENTATION for ranges that do not ascend or lie outside of their limits. {ShapeError} E_SHAPE when saturation or hue are
 *   given and the image is not RGB.
 * @source torchvision.transforms.ColorJitter
 */
export function colorJitter(options: ColorJitterOptions): Augmentation<FloatImage> {
  const steps = (["brightness", "contrast", "saturation", "hue"] as const).flatMap((name) => {
    const given = options[name] ?? 0;
    const center = name === "hue" ? 0 : 1;
    const least = name === "hue" ? -0.5 : 0;
    const range = typeof given === "number" ? ([Math.max(center - given, least), center + given] as const) : given;
    assertRange("colorJitter", name, range, least);
    if (name === "hue" && range[1] > 0.5) {
      throw new ValueError(
        `colorJitter: hue is [${range.join(", ")}]; it must lie in [-0.5, 0.5].`,
        { hue: range },
        "E_AUGMENTATION",
      );
    }
    return range[0] === center && range[1] === center ? [] : [{ adjust: adjustments[name], range }];
  });
  return (image, draws) => {
    const order = drawPermutation(draws, steps.length);
    const factors = steps.map(({ range }) => uniformIn(draws, range));
    return order.reduce((current, place) => steps[place]!.adjust(current, factors[place]!), image);
  };
}

const adjustments = {
  brightness: adjustBrightness,
  contrast: adjustContrast,
  saturation: adjustSaturation,
  hue: adjustHue,
} as const;

/** All channels become gray. Draws once. @throws {ValueError} E_AUGMENTATION unless 0 <= p <= 1. @source torchvision.transforms.RandomGrayscale */
export function randomGrayscale(p = 0.1): Augmentation<FloatImage> {
  assertProbability("randomGrayscale", "p", p);
  return (image, draws) => (draws.uniform() < p ? grayscaleImage(image) : image);
}

/**
 * Covers a square about a random pixel; what lies outside of the image is cut off. Draws the row, then the column.
 *
 * @throws {ValueError} E_AUGMENTATION unless size is a whole number of at least 1.
 * @source DeVries and Taylor 2017, "Improved regularization of convolutional neural networks with cutout".
 */
export function cutout({
  size,
  fill = 0,
}: {
  readonly size: number;
  readonly fill?: number;
}): Augmentation<FloatImage> {
  if (!Number.isInteger(size) || size < 1) {
    throw new ValueError(
      `cutout: size is ${size}; it must be a whole number of at least 1.`,
      { size },
      "E_AUGMENTATION",
    );
  }
  return (image, draws) => {
    const top = draws.integer(image.height) - Math.floor(size / 2);
    const left = draws.integer(image.width) - Math.floor(size / 2);
    const data = image.data.slice();
    for (let row = 0; row < image.channels * image.height; row++) {
      const y = row % image.height;
      if (y < top || y >= top + size) continue;
      const begin = row * image.width;
      data.fill(fill, begin + Math.max(0, left), begin + Math.max(0, Math.min(image.width, left + size)));
    }
    return { ...image, data };
  };
}

/** Adds normal noise to every number. Draws two words for every two numbers. @throws {ValueError} E_AUGMENTATION for a negative std. @source none: ours */
export function gaussianNoise({ std }: { readonly std: number }): Augmentation<FloatImage> {
  if (!(std >= 0)) {
    throw new ValueError(`gaussianNoise: std is ${std}; it must not be negative.`, { std }, "E_AUGMENTATION");
  }
  return (image, draws) => {
    const data = image.data.slice();
    drawNormals(draws, data.length, (normal, i) => {
      data[i] = data[i]! + std * normal;
    });
    return { ...image, data };
  };
}
