/** @file The mel scale, decibels and cepstral coefficients. Legend: F bins, M mels, N frames. */
import { scalarMath } from "@lockstep/core";
import { assertCounts, audioError } from "./audio-error.js";
import { type Spectrogram, type SpectrogramOptions, spectrogram } from "./stft.js";

const ln10 = Math.LN10;
const pi = Math.PI;

export interface MelScale {
  /** "htk" (default): 2595 log10(1 + f / 700). "slaney": linear below 1 kHz, logarithmic above. */
  readonly melScale?: "htk" | "slaney";
}

export interface MelOptions extends MelScale {
  readonly sampleRate: number;
  /** Default 400. */
  readonly fftSize?: number;
  /** M. Default 128. */
  readonly numMels?: number;
  /** Hz. Default 0. */
  readonly minFrequency?: number;
  /** Hz. Default sampleRate / 2. */
  readonly maxFrequency?: number;
  /** "slaney" divides each triangle by its width in Hz. Default "none". */
  readonly norm?: "none" | "slaney";
}

/** Mels of a frequency in Hz. @source Young et al., "The HTK book"; Slaney 1998, "Auditory toolbox". */
export function hertzToMel(hertz: number, { melScale = "htk" }: MelScale = {}): number {
  if (melScale === "htk") return 2595 * (scalarMath.log1p(hertz / 700) / ln10);
  return hertz < slaney.breakHertz
    ? hertz / slaney.hertzPerMel
    : slaney.breakMel + scalarMath.log(hertz / slaney.breakHertz) / slaney.logStep;
}

/** Frequency of mels in Hz: the inverse of hertzToMel. */
export function melToHertz(mel: number, { melScale = "htk" }: MelScale = {}): number {
  if (melScale === "htk") return 700 * scalarMath.expm1((mel / 2595) * ln10);
  return mel < slaney.breakMel
    ? mel * slaney.hertzPerMel
    : slaney.breakHertz * scalarMath.exp(slaney.logStep * (mel - slaney.breakMel));
}

/** ln(6.4) / 27 */
const slaney = { breakHertz: 1000, hertzPerMel: 200 / 3, breakMel: 15, logStep: 0.06875177742094912 } as const;

/**
 * Triangles over the bins of a spectrogram, evenly spaced in mels.
 *
 * @shape -> [M, F]
 * @throws {ValueError} E_AUDIO for sizes that are no whole numbers, or unless 0 <= minFrequency < maxFrequency <= sampleRate / 2; when a triangle
 *   lies between two bins and so catches nothing (fewer mels or a longer transform help).
 * @source torchaudio.functional.melscale_fbanks, librosa.filters.mel
 */
export function melFilterBank(options: MelOptions): Float64Array {
  const {
    sampleRate,
    fftSize = 400,
    numMels = 128,
    minFrequency = 0,
    maxFrequency = sampleRate / 2,
    norm = "none",
  } = options;
  assertCounts("melFilterBank", { fftSize, numMels });
  if (!(minFrequency >= 0 && minFrequency < maxFrequency && maxFrequency <= sampleRate / 2)) {
    throw audioError(
      "melFilterBank",
      `minFrequency is ${minFrequency} and maxFrequency ${maxFrequency} at a sample rate of ${sampleRate}`,
      `they must ascend in 0..${sampleRate / 2}.`,
      { minFrequency, maxFrequency, sampleRate },
    );
  }
  const [lowest, highest] = [hertzToMel(minFrequency, options), hertzToMel(maxFrequency, options)];
  const corners = Array.from({ length: numMels + 2 }, (_, i) =>
    melToHertz(lowest + ((highest - lowest) * i) / (numMels + 1), options),
  );
  const numBins = Math.floor(fftSize / 2) + 1;
  const bank = new Float64Array(numMels * numBins);
  for (let m = 0; m < numMels; m++) {
    const [left, middle, right] = [corners[m]!, corners[m + 1]!, corners[m + 2]!];
    const factor = norm === "slaney" ? 2 / (right - left) : 1;
    let sum = 0;
    for (let bin = 0; bin < numBins; bin++) {
      const hertz = (bin * sampleRate) / fftSize;
      const height = Math.max(0, Math.min((hertz - left) / (middle - left), (right - hertz) / (right - middle)));
      bank[m * numBins + bin] = height * factor;
      sum += height;
    }
    if (sum > 0) continue;
    throw audioError(
      "melFilterBank",
      `mel ${m} of ${numMels} lies between two bins of ${sampleRate / fftSize} Hz`,
      "every mel must catch at least one. Lower numMels or raise fftSize.",
      { mel: m, numMels, fftSize },
    );
  }
  return bank;
}

export interface MelSpectrogramOptions extends MelOptions, SpectrogramOptions {
  readonly fftSize?: number;
}

/**
 * A spectrogram in mels.
 *
 * @shape T samples -> [M, N]
 * @throws {ValueError} E_AUDIO as stft and melFilterBank.
 * @source torchaudio.transforms.MelSpectrogram, librosa.feature.melspectrogram
 */
export function melSpectrogram(samples: ArrayLike<number>, options: MelSpectrogramOptions): Spectrogram {
  const bank = melFilterBank(options);
  const { numBins, numFrames, values } = spectrogram(samples, options);
  const numMels = bank.length / numBins;
  const out = new Float64Array(numMels * numFrames);
  for (let m = 0; m < numMels; m++) {
    for (let bin = 0; bin < numBins; bin++) {
      const weight = bank[m * numBins + bin]!;
      if (weight === 0) continue;
      for (let frame = 0; frame < numFrames; frame++)
        out[m * numFrames + frame]! += weight * values[bin * numFrames + frame]!;
    }
  }
  return { numBins: numMels, numFrames, values: out };
}

export interface DecibelOptions {
  /** What is 0 dB. Default 1. */
  readonly reference?: number;
  /** Smaller powers count as this. Default 1e-10. */
  readonly floor?: number;
  /** Nothing lies further below the largest value. Default 80; Infinity cuts nothing. */
  readonly topDecibels?: number;
}

/** 10 log10(power / reference). @shape [F, N] -> [F, N] @source librosa.power_to_db */
export function powerToDecibels(power: Spectrogram, options: DecibelOptions = {}): Spectrogram {
  const { reference = 1, floor = 1e-10, topDecibels = 80 } = options;
  const decibels = (value: number) => 10 * (scalarMath.log(Math.max(floor, value)) / ln10);
  const zero = decibels(reference);
  const values = power.values.map((value) => decibels(value) - zero);
  const least = values.reduce((largest, value) => Math.max(largest, value), Number.NEGATIVE_INFINITY) - topDecibels;
  return { ...power, values: values.map((value) => Math.max(value, least)) };
}

/** ln(max(value, floor)). @shape [F, N] -> [F, N] @source torchaudio.transforms.MFCC(log_mels=True), but for the floor. */
export function logSpectrogram(power: Spectrogram, { floor = 1e-10 }: { readonly floor?: number } = {}): Spectrogram {
  return { ...power, values: power.values.map((value) => scalarMath.log(Math.max(value, floor))) };
}

export interface MfccOptions extends MelSpectrogramOptions {
  /** Default 20. */
  readonly numCoefficients?: number;
}

/**
 * Mel-frequency cepstral coefficients: the orthonormal cosine transform (DCT-II) of the mel spectrogram in decibels.
 *
 * @shape T samples -> [numCoefficients, N]
 * @throws {ValueError} E_AUDIO as melSpectrogram, and unless numCoefficients is in 1..numMels.
 * @source Davis and Mermelstein 1980; librosa.feature.mfcc
 */
export function mfcc(samples: ArrayLike<number>, options: MfccOptions): Spectrogram {
  const { numCoefficients = 20 } = options;
  const { numBins: numMels, numFrames, values } = powerToDecibels(melSpectrogram(samples, options));
  assertCounts("mfcc", { numCoefficients });
  if (numCoefficients > numMels) {
    throw audioError("mfcc", `numCoefficients is ${numCoefficients} of ${numMels} mels`, "it must not be larger.", {
      numCoefficients,
      numMels,
    });
  }
  const out = new Float64Array(numCoefficients * numFrames);
  for (let k = 0; k < numCoefficients; k++) {
    const factor = Math.sqrt((k === 0 ? 1 : 2) / numMels);
    for (let m = 0; m < numMels; m++) {
      const weight = factor * scalarMath.cos((pi * k * (2 * m + 1)) / (2 * numMels));
      for (let frame = 0; frame < numFrames; frame++)
        out[k * numFrames + frame]! += weight * values[m * numFrames + frame]!;
    }
  }
  return { numBins: numCoefficients, numFrames, values: out };
}
