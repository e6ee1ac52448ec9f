/**
 * @file exp2, expm1, sinh and cosh on four lanes, inline.
 *
 * @source none: ours; e^r - 1 as in exp.ts.
 */
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import { emitExp, emitExpParts, emitExpPolynomial, emitPowerOfTwo, emitScaled } from "./exp.js";

const ln2 = Math.LN2;
const signBit = -2147483648;
/** Below it e^x - 1 and sinh x are x in f32. */
const identityBelow = 5.9604644775390625e-8;
/** e^x - 1 of it is -1 in f32. */
const lowest = -18;
/** From here on e^x is near overflow, and e^-x is nothing beside it. */
const large = 80;

/** v128 x -> v128 2^x. Exact at whole numbers; results below the normal range are right too. */
export function emitExp2(f: FunctionBuilder): void {
  const [n, r, exponent] = f.locals("v128", 3) as [Local, Local, Local];
  f.f32x4(129).op("f32x4.pmin").f32x4(-151).op("f32x4.pmax").tee(r);
  f.op("f32x4.nearest").tee(n).op("i32x4.trunc_sat_f32x4_s").set(exponent);
  f.get(r).get(n).op("f32x4.sub").f32x4(ln2).op("f32x4.mul").set(r);
  emitScaled(f, { fraction: emitExpPolynomial(f, r), exponent });
}

/** v128 x -> v128 e^x - 1, precise near 0; -0 stays -0. */
export function emitExpm1(f: FunctionBuilder): void {
  const [x, half] = f.locals("v128", 2) as [Local, Local];
  f.tee(x).f32x4(lowest).op("f32x4.pmax");
  const { fraction, exponent } = emitExpParts(f);
  // Half of it first: 2^128 is no f32.
  emitPowerOfTwo(f, () => f.get(exponent).i32x4(1).op("i32x4.sub"));
  f.set(half);
  f.get(x).get(fraction).get(half).op("f32x4.mul").get(half).f32x4(0.5).op("f32x4.sub", "f32x4.add").f32x4(2);
  f.op("f32x4.mul").get(x).op("f32x4.abs").f32x4(identityBelow).op("f32x4.lt", "v128.bitselect");
}

/** Pushes e^a / 2 for large a, as a product that overflows only where it must. */
function emitHalfExp(f: FunctionBuilder, a: Local): void {
  const root = f.local("v128");
  f.get(a).f32x4(0.5).op("f32x4.mul");
  emitExp(f);
  f.tee(root).f32x4(0.5).op("f32x4.mul").get(root).op("f32x4.mul");
}

/** v128 x -> v128 sinh x = (m + m / (m + 1)) / 2 with m = e^|x| - 1; -0 stays -0. */
export function emitSinh(f: FunctionBuilder): void {
  const [x, a, m] = f.locals("v128", 3) as [Local, Local, Local];
  f.tee(x).op("f32x4.abs").set(a);
  emitHalfExp(f, a);
  f.get(a);
  emitExpm1(f);
  f.tee(m).get(m).get(m).f32x4(1).op("f32x4.add", "f32x4.div", "f32x4.add").f32x4(0.5).op("f32x4.mul");
  f.get(a).f32x4(large).op("f32x4.gt", "v128.bitselect");
  f.get(x).i32x4(signBit).op("v128.and", "v128.or");
}

/** v128 x -> v128 cosh x = (e^|x| + e^-|x|) / 2. */
export function emitCosh(f: FunctionBuilder): void {
  const [a, half] = f.locals("v128", 2) as [Local, Local];
  f.op("f32x4.abs").set(a);
  emitHalfExp(f, a);
  f.get(a);
  emitExp(f);
  f.f32x4(0.5).op("f32x4.mul").tee(half);
  f.f32x4(0.25).get(half).op("f32x4.div", "f32x4.add");
  f.get(a).f32x4(large).op("f32x4.gt", "v128.bitselect");
}
