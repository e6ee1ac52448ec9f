/**
 * @file Numbers as unsigned keys whose order is theirs: integer comparisons hold on every driver, for NaN too.
 */
import type { WgslLibrary } from "../launch/kernel.js";

/**
 * Of the bits of an f32 (-0 and +0 share a key, every NaN has the largest) or of an i32. `descendingKey` turns the order round, but a NaN
 * stays last.
 */
export const orderKeys: WgslLibrary = {
  name: "orderKeys",
  code: `
fn floatKey(word: i32) -> u32 {
  let b = bitcast<u32>(word);
  if ((b & 0x7fffffffu) > 0x7f800000u) { return 0xffffffffu; }
  if ((b & 0x7fffffffu) == 0u) { return 0x80000000u; }
  return select(b | 0x80000000u, ~b, (b & 0x80000000u) != 0u);
}
fn integerKey(word: i32) -> u32 { return bitcast<u32>(word) ^ 0x80000000u; }
fn descendingFloatKey(word: i32) -> u32 { let key = floatKey(word); return select(~key, key, key == 0xffffffffu); }
fn descendingIntegerKey(word: i32) -> u32 { return ~integerKey(word); }`,
};
