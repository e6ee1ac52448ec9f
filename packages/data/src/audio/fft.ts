/**
 * @file The discrete Fourier transform of any length in f64: X[k] = sum over n of x[n] exp(-2 pi i k n / N).
 *
 * Twiddles come from core's scalar-math and sums have a fixed order, so the bits are the same on every machine.
 */
import { scalarMath } from "@lockstep/core";
import { assertCounts } from "./audio-error.js";

const twoPi = 2 * Math.PI;

/** A plan for transforms of one length, made once. */
export interface Fft {
  readonly size: number;
  /** Transforms in place. Both arrays have `size` numbers. */
  forward(re: Float64Array, im: Float64Array): void;
}

/**
 * A plan: radix 2 where the length is a power of two, else Bluestein's convolution with one that is.
 *
 * @throws {ValueError} E_AUDIO unless size is a whole number of at least 1.
 * @source Cooley and Tukey 1965; Bluestein 1970.
 */
export function createFft(size: number): Fft {
  assertCounts("createFft", { size });
  return (size & (size - 1)) === 0 ? radix2(size) : bluestein(size);
}

function radix2(size: number): Fft {
  const cos = Float64Array.from({ length: size / 2 }, (_, k) => scalarMath.cos((twoPi * k) / size));
  const sin = Float64Array.from({ length: size / 2 }, (_, k) => -scalarMath.sin((twoPi * k) / size));
  const reversed = bitReversed(size);
  return {
    size,
    forward(re, im) {
      for (let i = 0; i < size; i++) {
        const j = reversed[i]!;
        if (j <= i) continue;
        [re[i], re[j]] = [re[j]!, re[i]!];
        [im[i], im[j]] = [im[j]!, im[i]!];
      }
      for (let half = 1; half < size; half *= 2) {
        const stride = size / (2 * half);
        for (let begin = 0; begin < size; begin += 2 * half) {
          for (let k = 0; k < half; k++) {
            const [c, s] = [cos[k * stride]!, sin[k * stride]!];
            const [upper, lower] = [begin + k, begin + k + half];
            const turnedRe = re[lower]! * c - im[lower]! * s;
            const turnedIm = re[lower]! * s + im[lower]! * c;
            re[lower] = re[upper]! - turnedRe;
            im[lower] = im[upper]! - turnedIm;
            re[upper] = re[upper]! + turnedRe;
            im[upper] = im[upper]! + turnedIm;
          }
        }
      }
    },
  };
}

function bitReversed(size: number): Uint32Array {
  const out = new Uint32Array(size);
  for (let i = 1; i < size; i++) out[i] = (out[i >> 1]! >> 1) | (i % 2 === 1 ? size >> 1 : 0);
  return out;
}

/** k n = (k^2 + n^2 - (k - n)^2) / 2: the transform is a convolution with the chirp exp(i pi n^2 / N) between two products with it. */
function bluestein(size: number): Fft {
  let length = 1;
  while (length < 2 * size - 1) length *= 2;
  const inner = radix2(length);
  // n^2 modulo 2 N, so that the angle stays small.
  const angles = Float64Array.from({ length: size }, (_, n) => (twoPi * ((n * n) % (2 * size))) / (2 * size));
  const cos = angles.map((angle) => scalarMath.cos(angle));
  const sin = angles.map((angle) => scalarMath.sin(angle));
  const chirpRe = new Float64Array(length);
  const chirpIm = new Float64Array(length);
  for (let n = 0; n < size; n++) {
    for (const place of n === 0 ? [0] : [n, length - n]) {
      chirpRe[place] = cos[n]!;
      chirpIm[place] = sin[n]!;
    }
  }
  inner.forward(chirpRe, chirpIm);
  const workRe = new Float64Array(length);
  const workIm = new Float64Array(length);
  return {
    size,
    forward(re, im) {
      workRe.fill(0);
      workIm.fill(0);
      for (let n = 0; n < size; n++) {
        workRe[n] = re[n]! * cos[n]! + im[n]! * sin[n]!;
        workIm[n] = im[n]! * cos[n]! - re[n]! * sin[n]!;
      }
      inner.forward(workRe, workIm);
      for (let k = 0; k < length; k++) {
        const product = workRe[k]! * chirpRe[k]! - workIm[k]! * chirpIm[k]!;
        // The conjugate, so that a second forward transform is the inverse but for conjugation and 1 / length.
        workIm[k] = -(workRe[k]! * chirpIm[k]! + workIm[k]! * chirpRe[k]!);
        workRe[k] = product;
      }
      inner.forward(workRe, workIm);
      for (let k = 0; k < size; k++) {
        const [a, b] = [workRe[k]! / length, -workIm[k]! / length];
        re[k] = a * cos[k]! + b * sin[k]!;
        im[k] = b * cos[k]! - a * sin[k]!;
      }
    },
  };
}
