/** @file Sound as frequencies over time. Legend: F bins (fftSize / 2 + 1), N frames. */
import { scalarMath } from "@lockstep/core";
import { assertCounts, audioError } from "./audio-error.js";
import { createFft } from "./fft.js";

const twoPi = 2 * Math.PI;

export interface StftOptions {
  /** Samples of a transform. Default 400. */
  readonly fftSize?: number;
  /** Samples from frame to frame. Default fftSize / 4, rounded down. */
  readonly hopLength?: number;
  /** Samples under the window, in the middle of the transform. Default fftSize. */
  readonly windowLength?: number;
  /** Periodic. Default "hann". */
  readonly window?: "hann" | "hamming" | "rectangular";
  /** Default true: frame n has sample n * hopLength in its middle, with the sound mirrored at both ends. Otherwise it begins there. */
  readonly center?: boolean;
}

/** f64, [F, N]: all frames of a bin beside each other. */
export interface Spectrogram {
  readonly numBins: number;
  readonly numFrames: number;
  readonly values: Float64Array;
}

export interface ComplexSpectrogram {
  readonly numBins: number;
  readonly numFrames: number;
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/**
 * Short-time Fourier transform.
 *
 * @shape T samples -> [F, N], N = 1 + floor(T / hopLength) where centred, else 1 + floor((T - fftSize) / hopLength)
 * @numerics f64 in a fixed order, with twiddles of scalar-math: the same bits on every machine.
 * @throws {ValueError} E_AUDIO for sizes that are no whole numbers, a window longer than the transform, or a sound that is too short: fftSize / 2 + 1
 *   samples where centred (mirroring needs them), else fftSize.
 * @source torch.stft(pad_mode="reflect", onesided=True), librosa.stft
 */
export function stft(samples: ArrayLike<number>, options: StftOptions = {}): ComplexSpectrogram {
  const { fftSize = 400, window = "hann", center = true } = options;
  const { hopLength = Math.max(1, Math.floor(fftSize / 4)), windowLength = fftSize } = options;
  assertCounts("stft", { fftSize, hopLength, windowLength });
  if (windowLength > fftSize) {
    throw audioError(
      "stft",
      `windowLength is ${windowLength} and fftSize ${fftSize}`,
      "the first must not be larger.",
      {
        windowLength,
        fftSize,
      },
    );
  }
  const least = center ? Math.floor(fftSize / 2) + 1 : fftSize;
  if (samples.length < least) {
    throw audioError(
      "stft",
      `there are ${samples.length} samples`,
      `there must be at least ${least} for a transform of ${fftSize}.`,
      {
        numSamples: samples.length,
        fftSize,
      },
    );
  }
  const padding = center ? Math.floor(fftSize / 2) : 0;
  const numFrames = 1 + Math.floor((samples.length + 2 * padding - fftSize) / hopLength);
  const numBins = Math.floor(fftSize / 2) + 1;
  const weights = windowOf(window, windowLength);
  const windowBegin = Math.floor((fftSize - windowLength) / 2);
  const fft = createFft(fftSize);
  const [re, im] = [new Float64Array(fftSize), new Float64Array(fftSize)];
  const out = {
    numBins,
    numFrames,
    re: new Float64Array(numBins * numFrames),
    im: new Float64Array(numBins * numFrames),
  };
  for (let frame = 0; frame < numFrames; frame++) {
    re.fill(0);
    im.fill(0);
    const begin = frame * hopLength - padding + windowBegin;
    for (let i = 0; i < windowLength; i++)
      re[windowBegin + i] = samples[mirrored(begin + i, samples.length)]! * weights[i]!;
    fft.forward(re, im);
    for (let bin = 0; bin < numBins; bin++) {
      out.re[bin * numFrames + frame] = re[bin]!;
      out.im[bin * numFrames + frame] = im[bin]!;
    }
  }
  return out;
}

export interface SpectrogramOptions extends StftOptions {
  /** 2 (default) for power, 1 for magnitude. */
  readonly power?: 1 | 2;
}

/** |stft|^power. @shape T samples -> [F, N] @throws {ValueError} E_AUDIO as stft. @source torchaudio.transforms.Spectrogram */
export function spectrogram(samples: ArrayLike<number>, options: SpectrogramOptions = {}): Spectrogram {
  const { numBins, numFrames, re, im } = stft(samples, options);
  const isPower = (options.power ?? 2) === 2;
  const values = re.map((value, i) => {
    const power = value * value + im[i]! * im[i]!;
    return isPower ? power : Math.sqrt(power);
  });
  return { numBins, numFrames, values };
}

/** The ends of the sound are mirrored, without repeating the last sample. */
function mirrored(place: number, length: number): number {
  if (place < 0) return -place;
  return place < length ? place : 2 * (length - 1) - place;
}

function windowOf(name: "hann" | "hamming" | "rectangular", length: number): Float64Array {
  const cosine = (share: number) => (_: number, i: number) =>
    share - (1 - share) * scalarMath.cos((twoPi * i) / length);
  if (name === "rectangular") return new Float64Array(length).fill(1);
  return new Float64Array(length).map(cosine(name === "hann" ? 0.5 : 0.54));
}
