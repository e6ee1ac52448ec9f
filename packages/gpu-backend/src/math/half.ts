/**
 * @file Storing f32 as binary16, by integers. WGSL leaves f16(x) undefined beyond the range of f16 and its direction of rounding open (WGSL section
 * 15.7.6); here it is to nearest, ties to even, and infinity from 65,520 on, so that an overflow is seen and never a wrong number.
 */
import type { WgslLibrary } from "../launch/kernel.js";

export const half: WgslLibrary = {
  name: "half",
  code: `
fn halfBits(x: f32) -> u32 {
  let word = bitcast<u32>(x);
  let sign = (word >> 16u) & 0x8000u;
  let size = word & 0x7fffffffu;
  if (size > 0x7f800000u) { return sign | 0x7e00u; }
  if (size >= 0x477ff000u) { return sign | 0x7c00u; }
  if (size >= 0x38800000u) { return sign | ((size - 0x38000000u + 0xfffu + ((size >> 13u) & 1u)) >> 13u); }
  let shift = min(126u - (size >> 23u), 31u);
  let digits = (size & 0x7fffffu) | 0x800000u;
  let kept = digits >> shift;
  let rest = digits - (kept << shift);
  let tie = 1u << (shift - 1u);
  return sign | (kept + select(0u, 1u, rest > tie || (rest == tie && (kept & 1u) == 1u)));
}
fn halfOf(x: f32) -> f16 { return bitcast<vec2<f16>>(halfBits(x)).x; }`,
};
