/**
 * @file `VectorOps` in plain JavaScript for tests: slow, obvious, the same additions as the real ones. Its hash is its
 * own: four chains of multiplications over the words, enough to notice any changed bit.
 */
import { hexOf } from "../exchange/hash-hex.js";
import { sumSquares, type VectorOps } from "../exchange/vector-ops.js";

export const plainVectorOps: VectorOps = {
  add(out, left, right) {
    for (let i = 0; i < out.length; i++) out[i] = left[i]! + right[i]!;
  },
  divide(out, values, divisor) {
    for (let i = 0; i < out.length; i++) out[i] = values[i]! / divisor;
  },
  findNonFinite(values) {
    for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
    return -1;
  },
  sumSquares,
  hash(values) {
    const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
    const chains = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f];
    for (let i = 0; i < words.length; i++) {
      const lane = i & 3;
      const mixed = Math.imul((chains[lane]! ^ words[i]!) + i, 0x9e3779b1);
      chains[lane] = mixed ^ (mixed >>> 15);
    }
    return hexOf([chains[0]! >>> 0, chains[1]! >>> 0, chains[2]! >>> 0, (chains[3]! ^ words.length) >>> 0]);
  },
};
