/**
 * @file exp on four lanes, inline: x = n ln 2 + r, e^r by a polynomial, 2^n in two exact factors so that denormal results are
 * rounded once.
 *
 * @source Cephes expf (S. L. Moshier, netlib.org/cephes, single/expf.c): polynomial and the split of ln 2. Strict f32, no contraction.
 */
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import { emitPolynomial } from "./polynomial.js";

const log2e = Math.LOG2E;
/** Highest bits of ln 2, few enough that n * ln2High is exact, and the rest. */
const ln2High = 0.693359375;
const ln2Low = -2.1219444e-4;
/** Adding and subtracting it rounds to an integer, which then stands in the low bits. */
const roundingShift = 12_582_912;
const roundingShiftBits = 0x4b400000;
/** Beyond these the result is infinite, or zero. */
const highest = 89;
const lowest = -104;
/** Up to here on both sides e^x is a normal f32. */
const plain = 87;
const coefficients = [
  1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
];

export interface ExpParts {
  /** e^r - 1 */
  readonly fraction: Local;
  /** n, as i32 lanes */
  readonly exponent: Local;
}

/** Takes x from the stack; leaves nothing. e^x = 2^exponent * (1 + fraction). A NaN stays in `fraction`. */
export function emitExpParts(f: FunctionBuilder): ExpParts {
  // pmin(a, b) is b < a ? b : a, so a NaN in a stays.
  f.f32x4(highest).op("f32x4.pmin").f32x4(lowest).op("f32x4.pmax");
  return emitReducedParts(f);
}

/** As emitExpParts, for x in lowest..highest. */
function emitReducedParts(f: FunctionBuilder): ExpParts {
  const [n, r, exponent] = f.locals("v128", 3) as [Local, Local, Local];
  f.tee(r);
  f.f32x4(log2e).op("f32x4.mul").f32x4(roundingShift).op("f32x4.add").tee(n);
  f.i32x4(roundingShiftBits).op("i32x4.sub").set(exponent);
  f.get(n).f32x4(roundingShift).op("f32x4.sub").set(n);
  f.get(r).get(n).f32x4(ln2High).op("f32x4.mul", "f32x4.sub");
  f.get(n).f32x4(ln2Low).op("f32x4.mul", "f32x4.sub").set(r);
  return { fraction: emitExpPolynomial(f, r), exponent };
}

/** e^r - 1 for |r| <= ln 2 / 2. */
export function emitExpPolynomial(f: FunctionBuilder, r: Local): Local {
  const fraction = f.local("v128");
  emitPolynomial(f, r, coefficients);
  f.get(r).get(r).op("f32x4.mul", "f32x4.mul").get(r).op("f32x4.add").set(fraction);
  return fraction;
}

/** Pushes 2^e for i32 lanes e in [-126, 127] that `pushExponent` pushes. */
export function emitPowerOfTwo(f: FunctionBuilder, pushExponent: () => void): void {
  pushExponent();
  f.i32x4(127).op("i32x4.add").i32(23).op("i32x4.shl");
}

/**
 * v128 x -> v128 e^x. Maximum error 1 ulp (over every 127th f32; vector-math.test.ts sweeps a part); exact at 0, inf, -inf; NaN stays NaN; results below
 * the normal range are right too.
 */
export function emitExp(f: FunctionBuilder): void {
  const x = f.local("v128");
  f.tee(x).op("f32x4.abs").f32x4(plain).op("f32x4.le", "i32x4.all_true");
  f.ifValue(
    "v128",
    () => {
      f.get(x);
      const { fraction, exponent } = emitReducedParts(f);
      // Nothing overflows or leaves the normal range: 2^n is added to the exponent's bits.
      f.get(fraction).f32x4(1).op("f32x4.add").get(exponent).i32(23).op("i32x4.shl", "i32x4.add");
    },
    () => {
      f.get(x);
      emitScaled(f, emitExpParts(f));
    },
  );
}

/** Pushes (1 + fraction) * 2^exponent, in two exact factors: results below the normal range are rounded once. */
export function emitScaled(f: FunctionBuilder, { fraction, exponent }: ExpParts): void {
  const half = f.local("v128");
  f.get(exponent).i32(1).op("i32x4.shr_s").set(half);
  f.get(fraction).f32x4(1).op("f32x4.add");
  emitPowerOfTwo(f, () => f.get(half));
  f.op("f32x4.mul");
  emitPowerOfTwo(f, () => f.get(exponent).get(half).op("i32x4.sub"));
  f.op("f32x4.mul");
}
