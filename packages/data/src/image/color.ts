/** @file Brightness, contrast, saturation, hue and gray of images with numbers in [0, 1]. */
import { ShapeError, ValueError } from "@lockstep/core";
import { type FloatImage, mapImage } from "./float-image.js";

/** Shares of red, green and blue in gray. @source ITU-R BT.601, as torchvision rounds them. */
const [redShare, greenShare, blueShare] = [0.2989, 0.587, 0.114];

const clamp = (value: number): number => Math.min(Math.max(value, 0), 1);

/** value * factor, cut to [0, 1]. @source torchvision.transforms.functional.adjust_brightness */
export function adjustBrightness(image: FloatImage, factor: number): FloatImage {
  return mapImage(image, (value) => clamp(value * factor));
}

/** Away from (factor > 1) or towards the mean of the gray image. @source torchvision.transforms.functional.adjust_contrast */
export function adjustContrast(image: FloatImage, factor: number): FloatImage {
  const gray = image.channels === 3 ? grayPlane("adjustContrast", image) : image.data;
  let sum = 0;
  for (const value of gray) sum += value;
  const mean = sum / gray.length;
  return mapImage(image, (value) => clamp(factor * value + (1 - factor) * mean));
}

/** Away from (factor > 1) or towards gray. @throws {ShapeError} E_SHAPE unless RGB. @source torchvision.transforms.functional.adjust_saturation */
export function adjustSaturation(image: FloatImage, factor: number): FloatImage {
  const gray = grayPlane("adjustSaturation", image);
  const data = image.data.map((value, i) => clamp(factor * value + (1 - factor) * gray[i % gray.length]!));
  return { ...image, data };
}

/**
 * Turns the hue by a share of the circle of colours.
 *
 * @param shift in [-0.5, 0.5]
 * @throws {ShapeError} E_SHAPE unless RGB.
 * @source torchvision.transforms.functional.adjust_hue; Smith 1978, "Color gamut transform pairs".
 */
export function adjustHue(image: FloatImage, shift: number): FloatImage {
  assertRgb("adjustHue", image);
  const size = image.height * image.width;
  const data = new Float32Array(image.data.length);
  for (let i = 0; i < size; i++) {
    const [hue, saturation, value] = hsvOf(image.data[i]!, image.data[size + i]!, image.data[2 * size + i]!);
    const turned = hue + shift;
    const [red, green, blue] = rgbOf(turned - Math.floor(turned), saturation, value);
    data[i] = red;
    data[size + i] = green;
    data[2 * size + i] = blue;
  }
  return { ...image, data };
}

/** All three channels become gray. @throws {ShapeError} E_SHAPE unless RGB. @source torchvision.transforms.functional.rgb_to_grayscale */
export function grayscaleImage(image: FloatImage): FloatImage {
  const gray = grayPlane("grayscaleImage", image);
  return { ...image, data: image.data.map((_, i) => gray[i % gray.length]!) };
}

/**
 * (value - mean) / std of each channel.
 *
 * @throws {ValueError} E_AUGMENTATION unless there is one mean and one positive std for each channel.
 * @source torchvision.transforms.Normalize
 */
export function normalizeImage(
  image: FloatImage,
  { mean, std }: { readonly mean: readonly number[]; readonly std: readonly number[] },
): FloatImage {
  if (mean.length !== image.channels || std.length !== image.channels || std.some((value) => !(value > 0))) {
    throw new ValueError(
      `normalizeImage: mean is [${mean.join(", ")}] and std [${std.join(", ")}] for ${image.channels} channels; there must be one mean and one positive std for each.`,
      { mean, std, channels: image.channels },
      "E_AUGMENTATION",
    );
  }
  return mapImage(image, (value, channel) => (value - mean[channel]!) / std[channel]!);
}

function grayPlane(where: string, image: FloatImage): Float32Array {
  assertRgb(where, image);
  const size = image.height * image.width;
  const { data } = image;
  return Float32Array.from(
    { length: size },
    (_, i) => redShare * data[i]! + greenShare * data[size + i]! + blueShare * data[2 * size + i]!,
  );
}

/** @throws {ShapeError} E_SHAPE unless the image has three channels. */
function assertRgb(where: string, image: FloatImage): void {
  if (image.channels === 3) return;
  throw new ShapeError(`${where}: the image has ${image.channels} channels; it must have 3 (RGB).`, {
    channels: image.channels,
  });
}

function hsvOf(red: number, green: number, blue: number): [hue: number, saturation: number, value: number] {
  const value = Math.max(red, green, blue);
  const spread = value - Math.min(red, green, blue);
  if (spread === 0) return [0, 0, value];
  const sixths =
    value === red ? (green - blue) / spread : value === green ? 2 + (blue - red) / spread : 4 + (red - green) / spread;
  const hue = sixths / 6;
  return [hue - Math.floor(hue), spread / value, value];
}

function rgbOf(hue: number, saturation: number, value: number): readonly [red: number, green: number, blue: number] {
  const sector = Math.floor(hue * 6);
  const within = hue * 6 - sector;
  const p = value * (1 - saturation);
  const q = value * (1 - saturation * within);
  const t = value * (1 - saturation * (1 - within));
  const sectors = [
    [value, t, p],
    [q, value, p],
    [p, value, t],
    [p, q, value],
    [t, p, value],
    [value, p, q],
  ] as const;
  return sectors[sector % 6]!;
}
