/**
 * @file Philox 4x32-10: 128 random bits as a pure function of a 64-bit key and a 128-bit counter. No state.
 *
 * The CPU backend's kernel `philoxUniform` gives the same words.
 * @source Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"; Random123's philox4x32, ten rounds.
 */

const multiplier0 = 0xd2511f53;
const multiplier1 = 0xcd9e8d57;
const weyl0 = 0x9e3779b9;
const weyl1 = 0xbb67ae85;
const numRounds = 10;

/** Four u32 words. */
export type PhiloxCounter = readonly [number, number, number, number];

/** Upper 32 bits of the 64-bit product of two u32. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = (middle & 0xffff) + aLow * bHigh;
  return (aHigh * bHigh + (middle - (middle & 0xffff)) / 65536 + (carry - (carry & 0xffff)) / 65536) >>> 0;
}

/**
 * Writes the four u32 words of one block to out[offset..offset+3].
 *
 * @param key two u32 words
 * @param counter four u32 words
 */
export function philox4x32(key: readonly [number, number], counter: PhiloxCounter, out: Uint32Array, offset = 0): void {
  let [k0, k1] = key;
  let [c0, c1, c2, c3] = counter;
  for (let round = 0; round < numRounds; round++) {
    const high0 = multiplyHigh(multiplier0, c0);
    const low0 = Math.imul(multiplier0, c0) >>> 0;
    const high1 = multiplyHigh(multiplier1, c2);
    const low1 = Math.imul(multiplier1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + weyl0) >>> 0;
    k1 = (k1 + weyl1) >>> 0;
  }
  out[offset] = c0;
  out[offset + 1] = c1;
  out[offset + 2] = c2;
  out[offset + 3] = c3;
}
