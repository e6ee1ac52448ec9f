/**
 * @file x = n * pi/2 + r with |r| <= pi/4, for any finite x: in f64 steps for moderate x, in whole numbers for huge ones.
 *
 * @source fdlibm 5.3 e_rem_pio2.c for the three-part pi/2 (Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved.
 * Permission to use, copy, modify, and distribute this software is freely granted, provided that this notice is preserved).
 * The path for huge x is ours: a product of integers instead of Payne and Hanek's floating-point one.
 */
import { highWord, lowWord } from "./float-bits.js";

export interface ReducedAngle {
  /** n mod 4. */
  readonly quadrant: number;
  /** r = high + low. */
  readonly high: number;
  readonly low: number;
}

const twoOverPi = 0.6366197723675814;
/** pi/2 in pieces of 33 bits, so that n times a piece is exact, and what follows each. */
const piece1 = 1.5707963267341256;
const tail1 = 6.077100506506192e-11;
const piece2 = 6.077100506303966e-11;
const tail2 = 2.0222662487959506e-21;
const piece3 = 2.0222662487111665e-21;
const tail3 = 8.4784276603689e-32;
const largestByPieces = 1647099;

/** floor(2/pi * 2^1280). */
const twoOverPiDigits =
  "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e0" +
  "06492eea09d1921cfe1deb1cb129a73ee88235f52ebb4484e99c7026b45f7e413991d639835339f4" +
  "9c845f8bbdf9283b1ff897ffde05980fef2f118b5a0a6d1f6d367ecf27cb09b74f463f669e5fea2d" +
  "7527bac7ebe5f17b3d0739f78a5292ea6bfb5fb11f8d5d0856033046fc7b6babf0cfbc209af4361d";
/** floor(pi/2 * 2^128). */
const halfPiDigits = "1921fb54442d18469898cc51701b839a2";

/** @param x finite */
export function reduceAngle(x: number): ReducedAngle {
  const a = Math.abs(x);
  const reduced = a < largestByPieces ? reduceByPieces(a) : reduceByIntegers(a);
  if (x >= 0) return reduced;
  return { quadrant: (4 - reduced.quadrant) % 4, high: -reduced.high, low: -reduced.low };
}

function reduceByPieces(a: number): ReducedAngle {
  const n = Math.trunc(a * twoOverPi + 0.5);
  const exponent = exponentOf(a);
  let r = a - n * piece1;
  let w = n * tail1;
  let high = r - w;
  // Where many leading bits cancel, the next piece of pi/2 is needed.
  if (exponent - exponentOf(high) > 16) {
    const before = r;
    w = n * piece2;
    r = before - w;
    w = n * tail2 - (before - r - w);
    high = r - w;
    if (exponent - exponentOf(high) > 49) {
      const again = r;
      w = n * piece3;
      r = again - w;
      w = n * tail3 - (again - r - w);
      high = r - w;
    }
  }
  return { quadrant: n % 4, high, low: r - high - w };
}

function exponentOf(x: number): number {
  return (highWord(x) >> 20) & 0x7ff;
}

/** a = fraction * 2^exponent is a whole number here; fraction * 2/pi in 1280 bits behind the point leaves over 100 good bits. */
function reduceByIntegers(a: number): ReducedAngle {
  const exponent = exponentOf(a) - 1075;
  const fraction = (BigInt((highWord(a) & 0xfffff) | 0x100000) << 32n) | BigInt(lowWord(a) >>> 0);
  const product = fraction * BigInt(`0x${twoOverPiDigits}`);
  const bits = 1280 - exponent;
  let quadrant = (product >> BigInt(bits)) & 3n;
  let rest = (product & ((1n << BigInt(bits)) - 1n)) >> BigInt(bits - 192);
  let isNegative = false;
  if (rest >> 191n === 1n) {
    quadrant = (quadrant + 1n) & 3n;
    rest = (1n << 192n) - rest;
    isNegative = true;
  }
  // 192 + 128 bits behind the point.
  const angle = rest * BigInt(`0x${halfPiDigits}`);
  const high = toNumber(angle);
  const low = toNumber(angle - exactBits(high));
  return { quadrant: Number(quadrant), high: isNegative ? -high : high, low: isNegative ? -low : low };
}

const pointBits = 320;

/** value * 2^-320, rounded to an f64. */
function toNumber(value: bigint): number {
  // Number() rounds correctly; 2^-320 is exact.
  return Number(value) * 4.6816763546921983e-97;
}

/** x * 2^320 for an f64 whose lowest bit is not below 2^-320. */
function exactBits(x: number): bigint {
  if (x === 0) return 0n;
  const fraction = (BigInt((highWord(x) & 0xfffff) | 0x100000) << 32n) | BigInt(lowWord(x) >>> 0);
  const shift = exponentOf(x) - 1075 + pointBits;
  const magnitude = shift >= 0 ? fraction << BigInt(shift) : fraction >> BigInt(-shift);
  return x < 0 ? -magnitude : magnitude;
}
