/**
 * @file sin and cos on four lanes, inline: x = n pi/2 + r in f64, then an f32 polynomial on r.
 *
 * @source Cephes sinf and cosf (S. L. Moshier, netlib.org/cephes, single/sinf.c) for the polynomials; the reduction is ours.
 */

import { tablesAddress } from "../memory-layout.js";
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import { maxExponent, piTableEntryBytes } from "./pi-table.js";
import { emitPolynomial } from "./polynomial.js";

const twoOverPi = 0.6366197723675814;
/** pi/2 in pieces of 26, 26 and 53 bits: n * piece is exact for |n| < 2^27. */
const halfPi = [1.5707963109016418, 1.5893254712295857e-8, 6.123233995736766e-17] as const;
const sineCoefficients = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1];
const cosineCoefficients = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2];
/** From here on x is reduced by way of the table: n must stay below 2^27. */
const largeFrom = 67_108_864;
/** sin x = x in f32 below it. */
const identityBelow = 1 / 4_096;
const signBit = -2147483648;

/** v128 x -> v128 sin x. Maximum error 1.6 ulp, at any finite f32; NaN at +-inf; -0 stays -0. Reads the pi table of the memory. */
export function emitSin(f: FunctionBuilder): void {
  const x = f.local("v128");
  f.tee(x);
  f.get(x);
  emitSinCos(f, 0);
  f.get(x).op("f32x4.abs").f32x4(identityBelow).op("f32x4.lt", "v128.bitselect");
}
/** v128 x -> v128 cos x. Maximum error 1.6 ulp, at any finite f32; NaN at +-inf. Reads the pi table of the memory. */
export function emitCos(f: FunctionBuilder): void {
  emitSinCos(f, 1);
}

/** v128 x -> v128 tan x = sin x / cos x. Maximum error 4 ulp, at any finite f32; NaN at +-inf; -0 stays -0. */
export function emitTan(f: FunctionBuilder): void {
  const x = f.local("v128");
  f.tee(x);
  emitSin(f);
  f.get(x);
  emitCos(f);
  f.op("f32x4.div");
}

function emitSinCos(f: FunctionBuilder, quadrantShift: 0 | 1): void {
  const [x, r, quadrant, square, cosine] = f.locals("v128", 5) as [Local, Local, Local, Local, Local];
  f.set(x);
  emitReduction(f, x, { r, quadrant });
  if (quadrantShift === 1) f.get(quadrant).i32x4(1).op("i32x4.add").set(quadrant);
  f.get(r).get(r).op("f32x4.mul").set(square);
  emitPolynomial(f, square, cosineCoefficients);
  f.get(square).op("f32x4.mul").get(square).op("f32x4.mul");
  f.get(square).f32x4(0.5).op("f32x4.mul", "f32x4.sub").f32x4(1).op("f32x4.add").set(cosine);
  f.get(cosine);
  emitPolynomial(f, square, sineCoefficients);
  f.get(square).op("f32x4.mul").get(r).op("f32x4.mul").get(r).op("f32x4.add");
  f.get(quadrant).i32(31).op("i32x4.shl").i32(31).op("i32x4.shr_s", "v128.bitselect");
  f.get(quadrant).i32(30).op("i32x4.shl").i32x4(signBit).op("v128.and", "v128.xor");
}

/** Two lanes in f64, as a sum of three addends congruent to x modulo 2 pi. */
interface WideHalf {
  readonly parts: readonly [Local, Local, Local];
}

/** Sets r in [-pi/4, pi/4] and the quadrant of x, each half of the lanes in f64. */
function emitReduction(f: FunctionBuilder, x: Local, out: { readonly r: Local; readonly quadrant: Local }): void {
  const wideHalf = (): WideHalf => ({ parts: f.locals("v128", 3) as [Local, Local, Local] });
  const halves = [wideHalf(), wideHalf()] as const;
  for (const [i, { parts }] of halves.entries()) {
    f.get(x);
    if (i === 1) f.get(x).shuffle32([2, 3, 2, 3]);
    f.op("f64x2.promote_low_f32x4").set(parts[0]);
    f.f32x4(0).tee(parts[1]).set(parts[2]);
  }
  f.get(x)
    .op("f32x4.abs")
    .f32x4(largeFrom)
    .op("f32x4.ge", "v128.any_true")
    .if(() => {
      for (const [i, half] of halves.entries()) emitLargeHalf(f, { x, half, firstLane: 2 * i });
    });
  const [n, quadrantLow, quadrantHigh] = f.locals("v128", 3) as [Local, Local, Local];
  for (const [i, { parts }] of halves.entries()) {
    f.get(parts[0]).get(parts[1]).op("f64x2.add").f64(twoOverPi).op("f64x2.splat", "f64x2.mul", "f64x2.nearest").set(n);
    f.get(n)
      .op("i32x4.trunc_sat_f64x2_s_zero")
      .set(i === 0 ? quadrantLow : quadrantHigh);
    for (const [p, part] of parts.entries()) {
      f.get(part)
        .get(n)
        .f64(halfPi[p] as number)
        .op("f64x2.splat", "f64x2.mul", "f64x2.sub");
      if (p > 0) f.op("f64x2.add");
    }
    f.op("f32x4.demote_f64x2_zero");
  }
  f.shuffle32([0, 1, 4, 5]).set(out.r);
  f.get(quadrantLow).get(quadrantHigh).shuffle32([0, 1, 4, 5]).set(out.quadrant);
}

/** x = mantissa * 2^k with k >= 0: the parts become mantissa times the parts of 2^k mod 2 pi, of the table. */
function emitLargeHalf(
  f: FunctionBuilder,
  { x, half, firstLane }: { readonly x: Local; readonly half: WideHalf; readonly firstLane: number },
): void {
  const entries = f.locals("i32", 2) as [Local, Local];
  const mantissa = f.local("v128");
  for (const [i, entry] of entries.entries()) {
    f.get(x).i32(23).op("i32x4.shr_u").i32x4(255).op("v128.and").i32x4(150).op("i32x4.sub");
    f.i32x4(0).op("i32x4.max_s").i32x4(maxExponent).op("i32x4.min_s");
    f.extractI32(firstLane + i)
      .i32(piTableEntryBytes)
      .op("i32.mul")
      .set(entry);
  }
  const pair = (word: number) => {
    for (const entry of entries) f.get(entry).mem("v128.load64_splat", tablesAddress + 8 * word);
    f.shuffle32([0, 1, 4, 5]);
  };
  f.get(half.parts[0]);
  pair(0);
  f.op("f64x2.mul").set(mantissa);
  for (const [p, part] of half.parts.entries()) {
    f.get(mantissa);
    pair(p + 1);
    f.op("f64x2.mul").set(part);
  }
}
