import { describe, expect, test } from "vitest";
import { cos, exp, expm1, log, log1p, pow, sin, tanh } from "./index.js";

type Scalar = (x: number) => number;

const view = new DataView(new ArrayBuffer(8));
const bitsOf = (x: number) => {
  view.setFloat64(0, x);
  const bits = view.getBigInt64(0);
  return bits < 0n ? -(bits & 0x7fffffffffffffffn) : bits;
};
/** Distance in units in the last place; 0 for two NaN. */
function ulps(a: number, b: number): bigint {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b) ? 0n : 1n << 62n;
  const distance = bitsOf(a) - bitsOf(b);
  return distance < 0n ? -distance : distance;
}

/** Linear congruential numbers in [0, 1): the same everywhere. */
function sequence(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

/** FNV-1a over the bits of results. */
function digest(values: readonly number[]): string {
  let hash = 0xcbf29ce484222325n;
  for (const value of values) {
    view.setFloat64(0, Number.isNaN(value) ? Number.NaN : value);
    for (let i = 0; i < 8; i++) hash = ((hash ^ BigInt(view.getUint8(i))) * 0x100000001b3n) & 0xffffffffffffffffn;
  }
  return hash.toString(16).padStart(16, "0");
}

const rows: { name: string; ours: Scalar; host: Scalar; scales: number[]; hash: string }[] = [
  { name: "exp", ours: exp, host: Math.exp, scales: [1, 20, 750], hash: "6e3a9d7155c0543b" },
  { name: "expm1", ours: expm1, host: Math.expm1, scales: [1e-6, 1, 60], hash: "9abc1ab4a4591ddd" },
  { name: "log", ours: log, host: Math.log, scales: [2, 1e10, 1e-310], hash: "e454f3ddbd4c04b9" },
  { name: "log1p", ours: log1p, host: Math.log1p, scales: [1e-6, 2, 1e10], hash: "5d2883e242cd44c5" },
  { name: "tanh", ours: tanh, host: Math.tanh, scales: [1e-3, 1, 25], hash: "2371f3a4e57172cc" },
  { name: "sin", ours: sin, host: Math.sin, scales: [1, 10, 1e6, 1e22, 1e300], hash: "7eaa3e49482f9987" },
  { name: "cos", ours: cos, host: Math.cos, scales: [1, 10, 1e6, 1e22, 1e300], hash: "c039cb99f1c0b1b8" },
];

describe.each(rows)("$name", ({ ours, host, scales, hash }) => {
  test("is within one unit in the last place of the host's", () => {
    const next = sequence(7);
    let worst = { x: 0, distance: 0n };
    for (const scale of scales) {
      for (let i = 0; i < 20_000; i++) {
        const x = (next() * 2 - 1) * scale;
        const distance = ulps(ours(x), host(x));
        if (distance > worst.distance) worst = { x, distance };
      }
    }
    expect(worst.distance, `at x = ${worst.x}`).toBeLessThanOrEqual(1n);
  });

  test("gives the committed bits", () => {
    const next = sequence(11);
    const values = scales.flatMap((scale) => Array.from({ length: 1000 }, () => ours((next() * 2 - 1) * scale)));
    expect(digest(values)).toBe(hash);
  });

  test("agrees with the host at zeros, infinities, NaN and the ends of the range", () => {
    for (const x of [
      0,
      -0,
      1,
      -1,
      Infinity,
      -Infinity,
      NaN,
      5e-324,
      -5e-324,
      2.3e-308,
      1e308,
      709.7,
      710,
      -745,
      -746,
    ]) {
      const expected = host(x);
      expect(ulps(ours(x), expected), `at ${x}`).toBeLessThanOrEqual(1n);
      if (expected === 0) expect(Object.is(ours(x), expected), `sign of zero at ${x}`).toBe(true);
    }
  });
});

describe("pow", () => {
  const operands = (count: number) => {
    const next = sequence(3);
    return Array.from({ length: count }, (_, i): [number, number] => {
      if (i % 3 === 0) return [next() * 10, (next() * 2 - 1) * 100];
      if (i % 3 === 1) return [0.9 + next() * 0.0999, Math.floor(next() * 10_000)];
      return [(next() - 0.5) * 4, Math.floor((next() - 0.5) * 2000)];
    });
  };

  test("is within one unit in the last place of the host's", () => {
    let worst = 0n;
    for (const [x, y] of operands(60_000)) {
      const distance = ulps(pow(x, y), x ** y);
      if (distance > worst) worst = distance;
    }
    expect(worst).toBeLessThanOrEqual(1n);
  });

  test("gives the committed bits", () => {
    expect(digest(operands(3000).map(([x, y]) => pow(x, y)))).toBe("25c57a7c9b32efe9");
  });

  test("follows ECMAScript in every special case", () => {
    const bases = [0, -0, 1, -1, 2, 0.5, -0.5, Infinity, -Infinity, NaN, 5e-324, -5e-324, 1e308];
    const exponents = [0, -0, 1, -1, 2, 0.5, -0.5, 3, -3, Infinity, -Infinity, NaN, 1e308, -1e308, 5e-324];
    for (const x of bases) {
      for (const y of exponents) {
        const expected = x ** y;
        expect(ulps(pow(x, y), expected), `pow(${x}, ${y})`).toBeLessThanOrEqual(1n);
        if (expected === 0) expect(Object.is(pow(x, y), expected), `sign of pow(${x}, ${y})`).toBe(true);
      }
    }
  });

  test("gives the bias corrections of Adam exactly enough to be 1 - beta^t", () => {
    expect(pow(0.9, 1)).toBe(0.9);
    expect(pow(0.999, 2)).toBe(0.998001);
  });
});
