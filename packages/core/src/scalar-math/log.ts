/**
 * @file log and log1p in f64, from + - * / and integer work alone: the same bits on every engine.
 *
 * @source fdlibm 5.3 e_log.c and s_log1p.c. Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Permission to use,
 * copy, modify, and distribute this software is freely granted, provided that this notice is preserved.
 */
import { ln2High, ln2Low } from "./exp.js";
import { fromWords, highWord, lowWord } from "./float-bits.js";

const twoTo54 = 18014398509481984;
const lg1 = 0.6666666666666735;
const lg2 = 0.3999999999940942;
const lg3 = 0.2857142874366239;
const lg4 = 0.22222198432149784;
const lg5 = 0.1818357216161805;
const lg6 = 0.15313837699209373;
const lg7 = 0.14798198605116586;

/**
 * Natural logarithm.
 *
 * @shape scalar -> scalar (f64)
 * @numerics Error below 1 ulp. log(0) is -Infinity, log of a negative number NaN.
 * @source fdlibm 5.3 e_log.c.
 * @example
 * scalarMath.log(1); // => 0
 */
export function log(x: number): number {
  if (Number.isNaN(x) || x < 0) return Number.NaN;
  if (x === 0) return Number.NEGATIVE_INFINITY;
  if (x === Number.POSITIVE_INFINITY) return x;
  let k = 0;
  let high = highWord(x);
  let low = lowWord(x);
  if (high < 0x00100000) {
    const scaled = x * twoTo54;
    k = -54;
    high = highWord(scaled);
    low = lowWord(scaled);
  }
  k += (high >> 20) - 1023;
  high &= 0x000fffff;
  const i = (high + 0x95f64) & 0x100000;
  // x or x/2, so that it lies in [sqrt(2)/2, sqrt(2)].
  const f = fromWords(high | (i ^ 0x3ff00000), low) - 1;
  k += i >> 20;
  if ((0x000fffff & (2 + high)) < 3) {
    if (f === 0) return k === 0 ? 0 : k * ln2High + k * ln2Low;
    const r = f * f * (0.5 - 0.3333333333333333 * f);
    return k === 0 ? f - r : k * ln2High - (r - k * ln2Low - f);
  }
  const s = f / (2 + f);
  const r = polynomial(s * s);
  if (((high - 0x6147a) | (0x6b851 - high)) > 0) {
    const halfSquare = 0.5 * f * f;
    if (k === 0) return f - (halfSquare - s * (halfSquare + r));
    return k * ln2High - (halfSquare - (s * (halfSquare + r) + k * ln2Low) - f);
  }
  if (k === 0) return f - s * (f - r);
  return k * ln2High - (s * (f - r) - k * ln2Low - f);
}

/**
 * log(1 + x) without loss of digits near 0.
 *
 * @shape scalar -> scalar (f64)
 * @numerics Error below 1 ulp. log1p(-1) is -Infinity, below that NaN.
 * @source fdlibm 5.3 s_log1p.c.
 * @example
 * scalarMath.log1p(0); // => 0
 */
export function log1p(x: number): number {
  if (Number.isNaN(x) || x < -1) return Number.NaN;
  if (x === -1) return Number.NEGATIVE_INFINITY;
  if (x === Number.POSITIVE_INFINITY) return x;
  if (Math.abs(x) < 5.551115123125783e-17) return x;
  if (Math.abs(x) < 1.862645149230957e-9) return x - x * x * 0.5;
  let k = 0;
  let f = x;
  let c = 0;
  let fraction = 1;
  // Outside of about (sqrt(1/2) - 1, sqrt(2) - 1): 1 + x = 2^k (1 + f), c corrects the rounding of 1 + x.
  if (x <= -0.2929 || x >= 0.41422) {
    const u = 1 + x;
    const high = highWord(u);
    k = (high >> 20) - 1023;
    c = (k > 0 ? 1 - (u - x) : x - (u - 1)) / u;
    fraction = high & 0x000fffff;
    if (fraction < 0x6a09e) {
      f = fromWords(fraction | 0x3ff00000, lowWord(u)) - 1;
    } else {
      k += 1;
      f = fromWords(fraction | 0x3fe00000, lowWord(u)) - 1;
      fraction = (0x00100000 - fraction) >> 2;
    }
  }
  const halfSquare = 0.5 * f * f;
  if (fraction === 0) {
    if (f === 0) return k === 0 ? 0 : k * ln2High + (c + k * ln2Low);
    const r = halfSquare * (1 - 0.6666666666666666 * f);
    return k === 0 ? f - r : k * ln2High - (r - (k * ln2Low + c) - f);
  }
  const s = f / (2 + f);
  const r = polynomial(s * s);
  if (k === 0) return f - (halfSquare - s * (halfSquare + r));
  return k * ln2High - (halfSquare - (s * (halfSquare + r) + (k * ln2Low + c)) - f);
}

/** z (lg1 + z (lg2 + ...)), summed in even and odd halves as fdlibm does. */
function polynomial(z: number): number {
  const w = z * z;
  const even = w * (lg2 + w * (lg4 + w * lg6));
  const odd = z * (lg1 + w * (lg3 + w * (lg5 + w * lg7)));
  return odd + even;
}
