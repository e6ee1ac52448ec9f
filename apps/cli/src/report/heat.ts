/** @file Colours of numbers: attributions between blue (against) and red (for), grey values, weights of attention. */
import type { SampleValues } from "@lockstep/worker";
import { type Picture, pngAddress } from "./png.js";

type Rgb = readonly [number, number, number];

const against: Rgb = [33, 102, 172];
const neutral: Rgb = [247, 247, 247];
const inFavour: Rgb = [178, 24, 43];

/** Share -1 is blue, 0 white, 1 red. */
export function signedColour(share: number): Rgb {
  const end = share < 0 ? against : inFavour;
  const size = Math.min(1, Math.abs(share));
  return [0, 1, 2].map((i) => Math.round(neutral[i]! + (end[i]! - neutral[i]!) * size)) as unknown as Rgb;
}

/** An image [H, W] or [channels, H, W]: three channels are its colours, others are averaged; darkest to brightest value. */
export function imagePicture({ shape, values }: SampleValues): string {
  const [height, width] = shape.slice(-2) as [number, number];
  const size = height * width;
  const numChannels = values.length / size;
  const low = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const grey = (value: number): number => (high > low ? Math.round((255 * (value - low)) / (high - low)) : 0);
  return picture(width, height, (i) => {
    if (numChannels === 3) return [grey(values[i]!), grey(values[size + i]!), grey(values[2 * size + i]!)];
    const level = grey(meanOfChannels(values, i, size));
    return [level, level, level];
  });
}

/** Attributions of an image, summed over channels; the largest of the sample has the full colour. */
export function attributionPicture({ shape, values }: SampleValues): string {
  const [height, width] = shape.slice(-2) as [number, number];
  const size = height * width;
  const sums = Array.from({ length: size }, (_, i) => meanOfChannels(values, i, size));
  const largest = largestOf(sums);
  return picture(width, height, (i) => signedColour(largest === 0 ? 0 : sums[i]! / largest));
}

/** Weights of one head, [T, T], from white to dark; the largest has the full colour. */
export function attentionPicture(weights: Float32Array, length: number): string {
  const largest = largestOf(weights);
  const end: Rgb = [8, 48, 107];
  return picture(length, length, (i) => {
    const share = largest === 0 ? 0 : weights[i]! / largest;
    return [0, 1, 2].map((c) => Math.round(neutral[c]! + (end[c]! - neutral[c]!) * share)) as unknown as Rgb;
  });
}

export function largestOf(values: Iterable<number>): number {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  return largest;
}

function meanOfChannels(values: Float32Array, i: number, size: number): number {
  let sum = 0;
  for (let at = i; at < values.length; at += size) sum += values[at]!;
  return (sum * size) / values.length;
}

function picture(width: number, height: number, colourOf: (i: number) => Rgb): string {
  const drawn: Picture = { width, height, rgb: new Uint8Array(3 * width * height) };
  for (let i = 0; i < width * height; i++) drawn.rgb.set(colourOf(i), 3 * i);
  return pngAddress(drawn);
}
