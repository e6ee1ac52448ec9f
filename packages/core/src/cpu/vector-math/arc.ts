/**
 * @file asin, acos, atan and atan2 on four lanes, inline, in f64, rounded once.
 *
 * @source Cephes asinf, atanf (S. L. Moshier, netlib.org/cephes, single/asinf.c, atanf.c) for the polynomials and their ranges.
 */
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import { emitWide, emitWidePolynomial, pushWide } from "./wide.js";

const pi = Math.PI;
const halfPi = 1.5707963267948966;
const quarterPi = 0.7853981633974483;
const arcSine = [4.216319904e-2, 2.4181311049e-2, 4.5470025998e-2, 7.4953002686e-2, 1.6666752422e-1];
const arcTangent = [8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1];
/** tan(pi / 8) */
const tanEighth = 0.4142135623730951;

/** Pushes the absolute value of an f64x2 with the sign of `x`. The value must not be negative. */
function emitSignOf(f: FunctionBuilder, x: Local): void {
  pushWide(f, -0).get(x).op("v128.and", "v128.or");
}

/** For a = |x|: where a <= 1/2 `arc` is asin a, elsewhere asin sqrt((1 - a) / 2), so that asin a = pi/2 - 2 arc. NaN above 1. */
function emitArc(f: FunctionBuilder, x: Local): { readonly arc: Local; readonly isLarge: Local } {
  const [a, z, root, arc, isLarge] = f.locals("v128", 5) as [Local, Local, Local, Local, Local];
  f.get(x).op("f64x2.abs").set(a);
  f.get(a);
  pushWide(f, 0.5).op("f64x2.gt").set(isLarge);
  pushWide(f, 1).get(a).op("f64x2.sub");
  pushWide(f, 0.5).op("f64x2.mul").get(a).get(a).op("f64x2.mul").get(isLarge).op("v128.bitselect").set(z);
  f.get(z).op("f64x2.sqrt").get(a).get(isLarge).op("v128.bitselect").set(root);
  emitWidePolynomial(f, z, arcSine);
  f.get(z).op("f64x2.mul").get(root).op("f64x2.mul").get(root).op("f64x2.add").set(arc);
  return { arc, isLarge };
}

/** v128 x -> v128 asin x. NaN outside -1..1, -0 stays -0. */
export function emitAsin(f: FunctionBuilder): void {
  const x = f.local("v128");
  f.set(x);
  emitWide(f, [x], ([wide]) => {
    const { arc, isLarge } = emitArc(f, wide as Local);
    pushWide(f, halfPi).get(arc).get(arc).op("f64x2.add", "f64x2.sub");
    f.get(arc).get(isLarge).op("v128.bitselect");
    emitSignOf(f, wide as Local);
  });
}

/** v128 x -> v128 acos x. NaN outside -1..1. */
export function emitAcos(f: FunctionBuilder): void {
  const x = f.local("v128");
  f.set(x);
  emitWide(f, [x], ([wide]) => {
    const { arc, isLarge } = emitArc(f, wide as Local);
    const [twice, isNegative] = f.locals("v128", 2) as [Local, Local];
    f.get(arc).get(arc).op("f64x2.add").set(twice);
    f.get(wide as Local);
    pushWide(f, 0).op("f64x2.lt").set(isNegative);
    pushWide(f, pi).get(twice).op("f64x2.sub").get(twice).get(isNegative).op("v128.bitselect");
    // pi/2 - asin x for small x.
    pushWide(f, halfPi).get(arc);
    emitSignOf(f, wide as Local);
    f.op("f64x2.sub").get(isLarge).op("v128.bitselect");
  });
}

/** Pushes atan of t in [0, 1]. */
function emitUnitAtan(f: FunctionBuilder, t: Local): void {
  const [isLarge, r, square] = f.locals("v128", 3) as [Local, Local, Local];
  f.get(t);
  pushWide(f, tanEighth).op("f64x2.gt").set(isLarge);
  f.get(t);
  pushWide(f, 1).op("f64x2.sub").get(t);
  pushWide(f, 1).op("f64x2.add", "f64x2.div").get(t).get(isLarge).op("v128.bitselect").tee(r);
  f.get(r).op("f64x2.mul").set(square);
  emitWidePolynomial(f, square, arcTangent);
  f.get(square).op("f64x2.mul").get(r).op("f64x2.mul").get(r).op("f64x2.add");
  pushWide(f, quarterPi).get(isLarge).op("v128.and", "f64x2.add");
}

/** v128 x -> v128 atan x. +-pi/2 at +-inf, -0 stays -0, NaN stays NaN. */
export function emitAtan(f: FunctionBuilder): void {
  const x = f.local("v128");
  f.set(x);
  emitWide(f, [x], ([wide]) => {
    const [a, t, angle, isInverse] = f.locals("v128", 4) as [Local, Local, Local, Local];
    f.get(wide as Local)
      .op("f64x2.abs")
      .tee(a);
    pushWide(f, 1).op("f64x2.gt").set(isInverse);
    pushWide(f, 1).get(a).op("f64x2.div").get(a).get(isInverse).op("v128.bitselect").set(t);
    emitUnitAtan(f, t);
    f.set(angle);
    pushWide(f, halfPi).get(angle).op("f64x2.sub").get(angle).get(isInverse).op("v128.bitselect");
    emitSignOf(f, wide as Local);
  });
}

/** v128 y, v128 x -> v128 the angle of the point (x, y) in -pi..pi, as IEEE 754's atan2 at zeros and infinities. */
export function emitAtan2(f: FunctionBuilder): void {
  const [x, y] = f.locals("v128", 2) as [Local, Local];
  f.set(x).set(y);
  emitWide(f, [y, x], ([wideY, wideX]) => {
    const [a, b, low, high, t, angle] = f.locals("v128", 6) as [Local, Local, Local, Local, Local, Local];
    f.get(wideX as Local)
      .op("f64x2.abs")
      .set(a);
    f.get(wideY as Local)
      .op("f64x2.abs")
      .set(b);
    f.get(a).get(b).op("f64x2.min").set(low);
    f.get(a).get(b).op("f64x2.max").set(high);
    // low / high, but 1 where both are infinite and 0 where both are 0.
    pushWide(f, 1).get(low).get(high).op("f64x2.div").get(low).get(high).op("f64x2.eq", "v128.bitselect");
    f.get(high);
    pushWide(f, 0).op("f64x2.ne", "v128.and").set(t);
    emitUnitAtan(f, t);
    f.set(angle);
    pushWide(f, halfPi).get(angle).op("f64x2.sub").get(angle).get(b).get(a).op("f64x2.gt", "v128.bitselect").set(angle);
    pushWide(f, pi).get(angle).op("f64x2.sub").get(angle);
    f.get(wideX as Local)
      .i32(63)
      .op("i64x2.shr_s", "v128.bitselect");
    emitSignOf(f, wideY as Local);
  });
}
