/**
 * @file Numbers by their bits: what WGSL does not promise.
 *
 * Implementations may assume that no NaN or infinity occurs (WGSL section 15.7.2), and drivers do: on both software drivers `x != x` is false for
 * NaN. Tests on bits are integer arithmetic, so they hold everywhere. `p.zero` is 0 at run time, which hides the bits of an infinity
 * from the constant folder.
 */
import type { WgslLibrary } from "../launch/kernel.js";

export const bits: WgslLibrary = {
  name: "bits",
  code: `
fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn isInf(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u; }
fn isFiniteValue(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) < 0x7f800000u; }
fn fromBits(word: u32) -> f32 { return bitcast<f32>(word | p.zero); }
fn inf() -> f32 { return fromBits(0x7f800000u); }
fn nan() -> f32 { return fromBits(0x7fc00000u); }
fn signOf(x: f32) -> u32 { return bitcast<u32>(x) & 0x80000000u; }
fn withSign(x: f32, sign: u32) -> f32 { return bitcast<f32>((bitcast<u32>(x) & 0x7fffffffu) | sign); }
/* order and equality as IEEE 754 says, by integers: devices may flush numbers below the normal range */
fn ordered(x: f32) -> i32 { let word = bitcast<i32>(x); return select(word, -(word & 0x7fffffff), word < 0); }
fn less(x: f32, y: f32) -> bool { return ordered(x) < ordered(y) && !isNan(x) && !isNan(y); }
fn lessEqual(x: f32, y: f32) -> bool { return ordered(x) <= ordered(y) && !isNan(x) && !isNan(y); }
fn equal(x: f32, y: f32) -> bool { return ordered(x) == ordered(y) && !isNan(x); }
fn smaller(x: f32, y: f32) -> f32 { if (isNan(x)) { return x; } if (isNan(y)) { return y; } return select(y, x, x < y); }
fn larger(x: f32, y: f32) -> f32 { if (isNan(x)) { return x; } if (isNan(y)) { return y; } return select(y, x, x > y); }`,
};
