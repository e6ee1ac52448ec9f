/**
 * @file Numbers as unevaluated sums of two f32, hi + lo: about 48 bits of significand in the range of f32, where the CPU has f64.
 *
 * Drivers may reassociate: (a + b) - a becomes b unless they cannot see it. `kept` hides a value behind an exclusive or with p.zero, which
 * is 0 at run time; every rounding that an error term depends on goes through it.
 *
 * @source D. E. Knuth, The Art of Computer Programming 2, 4.2.2 (two-sum); T. J. Dekker, "A floating-point technique for extending the
 * available precision", 1971 (product), split by bits instead of a multiplication.
 */
import type { WgslLibrary } from "../launch/kernel.js";
import { bits } from "./bits.js";

export const doubleSingle: WgslLibrary = {
  name: "doubleSingle",
  requires: [bits],
  code: `
fn kept(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) ^ p.zero); }
/* a sum and what its rounding lost; x = hi, y = lo */
fn twoSum(a: f32, b: f32) -> vec2f {
  let s = kept(a + b);
  if (!isFiniteValue(s)) { return vec2f(s, 0.0); }
  let t = kept(s - a);
  return vec2f(s, kept(a - kept(s - t)) + kept(b - t));
}
/* hi + lo as the nearest f32 and the rest, for |hi| >= |lo| */
fn normalized(hi: f32, lo: f32) -> vec2f {
  let s = kept(hi + lo);
  if (!isFiniteValue(s)) { return vec2f(s, 0.0); }
  return vec2f(s, lo - kept(s - hi));
}
fn plusSingle(a: vec2f, b: f32) -> vec2f {
  let s = twoSum(a.x, b);
  return normalized(s.x, s.y + a.y);
}
fn plusDouble(a: vec2f, b: vec2f) -> vec2f {
  let s = twoSum(a.x, b.x);
  return normalized(s.x, s.y + kept(a.y + b.y));
}
/* the leading 12 bits of the significand: products of two such numbers are exact */
fn leading(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u); }
fn timesSingle(a: vec2f, b: f32) -> vec2f {
  let product = kept(a.x * b);
  if (!isFiniteValue(product)) { return vec2f(product, 0.0); }
  let ah = leading(a.x); let al = kept(a.x - ah);
  let bh = leading(b); let bl = kept(b - bh);
  let e = kept(kept(kept(kept(ah * bh) - product) + kept(ah * bl)) + kept(al * bh)) + kept(al * bl);
  return normalized(product, e + kept(a.y * b));
}`,
};
