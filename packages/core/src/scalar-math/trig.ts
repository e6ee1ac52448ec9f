/**
 * @file sin and cos in f64, from + - * / and integer work alone: the same bits on every engine.
 *
 * @source fdlibm 5.3 k_sin.c and k_cos.c. Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Permission to use, copy,
 * modify, and distribute this software is freely granted, provided that this notice is preserved.
 */
import { fromWords, highWord } from "./float-bits.js";
import { reduceAngle } from "./reduce-angle.js";

const s1 = -0.16666666666666632;
const s2 = 0.00833333333332249;
const s3 = -0.0001984126982985795;
const s4 = 0.0000027557313707070068;
const s5 = -2.5050760253406863e-8;
const s6 = 1.58969099521155e-10;

const c1 = 0.0416666666666666;
const c2 = -0.001388888888887411;
const c3 = 0.00002480158728947673;
const c4 = -2.7557314351390663e-7;
const c5 = 2.087572321298175e-9;
const c6 = -1.1359647557788195e-11;

const quarterPi = 0.7853981633974483;

/**
 * Sine of an angle in radians.
 *
 * @shape scalar -> scalar (f64)
 * @numerics Error below 1 ulp for every finite x; NaN for the infinities.
 * @source fdlibm 5.3 s_sin.c.
 * @example
 * scalarMath.sin(0); // => 0
 */
export function sin(x: number): number {
  if (!Number.isFinite(x)) return Number.NaN;
  if (Math.abs(x) <= quarterPi) return sineOfSmall(x, 0);
  const { quadrant, high, low } = reduceAngle(x);
  const value = quadrant % 2 === 0 ? sineOfSmall(high, low) : cosineOfSmall(high, low);
  return quadrant < 2 ? value : -value;
}

/**
 * Cosine of an angle in radians.
 *
 * @shape scalar -> scalar (f64)
 * @numerics Error below 1 ulp for every finite x; NaN for the infinities.
 * @source fdlibm 5.3 s_cos.c.
 * @example
 * scalarMath.cos(0); // => 1
 */
export function cos(x: number): number {
  if (!Number.isFinite(x)) return Number.NaN;
  if (Math.abs(x) <= quarterPi) return cosineOfSmall(x, 0);
  const { quadrant, high, low } = reduceAngle(x);
  const value = quadrant % 2 === 0 ? cosineOfSmall(high, low) : sineOfSmall(high, low);
  return quadrant === 0 || quadrant === 3 ? value : -value;
}

/** sin(x + tail), |x| <= pi/4. */
function sineOfSmall(x: number, tail: number): number {
  if ((highWord(x) & 0x7fffffff) < 0x3e400000) return x;
  const z = x * x;
  const v = z * x;
  const r = s2 + z * (s3 + z * (s4 + z * (s5 + z * s6)));
  if (tail === 0) return x + v * (s1 + z * r);
  return x - (z * (0.5 * tail - v * r) - tail - v * s1);
}

/** cos(x + tail), |x| <= pi/4. */
function cosineOfSmall(x: number, tail: number): number {
  const high = highWord(x) & 0x7fffffff;
  if (high < 0x3e400000) return 1;
  const z = x * x;
  const r = z * (c1 + z * (c2 + z * (c3 + z * (c4 + z * (c5 + z * c6)))));
  if (high < 0x3fd33333) return 1 - (0.5 * z - (z * r - x * tail));
  const quarter = high > 0x3fe90000 ? 0.28125 : fromWords(high - 0x00200000, 0);
  const halfSquare = 0.5 * z - quarter;
  return 1 - quarter - (halfSquare - (z * r - x * tail));
}
