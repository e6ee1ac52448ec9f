/** @file What the model hears of a sound: loudness by mel and frame, in decibels. */
import { decodeWav, melSpectrogram, monoSamples, powerToDecibels, type Spectrogram } from "@lockstep/data";

export const numMels = 24;
/** Of 20 ms each. */
export const numFrames = 40;
/** What is softer by more than this than the loudest place of its sound counts as silence. */
export const decibelRange = 60;
/** Loudness is rounded to multiples of this. */
const decibelStep = 2;

const frameSeconds = 0.02;
const fftSize = 512;

/**
 * Decibels above silence, 0..decibelRange: of the first 0.8 s of a sound, which may be shorter.
 *
 * @shape -> [numMels, numFrames]
 * @throws {FormatError} E_FILE_FORMAT with the file when the bytes are no WAV file.
 */
export function logMelsOfWav(bytes: Uint8Array, file: string): Spectrogram {
  const clip = decodeWav(bytes, { file });
  const { sampleRate } = clip;
  const hopLength = Math.floor(sampleRate * frameSeconds);
  const sound = new Float32Array((numFrames - 1) * hopLength + 1);
  sound.set(monoSamples(clip).subarray(0, sound.length));
  const scale = { sampleRate, numMels, minFrequency: 60, maxFrequency: 8000 };
  const power = melSpectrogram(sound, { ...scale, fftSize, hopLength });
  const decibels = powerToDecibels(power, { topDecibels: decibelRange });
  const loudest = decibels.values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const values = decibels.values.map(
    (value) => decibelStep * Math.floor((value - loudest + decibelRange) / decibelStep + 0.5),
  );
  return { numBins: numMels, numFrames, values };
}
