/**
 * @file Natural logarithm on four lanes, inline: x = m 2^e with m in [sqrt(1/2), sqrt(2)), log m by a polynomial.
 *
 * @source Cephes logf (S. L. Moshier, netlib.org/cephes, single/logf.c). Strict f32, no contraction.
 */
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import { emitPolynomial } from "./polynomial.js";

const coefficients = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
];
const ln2High = 0.693359375;
const ln2Low = -2.1219444e-4;
const sqrtHalfBits = 0x3f3504f3;
const smallestNormal = 1.1754943508222875e-38;

/** v128 x -> v128 ln x. Maximum error 0.8 ulp; log 0 = -inf, log inf = inf, NaN below 0; denormals are right too. */
export function emitLog(f: FunctionBuilder): void {
  const x = f.local("v128");
  f.set(x);
  const { e, m, square, tail } = emitLogParts(f, x);
  f.get(tail).get(e).f32x4(ln2Low).op("f32x4.mul", "f32x4.add");
  f.get(square).f32x4(0.5).op("f32x4.mul", "f32x4.sub");
  f.get(m).op("f32x4.add");
  f.get(e).f32x4(ln2High).op("f32x4.mul", "f32x4.add").set(m);
  emitLogSpecialValues(f, x, m);
}

export interface LogParts {
  /** x = (1 + m) 2^e; e is a whole f32. */
  readonly e: Local;
  readonly m: Local;
  /** m^2 */
  readonly square: Local;
  /** log(1 + m) = m - square / 2 + tail */
  readonly tail: Local;
}

/** For 0 < x < inf. */
export function emitLogParts(f: FunctionBuilder, x: Local): LogParts {
  const [scaled, isDenormal, exponent] = f.locals("v128", 3) as [Local, Local, Local];
  const [e, m, square, tail] = f.locals("v128", 4) as [Local, Local, Local, Local];
  f.get(x).f32x4(smallestNormal).op("f32x4.lt").set(isDenormal);
  f.get(x).f32x4(8_388_608).op("f32x4.mul").get(x).get(isDenormal).op("v128.bitselect").tee(scaled);
  f.i32x4(sqrtHalfBits).op("i32x4.sub").i32(23).op("i32x4.shr_s").set(exponent);
  f.get(scaled).get(exponent).i32(23).op("i32x4.shl", "i32x4.sub").f32x4(1).op("f32x4.sub").set(m);
  f.get(exponent).i32x4(23).get(isDenormal).op("v128.and", "i32x4.sub", "f32x4.convert_i32x4_s").set(e);
  f.get(m).get(m).op("f32x4.mul").set(square);
  emitPolynomial(f, m, coefficients);
  f.get(m).op("f32x4.mul").get(square).op("f32x4.mul").set(tail);
  return { e, m, square, tail };
}

/** Pushes the result where 0 < x < inf, x itself for inf and NaN, -inf at 0, NaN below. */
export function emitLogSpecialValues(f: FunctionBuilder, x: Local, result: Local): void {
  f.get(result).get(x);
  f.get(x).f32x4(Number.POSITIVE_INFINITY).op("f32x4.lt", "v128.bitselect").set(result);
  f.f32x4(Number.NEGATIVE_INFINITY).get(result).get(x).f32x4(0).op("f32x4.eq", "v128.bitselect").set(result);
  f.f32x4(Number.NaN).get(result).get(x).f32x4(0).op("f32x4.lt", "v128.bitselect");
}
