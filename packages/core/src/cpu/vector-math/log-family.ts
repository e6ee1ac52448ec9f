/**
 * @file log2, log10, log1p and the inverse hyperbolic functions on four lanes, inline.
 *
 * @source none: ours, over the polynomial of log.ts; log1p corrects the logarithm of the rounded 1 + x (Kahan).
 */
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import { emitLog, emitLogParts, emitLogSpecialValues } from "./log.js";
import { emitWide, pushWide } from "./wide.js";

const signBit = -2147483648;
const infinity = Number.POSITIVE_INFINITY;
/** Below it log(1 + x) is x in f32. */
const identityBelow = 5.9604644775390625e-8;
/** From here on 1 is nothing beside x^2. */
const large = 1e9;

/** x = (1 + m) 2^e: log x = e * unit + log(1 + m) * scale, added in f64. Exact where m is 0 and `unit` whole. */
function emitLogOfBase(f: FunctionBuilder, { unit, scale }: { readonly unit: number; readonly scale: number }): void {
  const [x, result] = f.locals("v128", 2) as [Local, Local];
  f.set(x);
  const { e, m, tail } = emitLogParts(f, x);
  emitWide(f, [e, m, tail], ([wideE, wideM, wideTail]) => {
    f.get(wideTail as Local)
      .get(wideM as Local)
      .get(wideM as Local)
      .op("f64x2.mul");
    pushWide(f, 0.5).op("f64x2.mul", "f64x2.sub");
    f.get(wideM as Local).op("f64x2.add");
    pushWide(f, scale).op("f64x2.mul");
    f.get(wideE as Local);
    pushWide(f, unit).op("f64x2.mul", "f64x2.add");
  });
  f.set(result);
  emitLogSpecialValues(f, x, result);
}

/** v128 x -> v128 log2 x; exact at powers of 2. */
export function emitLog2(f: FunctionBuilder): void {
  emitLogOfBase(f, { unit: 1, scale: Math.LOG2E });
}
/** v128 x -> v128 log10 x. */
export function emitLog10(f: FunctionBuilder): void {
  emitLogOfBase(f, { unit: 0.3010299956639812, scale: Math.LOG10E });
}

/** v128 x -> v128 log(1 + x), precise near 0; -inf at -1, NaN below, -0 stays -0. */
export function emitLog1p(f: FunctionBuilder): void {
  const [x, u] = f.locals("v128", 2) as [Local, Local];
  f.tee(x);
  f.get(x).f32x4(1).op("f32x4.add").tee(u);
  emitLog(f);
  // What rounding 1 + x to u left out; nothing at the ends of the range.
  f.get(x).get(u).f32x4(1).op("f32x4.sub", "f32x4.sub").get(u).op("f32x4.div");
  f.get(u).f32x4(0).op("f32x4.gt").get(u).f32x4(infinity).op("f32x4.lt", "v128.and", "v128.and", "f32x4.add");
  f.get(x).op("f32x4.abs").f32x4(identityBelow).op("f32x4.lt", "v128.bitselect");
}

/** v128 x -> v128 asinh x = log(|x| + sqrt(x^2 + 1)) with the sign of x. */
export function emitAsinh(f: FunctionBuilder): void {
  const [x, a, square] = f.locals("v128", 3) as [Local, Local, Local];
  f.tee(x).op("f32x4.abs").tee(a);
  emitLog(f);
  f.f32x4(Math.LN2).op("f32x4.add");
  f.get(a).get(a).op("f32x4.mul").set(square);
  // a + a^2 / (1 + sqrt(a^2 + 1)) = a + sqrt(a^2 + 1) - 1
  f.get(a).get(square).f32x4(1).get(square).f32x4(1).op("f32x4.add", "f32x4.sqrt", "f32x4.add", "f32x4.div");
  f.op("f32x4.add");
  emitLog1p(f);
  f.get(a).f32x4(large).op("f32x4.gt", "v128.bitselect");
  f.get(x).i32x4(signBit).op("v128.and", "v128.or");
}

/** v128 x -> v128 acosh x = log(1 + t + sqrt(t) sqrt(t + 2)) with t = x - 1; NaN below 1. */
export function emitAcosh(f: FunctionBuilder): void {
  const [x, t] = f.locals("v128", 2) as [Local, Local];
  f.tee(x);
  emitLog(f);
  f.f32x4(Math.LN2).op("f32x4.add");
  f.get(x).f32x4(1).op("f32x4.sub").tee(t);
  f.op("f32x4.sqrt").get(t).f32x4(2).op("f32x4.add", "f32x4.sqrt", "f32x4.mul").get(t).op("f32x4.add");
  emitLog1p(f);
  f.get(x).f32x4(large).op("f32x4.gt", "v128.bitselect");
}

/** v128 x -> v128 atanh x = log((1 + a) / (1 - a)) / 2 with a = |x| and the sign of x; infinite at +-1, NaN beyond. */
export function emitAtanh(f: FunctionBuilder): void {
  const [x, a] = f.locals("v128", 2) as [Local, Local];
  f.tee(x).op("f32x4.abs").tee(a);
  f.get(a).op("f32x4.add").f32x4(1).get(a).op("f32x4.sub", "f32x4.div");
  emitLog1p(f);
  f.f32x4(0.5).op("f32x4.mul");
  f.get(x).i32x4(signBit).op("v128.and", "v128.or");
}
