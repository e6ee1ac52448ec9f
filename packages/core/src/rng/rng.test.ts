import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Generator, keyedPermutation, philox4x32 } from "./index.js";

const hex = (words: Uint32Array) => [...words].map((word) => word.toString(16).padStart(8, "0")).join(" ");

describe("philox4x32", () => {
  // Known answers of Random123 1.14, tests/kat_vectors, "philox4x32 10".
  test.each([
    { key: [0, 0], counter: [0, 0, 0, 0], words: "6627e8d5 e169c58d bc57ac4c 9b00dbd8" },
    {
      key: [0xffffffff, 0xffffffff],
      counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      words: "408f276d 41c83b0e a20bc7c6 6d5451fd",
    },
    {
      key: [0xa4093822, 0x299f31d0],
      counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      words: "d16cfe09 94fdcceb 5001e420 24126ea1",
    },
  ] as const)("gives the published words for counter $counter", ({ key, counter, words }) => {
    const out = new Uint32Array(4);
    philox4x32(key, counter, out);
    expect(hex(out)).toBe(words);
  });
});

describe("Generator", () => {
  test("goes on from a saved state as if never stopped", () => {
    const whole = new Generator(42, { stream: 3 });
    const expected = Array.from({ length: 20 }, () => whole.uniform());
    const first = new Generator(42, { stream: 3 });
    const head = Array.from({ length: 7 }, () => first.uniform());
    const second = Generator.fromState(JSON.parse(JSON.stringify(first.state())));
    expect([...head, ...Array.from({ length: 13 }, () => second.uniform())]).toEqual(expected);
  });

  test("gives committed numbers", () => {
    const generator = new Generator(2 ** 40 + 5, { stream: 9 });
    expect([
      generator.nextWord(),
      generator.uniform(),
      generator.normal(),
      generator.integer(1000),
    ]).toMatchInlineSnapshot(`
      [
        3180101620,
        0.6338655920719806,
        0.9023811590459706,
        748,
      ]
    `);
  });

  test("differs between seeds that differ in the upper word, and between streams", () => {
    const firstWords = [
      new Generator(1),
      new Generator(1 + 2 ** 32),
      new Generator(1, { stream: 1 }),
      new Generator(2),
    ].map((generator) => generator.nextWord());
    expect(new Set(firstWords).size).toBe(4);
  });

  test("draws normal numbers with the moments of a normal distribution", () => {
    const values = new Float32Array(200_001);
    new Generator(5).fillNormal(values, 3, 2);
    let mean = 0;
    for (const value of values) mean += value / values.length;
    let variance = 0;
    let fourth = 0;
    for (const value of values) {
      variance += (value - mean) ** 2 / values.length;
      fourth += (value - mean) ** 4 / values.length;
    }
    expect(mean).toBeCloseTo(3, 1);
    expect(Math.sqrt(variance)).toBeCloseTo(2, 1);
    expect(fourth / variance ** 2).toBeCloseTo(3, 1);
  });

  test("fills an odd length like the front of a longer one", () => {
    const [odd, even] = [new Float32Array(5), new Float32Array(6)];
    new Generator(5).fillNormal(odd);
    new Generator(5).fillNormal(even);
    expect([...odd]).toEqual([...even.subarray(0, 5)]);
  });

  test("fills uniform numbers inside their bounds, evenly", () => {
    const values = new Float32Array(100_000);
    new Generator(6).fillUniform(values, -2, 6);
    const counts = new Array<number>(8).fill(0);
    for (const value of values) counts[Math.floor(value + 2)]! += 1;
    for (const count of counts) expect(count / values.length).toBeCloseTo(1 / 8, 2);
  });

  test("draws whole numbers without bias even when the bound is near 2^32", () => {
    const generator = new Generator(8);
    const bound = 3 * 2 ** 30;
    let below = 0;
    for (let i = 0; i < 40_000; i++) if (generator.integer(bound) < 2 ** 30) below += 1;
    expect(below / 40_000).toBeCloseTo(1 / 3, 2); // taking words modulo the bound would give 1/2
  });

  test("permutes every number once", () => {
    const order = new Generator(4).permutation(1000);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect([...order].filter((value, i) => value === i).length).toBeLessThan(10);
  });

  test.each([
    {
      make: () => new Generator(-1),
      message: "Generator: seed is -1; it must be a whole number in 0..9007199254740991.",
    },
    {
      make: () => new Generator(1, { stream: 0.5 }),
      message: "Generator: stream is 0.5; it must be a whole number in 0..4294967295.",
    },
    {
      make: () => new Generator(1, { position: -2 }),
      message: "Generator: position is -2; it must be a whole number in 0..9007199254740991.",
    },
    {
      make: () => new Generator(1).integer(0),
      message: "Generator.integer: bound is 0; it must be a whole number in 1..4294967296.",
    },
    {
      make: () => new Generator(1).permutation(-1),
      message: "Generator.permutation: length is -1; it must be a whole number in 0..4294967295.",
    },
  ])("says: $message", ({ make, message }) => {
    expect(make).toThrow(expect.objectContaining({ name: "ValueError", message }));
  });
});

describe("keyedPermutation", () => {
  test("is a permutation for any size and key", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 700 }), fc.nat(), fc.nat({ max: 1000 }), (size, seed, stream) => {
        const permutation = keyedPermutation(size, { seed, stream });
        const images = new Set(Array.from({ length: size }, (_, i) => permutation.at(i)));
        expect(images.size).toBe(size);
        expect(Math.max(...images)).toBe(size - 1);
      }),
    );
  });

  test("sends each position everywhere with equal probability over epochs", () => {
    const size = 5;
    const counts = Array.from({ length: size }, () => new Array<number>(size).fill(0));
    for (let stream = 0; stream < 5000; stream++) {
      const permutation = keyedPermutation(size, { seed: 1, stream });
      for (let i = 0; i < size; i++) counts[i]![permutation.at(i)]! += 1;
    }
    for (const row of counts) for (const count of row) expect(Math.abs(count - 1000)).toBeLessThan(130);
  });

  test("leaves no trace of neighbourhood", () => {
    const permutation = keyedPermutation(10_000, { seed: 2, stream: 0 });
    let neighbours = 0;
    for (let i = 1; i < 10_000; i++) if (Math.abs(permutation.at(i) - permutation.at(i - 1)) === 1) neighbours += 1;
    expect(neighbours).toBeLessThan(12);
  });

  test("works at sizes beyond 2^32", () => {
    const permutation = keyedPermutation(2 ** 40, { seed: 2, stream: 1 });
    const images = new Set(Array.from({ length: 1000 }, (_, i) => permutation.at(i * 2 ** 30)));
    expect(images.size).toBe(1000);
    expect(Math.max(...images)).toBeGreaterThan(2 ** 39);
  });

  test("gives committed images", () => {
    const permutation = keyedPermutation(100, { seed: 7, stream: 3 });
    expect(Array.from({ length: 10 }, (_, i) => permutation.at(i))).toMatchInlineSnapshot(`
      [
        66,
        81,
        32,
        54,
        1,
        67,
        95,
        13,
        6,
        55,
      ]
    `);
  });

  test.each([
    {
      make: () => keyedPermutation(0, { seed: 1, stream: 0 }),
      message: "keyedPermutation: size is 0; it must be a whole number in 1..4503599627370496.",
    },
    {
      make: () => keyedPermutation(3, { seed: 1.5, stream: 0 }),
      message: "keyedPermutation: seed is 1.5; it must be a whole number in 0..9007199254740991.",
    },
    {
      make: () => keyedPermutation(3, { seed: 1, stream: -1 }),
      message: "keyedPermutation: stream is -1; it must be a whole number in 0..4294967295.",
    },
    {
      make: () => keyedPermutation(3, { seed: 1, stream: 0 }).at(3),
      message: "keyedPermutation.at: position is 3; it must be a whole number in 0..2.",
    },
  ])("says: $message", ({ make, message }) => {
    expect(make).toThrow(expect.objectContaining({ name: "ValueError", message }));
  });
});
