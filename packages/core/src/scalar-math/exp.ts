/**
 * @file exp and expm1 in f64, from + - * / and integer work alone: the same bits on every engine.
 *
 * @source fdlibm 5.3 e_exp.c and s_expm1.c. Copyright (C) 2004 by Sun Microsystems, Inc. All rights reserved. Permission to use,
 * copy, modify, and distribute this software is freely granted, provided that this notice is preserved.
 */
import { highWord, powerOfTwo, scaleByPowerOfTwo } from "./float-bits.js";

const overflow = 709.782712893384;
const underflow = -745.1332191019411;
export const ln2High = 0.6931471803691238;
export const ln2Low = 1.9082149292705877e-10;
// biome-ignore lint/suspicious/noApproximativeNumericConstant: the standard gives the host's constants only approximately
const inverseLn2 = 1.4426950408889634;
// biome-ignore lint/suspicious/noApproximativeNumericConstant: the standard gives the host's constants only approximately
const e = 2.718281828459045;
const halfLn2 = 0.34657359027997264;

const p1 = 0.16666666666666602;
const p2 = -0.0027777777777015593;
const p3 = 0.00006613756321437934;
const p4 = -0.0000016533902205465252;
const p5 = 4.1381367970572385e-8;

const q1 = -0.03333333333333313;
const q2 = 0.0015873015872548146;
const q3 = -0.0000793650757867488;
const q4 = 0.000004008217827329362;
const q5 = -2.0109921818362437e-7;

/**
 * e^x.
 *
 * @shape scalar -> scalar (f64)
 * @numerics Error below 1 ulp; exact at 0 and at the infinities; NaN stays NaN.
 * @source fdlibm 5.3 e_exp.c.
 * @example
 * scalarMath.exp(1); // => 2.718281828459045
 */
export function exp(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > overflow) return Number.POSITIVE_INFINITY;
  if (x < underflow) return 0;
  // The formula below is one ulp off here, and e is what people look at.
  if (x === 1) return e;
  let high = 0;
  let low = 0;
  let r = x;
  let k = 0;
  if (Math.abs(x) > halfLn2) {
    k = Math.trunc(inverseLn2 * x + (x < 0 ? -0.5 : 0.5));
    high = x - k * ln2High;
    low = k * ln2Low;
    r = high - low;
  } else if ((highWord(x) & 0x7fffffff) < 0x3e300000) {
    return 1 + x;
  }
  const t = r * r;
  const c = r - t * (p1 + t * (p2 + t * (p3 + t * (p4 + t * p5))));
  if (k === 0) return 1 - ((r * c) / (c - 2) - r);
  const y = 1 - (low - (r * c) / (2 - c) - high);
  return scaleByPowerOfTwo(y, k);
}

/**
 * e^x - 1 without loss of digits near 0.
 *
 * @shape scalar -> scalar (f64)
 * @numerics Error below 1 ulp.
 * @source fdlibm 5.3 s_expm1.c.
 * @example
 * scalarMath.expm1(0); // => 0
 */
export function expm1(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > overflow) return Number.POSITIVE_INFINITY;
  if (x < -38.816242903) return -1;
  let r = x;
  let k = 0;
  let c = 0;
  if (Math.abs(x) > halfLn2) {
    k = Math.trunc(inverseLn2 * x + (x < 0 ? -0.5 : 0.5));
    const high = x - k * ln2High;
    const low = k * ln2Low;
    r = high - low;
    c = high - r - low;
  } else if ((highWord(x) & 0x7fffffff) < 0x3c900000) {
    return x;
  }
  const half = 0.5 * r;
  const hx = r * half;
  const r1 = 1 + hx * (q1 + hx * (q2 + hx * (q3 + hx * (q4 + hx * q5))));
  const t = 3 - r1 * half;
  let q = hx * ((r1 - t) / (6 - r * t));
  if (k === 0) return r - (r * q - hx);
  q = r * (q - c) - c - hx;
  if (k === -1) return 0.5 * (r - q) - 0.5;
  if (k === 1) return r < -0.25 ? -2 * (q - (r + 0.5)) : 1 + 2 * (r - q);
  if (k <= -2 || k > 56) return scaleByPowerOfTwo(1 - (q - r), k) - 1;
  if (k < 20) return scaleByPowerOfTwo(1 - powerOfTwo(-k) - (q - r), k);
  return scaleByPowerOfTwo(r - (q + powerOfTwo(-k)) + 1, k);
}
