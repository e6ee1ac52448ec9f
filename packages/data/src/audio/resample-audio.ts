import { scalarMath } from "@lockstep/core";
import type { AudioClip } from "./audio-clip.js";
import { assertCounts, audioError } from "./audio-error.js";

export interface ResampleAudioOptions {
  /** Zero crossings of the sinc on each side. Default 6; more is sharper and slower. */
  readonly lowpassFilterWidth?: number;
  /** Where the filter ends, as a share of the lower Nyquist frequency. Default 0.99. */
  readonly rolloff?: number;
}

const pi = Math.PI;

/**
 * A sound at another sample rate: a windowed sinc (Hann), as one filter for each of the phases that the two rates have.
 *
 *   y[n] = sum over k of x[k] h(k / from - n / to),  h(t) = (f / from) sinc(f t) cos^2(pi f t / 2 w) for |f t| < w, f = rolloff * min(from, to)
 *
 * @shape T samples a channel -> ceil(T * to / from)
 * @numerics f64 in ascending k, rounded to f32 at the end.
 * @throws {ValueError} E_AUDIO for rates that are no whole numbers, or a rolloff outside of (0, 1].
 * @source Smith, "Digital audio resampling"; torchaudio.functional.resample(resampling_method="sinc_interp_hann").
 */
export function resampleAudio(clip: AudioClip, sampleRate: number, options: ResampleAudioOptions = {}): AudioClip {
  const { lowpassFilterWidth = 6, rolloff = 0.99 } = options;
  assertCounts("resampleAudio", { sampleRate, lowpassFilterWidth, "clip.sampleRate": clip.sampleRate });
  if (!(rolloff > 0 && rolloff <= 1)) {
    throw audioError("resampleAudio", `rolloff is ${rolloff}`, "it must be in (0, 1].", { rolloff });
  }
  if (sampleRate === clip.sampleRate) return clip;
  const divisor = greatestDivisor(clip.sampleRate, sampleRate);
  const [from, to] = [clip.sampleRate / divisor, sampleRate / divisor];
  const filters = phaseFilters(from, to, { lowpassFilterWidth, rolloff });
  const channels = clip.channels.map((samples) =>
    Float32Array.from({ length: Math.ceil((samples.length * to) / from) }, (_, n) => {
      const { first, weights } = filters[n % to]!;
      const begin = Math.floor(n / to) * from + first;
      let sum = 0;
      for (let j = Math.max(0, -begin); j < Math.min(weights.length, samples.length - begin); j++) {
        sum += samples[begin + j]! * weights[j]!;
      }
      return sum;
    }),
  );
  return { sampleRate, channels };
}

interface PhaseFilter {
  /** Place of the first weight, from the input sample at the beginning of the period. */
  readonly first: number;
  readonly weights: Float64Array;
}

function phaseFilters(
  from: number,
  to: number,
  { lowpassFilterWidth: width, rolloff }: Required<ResampleAudioOptions>,
): PhaseFilter[] {
  const cutoff = rolloff * Math.min(from, to);
  const reach = (width * from) / cutoff; // in input samples
  return Array.from({ length: to }, (_, phase) => {
    const middle = (phase * from) / to;
    const first = Math.ceil(middle - reach);
    const length = Math.floor(middle + reach) - first + 1;
    const weights = Float64Array.from({ length }, (_, j) => {
      const t = (cutoff * (first + j - middle)) / from;
      const taper = scalarMath.cos((pi * t) / (2 * width));
      const sinc = t === 0 ? 1 : scalarMath.sin(pi * t) / (pi * t);
      return (cutoff / from) * sinc * taper * taper;
    });
    return { first, weights };
  });
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

/** The mean of all channels. @throws {ValueError} E_AUDIO without channels. */
export function monoSamples({ channels }: AudioClip): Float32Array {
  const first = channels[0];
  if (first === undefined) throw audioError("monoSamples", "there are 0 channels", "there must be at least one.", {});
  return first.map((_, i) => channels.reduce((sum, samples) => sum + samples[i]!, 0) / channels.length);
}
