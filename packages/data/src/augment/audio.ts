/** @file Random changes of sounds (samples of one channel) and of spectrograms. What each draws is said in order. */
import { scalarMath, ValueError } from "@lockstep/core";
import type { Spectrogram } from "../audio/stft.js";
import { type Augmentation, drawNormals, uniformIn } from "../random/draws.js";
import { assertRange } from "./image-geometry.js";

type Range = readonly [number, number];
const ln10 = Math.LN10;

/** Louder or softer by decibels in a range. Draws once. @throws {ValueError} E_AUGMENTATION unless the range ascends. @source none: ours */
export function randomGain({ decibels }: { readonly decibels: Range }): Augmentation<Float32Array> {
  assertRange("randomGain", "decibels", decibels, Number.NEGATIVE_INFINITY);
  return (samples, draws) => {
    const factor = amplitudeOf(uniformIn(draws, decibels));
    return samples.map((value) => value * factor);
  };
}

/**
 * Adds normal noise at a signal-to-noise ratio (of mean powers) in a range of decibels. Draws the ratio, then two words for every two samples. Silence stays silent.
 *
 * @throws {ValueError} E_AUGMENTATION unless the range ascends.
 * @source torchaudio.functional.add_noise, with white noise.
 */
export function whiteNoise({ snrDecibels }: { readonly snrDecibels: Range }): Augmentation<Float32Array> {
  assertRange("whiteNoise", "snrDecibels", snrDecibels, Number.NEGATIVE_INFINITY);
  return (samples, draws) => {
    const ratio = amplitudeOf(uniformIn(draws, snrDecibels));
    let power = 0;
    for (const value of samples) power += value * value;
    const std = samples.length === 0 ? 0 : Math.sqrt(power / samples.length) / ratio;
    const out = samples.slice();
    drawNormals(draws, out.length, (normal, i) => {
      out[i] = out[i]! + std * normal;
    });
    return out;
  };
}

export interface TimeShiftOptions {
  /** Samples, either way. */
  readonly maxShift: number;
  /** "silence" (default) fills what is left free with zeros, "wrap" with what fell off the other end. */
  readonly fill?: "silence" | "wrap";
}

/** Moves a sound in time. Draws once. @throws {ValueError} E_AUGMENTATION unless maxShift is a whole number of at least 0. @source none: ours */
export function timeShift({ maxShift, fill = "silence" }: TimeShiftOptions): Augmentation<Float32Array> {
  assertWhole("timeShift", "maxShift", maxShift);
  return (samples, draws) => {
    const shift = draws.integer(2 * maxShift + 1) - maxShift;
    const { length } = samples;
    return samples.map((_, i) => {
      const from = i - shift;
      if (fill === "silence") return samples[from] ?? 0;
      return samples[((from % length) + length) % length]!;
    });
  };
}

export interface SpecAugmentOptions {
  /** Widest mask over bins. Default 0: none. */
  readonly maxFrequencyWidth?: number;
  /** Widest mask over frames. Default 0: none. */
  readonly maxTimeWidth?: number;
  /** Masks of each kind. Default 1. */
  readonly numMasks?: number;
  /** What masked places hold: a number (default 0), or the mean of the spectrogram. */
  readonly fill?: number | "mean";
}

/**
 * Covers runs of bins and of frames of a spectrogram. Draws a width and a place for each mask: all over frequency, then all over time.
 *
 * @throws {ValueError} E_AUGMENTATION unless widths and counts are whole numbers of at least 0.
 * @source Park et al. 2019, "SpecAugment", without time warping.
 */
export function specAugment(options: SpecAugmentOptions): Augmentation<Spectrogram> {
  const { maxFrequencyWidth = 0, maxTimeWidth = 0, numMasks = 1, fill = 0 } = options;
  for (const [name, value] of Object.entries({ maxFrequencyWidth, maxTimeWidth, numMasks })) {
    assertWhole("specAugment", name, value);
  }
  return (input, draws) => {
    const { numBins, numFrames } = input;
    const values = input.values.slice();
    const value = fill === "mean" ? values.reduce((sum, x) => sum + x, 0) / values.length : fill;
    const drawRun = (length: number, maxWidth: number): readonly [number, number] => {
      const width = draws.integer(Math.min(maxWidth, length) + 1);
      const begin = draws.integer(length - width + 1);
      return [begin, begin + width];
    };
    for (let mask = 0; mask < numMasks; mask++) {
      const [begin, end] = drawRun(numBins, maxFrequencyWidth);
      values.fill(value, begin * numFrames, end * numFrames);
    }
    for (let mask = 0; mask < numMasks; mask++) {
      const [begin, end] = drawRun(numFrames, maxTimeWidth);
      for (let bin = 0; bin < numBins; bin++) values.fill(value, bin * numFrames + begin, bin * numFrames + end);
    }
    return { numBins, numFrames, values };
  };
}

/** 10^(decibels / 20) */
const amplitudeOf = (decibels: number): number => scalarMath.exp((decibels / 20) * ln10);

function assertWhole(where: string, name: string, value: number): void {
  if (Number.isInteger(value) && value >= 0) return;
  throw new ValueError(
    `${where}: ${name} is ${value}; it must be a whole number of at least 0.`,
    { [name]: value },
    "E_AUGMENTATION",
  );
}
