/**
 * @file pow in f64, from + - * / and integer work alone: the same bits on every engine (host Math.pow is not, between versions of
 * one engine even).
 *
 * @source fdlibm 5.3 e_pow.c. Copyright (C) 2004 by Sun Microsystems, Inc. All rights reserved. Permission to use, copy, modify, and
 * distribute this software is freely granted, provided that this notice is preserved.
 */
import { fromWords, highWord, lowWord, scaleByPowerOfTwo, withLowWord } from "./float-bits.js";

const l1 = 0.5999999999999946;
const l2 = 0.4285714285785502;
const l3 = 0.33333332981837743;
const l4 = 0.272728123808534;
const l5 = 0.23066074577556175;
const l6 = 0.20697501780033842;
const p1 = 0.16666666666666602;
const p2 = -0.0027777777777015593;
const p3 = 0.00006613756321437934;
const p4 = -0.0000016533902205465252;
const p5 = 4.1381367970572385e-8;
// biome-ignore lint/suspicious/noApproximativeNumericConstant: the standard gives the host's constants only approximately
const ln2 = 0.6931471805599453;
const ln2High = 0.6931471824645996;
const ln2Low = -1.904654299957768e-9;
/** -(1024 - log2(overflow + half an ulp)) */
const overflowMargin = 8.008566259537294e-17;
/** 2 / (3 ln 2), whole, high part, low part. */
const cp = 0.9617966939259756;
const cpHigh = 0.9617967009544373;
const cpLow = -7.028461650952758e-9;
const log2OfOneAndHalfHigh = 0.5849624872207642;
const log2OfOneAndHalfLow = 1.350039202129749e-8;
const twoTo53 = 9007199254740992;

/**
 * x^y.
 *
 * @shape scalar, scalar -> scalar (f64)
 * @numerics Error below 1 ulp. Special cases as in ECMAScript: pow(x, 0) is 1 for every x, pow(1, Infinity) and pow(-1, Infinity)
 *   are NaN, a negative x with a y that is no integer gives NaN.
 * @source fdlibm 5.3 e_pow.c. Deviation: |y| above 2^31 goes the same way as the rest.
 * @example
 * scalarMath.pow(2, 10); // => 1024
 */
export function pow(x: number, y: number): number {
  if (y === 0) return 1;
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.NaN;
  const isYInteger = Math.abs(y) >= twoTo53 || Math.trunc(y) === y;
  const isYOdd = isYInteger && Math.abs(y) < twoTo53 && y % 2 !== 0;
  const a = Math.abs(x);
  if (!Number.isFinite(y)) {
    if (a === 1) return Number.NaN;
    return a > 1 === y > 0 ? Number.POSITIVE_INFINITY : 0;
  }
  const isNegative = x < 0 || (x === 0 && 1 / x < 0);
  const sign = isNegative && isYOdd ? -1 : 1;
  if (a === 0 || a === Number.POSITIVE_INFINITY) return sign * ((a === 0) === y > 0 ? 0 : Number.POSITIVE_INFINITY);
  if (isNegative && !isYInteger) return Number.NaN;
  if (a === 1) return sign;
  return sign * powOfPositive(a, y);
}

/** a^y for finite a > 0, a != 1, finite y != 0. */
function powOfPositive(a: number, y: number): number {
  // |log2 a| is at least 2^-53.5, so that from here on the result is beyond the range either way.
  if (Math.abs(y) > 1.8e19) return a > 1 === y > 0 ? Number.POSITIVE_INFINITY : 0;
  const { high: t1, low: t2 } = log2InTwoParts(a);
  // y log2 a in two parts: y = y1 + y2 with y1 of 21 bits.
  const y1 = withLowWord(y, 0);
  const low = (y - y1) * t1 + y * t2;
  const high = y1 * t1;
  const z = low + high;
  if (z >= 1024) {
    if (z > 1024 || low + overflowMargin > z - high) return Number.POSITIVE_INFINITY;
  } else if (z <= -1075) {
    if (z < -1075 || low <= z - high) return 0;
  }
  return exp2InTwoParts(high, low);
}

/** log2(a) = high + low; high has its lower word zero. */
function log2InTwoParts(a: number): { high: number; low: number } {
  let x = a;
  let n = 0;
  let word = highWord(x);
  if (word < 0x00100000) {
    x *= twoTo53;
    n = -53;
    word = highWord(x);
  }
  n += (word >> 20) - 1023;
  const fraction = word & 0x000fffff;
  word = fraction | 0x3ff00000;
  // k = 1: compare with 1.5 instead of 1.
  let k = 0;
  if (fraction > 0x3988e) {
    if (fraction < 0xbb67a) k = 1;
    else {
      n += 1;
      word -= 0x00100000;
    }
  }
  const ax = fromWords(word, lowWord(x));
  const center = k === 1 ? 1.5 : 1;
  const u = ax - center;
  const v = 1 / (ax + center);
  const ss = u * v;
  const ssHigh = withLowWord(ss, 0);
  const tHigh = fromWords(((word >> 1) | 0x20000000) + 0x00080000 + (k << 18), 0);
  const tLow = ax - (tHigh - center);
  const ssLow = v * (u - ssHigh * tHigh - ssHigh * tLow);
  let s2 = ss * ss;
  let r = s2 * s2 * (l1 + s2 * (l2 + s2 * (l3 + s2 * (l4 + s2 * (l5 + s2 * l6)))));
  r += ssLow * (ssHigh + ss);
  s2 = ssHigh * ssHigh;
  const t3High = withLowWord(3 + s2 + r, 0);
  const t3Low = r - (t3High - 3 - s2);
  const uu = ssHigh * t3High;
  const vv = ssLow * t3High + t3Low * ss;
  const pHigh = withLowWord(uu + vv, 0);
  const pLow = vv - (pHigh - uu);
  const zHigh = cpHigh * pHigh;
  const zLow = cpLow * pHigh + pLow * cp + (k === 1 ? log2OfOneAndHalfLow : 0);
  const offset = k === 1 ? log2OfOneAndHalfHigh : 0;
  const high = withLowWord(zHigh + zLow + offset + n, 0);
  return { high, low: zLow - (high - n - offset - zHigh) };
}

/** 2^(high + low), |high + low| < 1076. */
function exp2InTwoParts(high: number, low: number): number {
  const z = high + low;
  let n = 0;
  let rest = high;
  if (Math.abs(z) > 0.5) {
    n = Math.trunc(z + (z < 0 ? -0.5 : 0.5));
    rest = high - n;
  }
  const t = withLowWord(low + rest, 0);
  const u = t * ln2High;
  const v = (low - (t - rest)) * ln2 + t * ln2Low;
  const s = u + v;
  const w = v - (s - u);
  const t2 = s * s;
  const t1 = s - t2 * (p1 + t2 * (p2 + t2 * (p3 + t2 * (p4 + t2 * p5))));
  const r = (s * t1) / (t1 - 2) - (w + s * w);
  return scaleByPowerOfTwo(1 - (r - s), n);
}
