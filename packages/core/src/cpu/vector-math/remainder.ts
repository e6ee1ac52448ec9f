/** @file Remainders, quotients of integers and the length of a pair, on four lanes, inline, by way of f64. @source none: ours */
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import { emitWide, pushWide } from "./wide.js";

/** Keeps the upper 29 bits of an f64's mantissa: times an f32 it is exact. */
const upperBits = 24;

/**
 * v128 x, v128 y -> v128 x - trunc(x / y) * y, exact for all finite x: C's fmod. The sign is x's; x itself for an infinite y; NaN for y = 0 and
 * for an infinite x. Each turn takes 29 bits off the quotient, so nearly always there is one.
 */
export function emitFmod(f: FunctionBuilder): void {
  const [x, y] = f.locals("v128", 2) as [Local, Local];
  f.set(y).set(x);
  emitWide(f, [x, y], ([wideX, wideY]) => {
    const [rest, divisor] = f.locals("v128", 2) as [Local, Local];
    f.get(wideY as Local)
      .op("f64x2.abs")
      .set(divisor);
    f.get(wideX as Local)
      .op("f64x2.abs")
      .set(rest);
    f.get(rest);
    pushWide(f, Number.NaN).get(divisor);
    pushWide(f, 0).op("f64x2.gt").get(rest);
    pushWide(f, Number.POSITIVE_INFINITY).op("f64x2.lt", "v128.and", "v128.bitselect").set(rest);
    f.loop(() => {
      f.get(rest).get(rest).get(divisor).op("f64x2.div", "f64x2.trunc");
      f.i32(upperBits).op("i64x2.shr_u").i32(upperBits).op("i64x2.shl").get(divisor).op("f64x2.mul", "f64x2.sub");
      f.get(rest).get(rest).get(divisor).op("f64x2.ge", "v128.bitselect").tee(rest);
      f.get(divisor).op("f64x2.ge", "v128.any_true").brIf(0);
    });
    // A quotient that was rounded up to the next integer.
    f.get(rest).get(divisor).op("f64x2.add").get(rest).get(rest);
    pushWide(f, 0).op("f64x2.lt", "v128.bitselect");
    pushWide(f, -0)
      .get(wideX as Local)
      .op("v128.and", "v128.or");
  });
}

/** i32 lanes x, y -> floor(x / y), 0 where y is 0. The quotient in f64 is never rounded to an integer that it is not. */
export function emitFloorDivide(f: FunctionBuilder): void {
  const [x, y] = f.locals("v128", 2) as [Local, Local];
  f.set(y).set(x);
  for (const half of [0, 1]) {
    for (const operand of [x, y]) {
      f.get(operand);
      if (half === 1) f.get(operand).shuffle32([2, 3, 2, 3]);
      f.op("f64x2.convert_low_i32x4_s");
    }
    f.op("f64x2.div", "f64x2.floor", "i32x4.trunc_sat_f64x2_s_zero");
  }
  f.shuffle32([0, 1, 4, 5]).get(y).i32x4(0).op("i32x4.ne", "v128.and");
}

/** v128 x, v128 y -> v128 sqrt(x^2 + y^2), which overflows only where the result does; infinite where either is. */
export function emitHypot(f: FunctionBuilder): void {
  const [x, y] = f.locals("v128", 2) as [Local, Local];
  const infinity = Number.POSITIVE_INFINITY;
  f.set(y).set(x);
  f.f32x4(infinity);
  emitWide(f, [x, y], (pairs) => {
    for (const pair of pairs) f.get(pair).get(pair).op("f64x2.mul");
    f.op("f64x2.add", "f64x2.sqrt");
  });
  for (const operand of [x, y]) f.get(operand).op("f32x4.abs").f32x4(infinity).op("f32x4.eq");
  f.op("v128.or", "v128.bitselect");
}
