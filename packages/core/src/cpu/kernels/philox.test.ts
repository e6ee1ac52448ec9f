import { describe, expect, test } from "vitest";
import { createCpuBackend } from "../cpu-backend.js";
import { behind, valuesOf, viewOf } from "../views.testkit.js";

/** Known answers of Random123 (kat_vectors, philox4x32 10): counter, key, words. */
const knownAnswers = [
  { counter: [0, 0, 0, 0], key: [0, 0], words: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8] },
  {
    counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    words: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  },
  {
    counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    key: [0xa4093822, 0x299f31d0],
    words: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  },
] as const;

/** One block of Philox 4x32-10 in plain integers. */
function philoxBlock(counter: readonly number[], key: readonly number[]): number[] {
  let [c0, c1, c2, c3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  const mask = 0xffffffffn;
  for (let round = 0; round < 10; round++) {
    const k0 = (BigInt(key[0] ?? 0) + BigInt(round) * 0x9e3779b9n) & mask;
    const k1 = (BigInt(key[1] ?? 0) + BigInt(round) * 0xbb67ae85n) & mask;
    const [p0, p1] = [0xd2511f53n * c0, 0xcd9e8d57n * c2];
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & mask, (p0 >> 32n) ^ c3 ^ k1, p0 & mask];
  }
  return [c0, c1, c2, c3].map(Number);
}

describe("philoxUniform", () => {
  const backend = createCpuBackend();

  test("the plain block function has the known answers", () => {
    for (const { counter, key, words } of knownAnswers) expect(philoxBlock(counter, key)).toEqual([...words]);
  });

  test("element 4 i + j is word j of block i, at any length, and nothing behind is written", () => {
    const key = { seedLo: 0x12345678, seedHi: 0x9abcdef0, step: 41, m: 3, use: 0xfffffffe };
    for (const length of [1, 2, 3, 4, 5, 15, 16, 17, 1_023, 1_024, 1_030, 5_003]) {
      const out = viewOf(backend, [length], undefined, { offset: 1, tail: 6 });
      backend.kernels.philoxUniform(key, out);
      const expected = Array.from({ length }, (_, i) => {
        const words = philoxBlock([i >> 2, key.use, key.m, key.step], [key.seedLo, key.seedHi]);
        return ((words[i & 3] ?? 0) >>> 8) / 2 ** 24;
      });
      expect(Array.from(valuesOf(backend, out))).toEqual(expected);
      expect(Array.from(behind(backend, out))).toEqual([77, 77, 77, 77, 77, 77]);
    }
  });
});
