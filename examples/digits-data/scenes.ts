/**
 * @file Pictures with several digits at random places, and what is known of them: the class of every pixel, and a box around each digit.
 *
 * A scene is a function of (seed, epoch, index), so every worker makes the same, and every epoch has new ones. Legend: S side of a scene.
 */
import { type FloatImage, type Pipeline, pipelineOf, resizeImage, type SampleKey, sampleDraws } from "@lockstep/data";
import type { LabelledImage } from "./labelled-images.js";

type Draws = ReturnType<typeof sampleDraws>;

/** x1, y1, x2, y2 in pixels: the ink of a digit. */
export type InkBox = readonly [x1: number, y1: number, x2: number, y2: number];

export interface SceneObject {
  readonly box: InkBox;
  /** 0..9 */
  readonly label: number;
}

export interface Scene {
  /** [1, S, S], with noise. */
  readonly image: FloatImage;
  /** [S, S]: 0 where no digit is, else 1 + the digit. */
  readonly mask: Int32Array;
  readonly objects: readonly SceneObject[];
}

export interface SceneOptions {
  /** Pixels of a side. */
  readonly side: number;
  readonly maxDigits: number;
  /** Standard deviation of the noise. */
  readonly noise: number;
}

/** What the examples train and test on, unless their configuration says otherwise. */
export const usualScenes: SceneOptions = { side: 32, maxDigits: 4, noise: 0.1 };
export const numHeldOutScenes = 256;
/** Seeds of the scenes to train on, and of those held out: they are made of other digits as well. */
export const sceneSeeds = { train: 1, heldOut: 2 };

/** Classes of a mask: nothing and ten digits. */
export const numMaskClasses = 11;
/** The middles of two digits are at least so many pixels apart, across or down. */
export const leastDistance = 8;

const digitSides = [8, 9, 10, 11, 12];
const numTries = 20;
/** A pixel of at least so much ink belongs to the digit. */
const leastInk = 0.25;
const palest = 0.6;

/** `size` scenes an epoch that `digits` make under a seed. */
export function scenesOf(
  digits: readonly LabelledImage[],
  { size, seed, ...options }: SceneOptions & { readonly size: number; readonly seed: number },
): Pipeline<Scene> {
  return pipelineOf({ size, get: (sample) => composeScene(digits, { seed, ...sample }, options) });
}

/** Scenes to train on, and held-out ones, made of other digits. */
export function sceneSets(
  { train, test }: { readonly train: readonly LabelledImage[]; readonly test: readonly LabelledImage[] },
  {
    trainScenes,
    evalScenes,
    side,
    maxDigits,
    noise,
  }: SceneOptions & { readonly trainScenes: number; readonly evalScenes: number },
): { readonly train: Pipeline<Scene>; readonly eval: Pipeline<Scene> } {
  const options = { side, maxDigits, noise };
  return {
    train: scenesOf(train, { ...options, size: trainScenes, seed: sceneSeeds.train }),
    eval: scenesOf(test, { ...options, size: evalScenes, seed: sceneSeeds.heldOut }),
  };
}

/** One to `maxDigits` digits of different size and strength, none over another; fewer where no place is left. */
export function composeScene(digits: readonly LabelledImage[], key: SampleKey, options: SceneOptions): Scene {
  const { side, maxDigits, noise } = options;
  const draws = sampleDraws(key);
  const data = new Float32Array(side * side);
  const mask = new Int32Array(side * side);
  const placed: (SceneObject & { readonly tile: InkBox })[] = [];
  const wanted = 1 + draws.integer(maxDigits);
  for (let attempt = 0; attempt < numTries && placed.length < wanted; attempt++) {
    const { digit, tile } = drawDigit(digits, draws, side);
    const box = inkBox(digit.image, tile);
    const strength = palest + (1 - palest) * draws.uniform();
    if (placed.some((other) => overlaps(other.tile, tile) || areNear(other.box, box))) continue;
    placed.push({ tile, box, label: digit.label });
    forEachPixel(digit.image, tile, (ink, x, y) => {
      data[y * side + x] = strength * ink;
      if (ink >= leastInk) mask[y * side + x] = 1 + digit.label;
    });
  }
  for (let i = 0; i < data.length; i++) data[i] = data[i]! + noise * draws.normal();
  return {
    image: { channels: 1, height: side, width: side, data },
    mask,
    objects: placed.map(({ box, label }) => ({ box, label })),
  };
}

/** A digit in some size, and the square it covers. */
function drawDigit(digits: readonly LabelledImage[], draws: Draws, side: number) {
  const { image, label } = digits[draws.integer(digits.length)]!;
  const size = digitSides[draws.integer(digitSides.length)]!;
  const [x, y] = [draws.integer(side - size + 1), draws.integer(side - size + 1)];
  const digit = { image: resizeImage(image, { height: size, width: size }), label };
  return { digit, tile: [x, y, x + size, y + size] as InkBox };
}

function forEachPixel(
  { width, data }: FloatImage,
  [left, top]: InkBox,
  use: (ink: number, x: number, y: number) => void,
): void {
  for (const [i, ink] of data.entries()) use(ink, left + (i % width), top + Math.floor(i / width));
}

function inkBox(image: FloatImage, tile: InkBox): InkBox {
  let [x1, y1, x2, y2] = [tile[2], tile[3], tile[0], tile[1]];
  forEachPixel(image, tile, (ink, x, y) => {
    if (ink < leastInk) return;
    [x1, y1, x2, y2] = [Math.min(x1, x), Math.min(y1, y), Math.max(x2, x + 1), Math.max(y2, y + 1)];
  });
  return [x1, y1, x2, y2];
}

function overlaps(a: InkBox, b: InkBox): boolean {
  return a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
}

function areNear(a: InkBox, b: InkBox): boolean {
  const apart = (axis: 0 | 1) => Math.abs(a[axis] + a[axis + 2]! - b[axis] - b[axis + 2]!) / 2;
  return apart(0) < leastDistance && apart(1) < leastDistance;
}
