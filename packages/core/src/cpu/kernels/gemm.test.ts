import { describe, expect, test } from "vitest";
import type { TensorView } from "../../backend/backend.js";
import { collapseBatch } from "../../backend/matrix-product.js";
import type { CpuNumericClass } from "../kernel.js";
import { gemmRoom } from "./gemm.js";
import { enableRelaxedSimd, expectSameBits, hashOf, maxError, randomFloats } from "./measure.testkit.js";
import { createSoloHost, type SoloHost } from "./solo-host.testkit.js";

enableRelaxedSimd();

interface Case {
  readonly batch?: readonly number[];
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly aTransposed?: boolean;
  readonly bTransposed?: boolean;
  readonly bias?: boolean;
  /** Extra elements between rows of a, b and out. */
  readonly gap?: number;
  readonly offset?: number;
}

/** A [.., rows, columns] view whose last or last but one dim has stride 1, with gaps. */
function matrixView(
  host: SoloHost,
  shape: readonly number[],
  how: { transposed: boolean; gap: number; offset: number },
): TensorView {
  const [rows, columns] = shape.slice(-2) as [number, number];
  const batch = shape.slice(0, -2);
  const line = (how.transposed ? rows : columns) + how.gap;
  const matrix = line * (how.transposed ? columns : rows);
  const count = batch.reduce((product, size) => product * size, 1);
  const view = host.put(randomFloats(how.offset + matrix * count, shape.length * 1000 + rows * 37 + columns));
  const batchStrides = batch.map(
    (_, axis) => matrix * batch.slice(axis + 1).reduce((product, size) => product * size, 1),
  );
  return {
    ...view,
    offset: how.offset,
    shape,
    strides: [...batchStrides, ...(how.transposed ? [1, line] : [line, 1])],
  };
}

function setUp(
  host: SoloHost,
  c: Case,
): { a: TensorView; b: TensorView; out: TensorView; bias: TensorView | undefined } {
  const batch = c.batch ?? [];
  const gap = c.gap ?? 0;
  const offset = c.offset ?? 0;
  return {
    a: matrixView(host, [...batch, c.m, c.k], { transposed: c.aTransposed ?? false, gap, offset }),
    b: matrixView(host, [...batch, c.k, c.n], { transposed: c.bTransposed ?? false, gap, offset }),
    out: matrixView(host, [...batch, c.m, c.n], { transposed: false, gap, offset }),
    bias: c.bias ? host.put(randomFloats(c.n, 5)) : undefined,
  };
}

/** "fused" rounds once: the product is exact in f64 and (with this data) the sum is not a halfway case there. */
type Rounding = "strict" | "fused" | "none";

/** The documented order, in plain JS. */
function expected(
  host: SoloHost,
  p: { a: TensorView; b: TensorView; bias: TensorView | undefined },
  rounding: Rounding,
): Float64Array {
  const identity = (x: number): number => x;
  const fround = rounding === "none" ? identity : Math.fround;
  const product = rounding === "strict" ? Math.fround : identity;
  const [m, k] = p.a.shape.slice(-2) as [number, number];
  const n = p.b.shape.at(-1)!;
  const a = host.get(p.a);
  const b = host.get(p.b);
  const bias = p.bias && host.get(p.bias);
  const count = p.a.shape.slice(0, -2).reduce((product, size) => product * size, 1);
  const out = new Float64Array(count * m * n);
  for (let batch = 0; batch < count; batch++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let x = 0; x < k; x++)
          sum = fround(sum + product(a[(batch * m + i) * k + x]! * b[(batch * k + x) * n + j]!));
        out[(batch * m + i) * n + j] = bias ? fround(sum + bias[j]!) : sum;
      }
    }
  }
  return out;
}

function run(host: SoloHost, c: Case): { result: Float32Array; reference(rounding: Rounding): Float32Array } {
  host.reset();
  const { a, b, out, bias } = setUp(host, c);
  const whole = { ...out, offset: 0, shape: [out.offset + 1], strides: [1] };
  const before = host.get(whole);
  gemmRoom.rows(host).matmul(a, b, out, bias ? { bias } : {});
  if (out.offset > 0) expectSameBits(host.get(whole).subarray(0, out.offset), before.subarray(0, out.offset));
  return {
    result: host.get(out) as Float32Array,
    reference: (rounding) => Float32Array.from(expected(host, { a, b, bias }, rounding)),
  };
}

const transpositions = [false, true].flatMap((aTransposed) =>
  [false, true].map((bTransposed) => ({ aTransposed, bTransposed })),
);

const cases: Case[] = [
  ...transpositions.flatMap((t) => [
    { m: 5, k: 7, n: 9, ...t },
    { m: 64, k: 300, n: 270, bias: true, ...t },
    { m: 70, k: 33, n: 19, gap: 3, offset: 5, ...t },
    { m: 33, k: 70, n: 12, batch: [2, 3], gap: 1, bias: true, ...t },
    { m: 1, k: 40, n: 50, ...t },
    { m: 40, k: 50, n: 1, gap: 2, ...t },
    { m: 3, k: 1, n: 3, ...t },
    { m: 9, k: 1, n: 10, gap: 2, ...t },
  ]),
  { m: 5, k: 512, n: 9, bias: true },
  { m: 5, k: 1_025, n: 9, bias: true },
  { m: 3, k: 0, n: 11 },
  { m: 3, k: 0, n: 11, bias: true },
  { m: 0, k: 4, n: 4 },
  { m: 4, k: 4, n: 0 },
  { batch: [0], m: 2, k: 2, n: 2 },
  { batch: [2, 1, 2, 3, 2], m: 3, k: 4, n: 5, gap: 1 },
];

const hosts: Record<CpuNumericClass, SoloHost> = {
  strict: createSoloHost(gemmRoom.kernels, "strict"),
  fused: createSoloHost(gemmRoom.kernels, "fused"),
};

describe("matmul", () => {
  test.each(cases)("adds rounded products over ascending k: %o", (c) => {
    const { result, reference } = run(hosts.strict, c);
    expectSameBits(result, reference("strict"));
  });

  test("agrees with the loop at every size from 0 to 20", () => {
    for (const t of transpositions) {
      for (let m = 0; m <= 20; m += m < 6 ? 1 : 3) {
        for (let k = 0; k <= 20; k += k < 6 ? 1 : 3) {
          for (let n = 0; n <= 20; n++) {
            const { result, reference } = run(hosts.strict, { m, k, n, gap: 1, ...t });
            expectSameBits(result, reference("strict"), `${m}x${k}x${n}`);
          }
        }
      }
    }
  });

  test.each(cases)("rounds each multiply-add once in the fused class: %o", (c) => {
    const { result, reference } = run(hosts.fused, c);
    expectSameBits(result, reference("fused"));
  });

  test.each(cases)("is close to f64 in both classes: %o", (c) => {
    for (const host of [hosts.strict, hosts.fused]) {
      const { result, reference } = run(host, c);
      expect(maxError(result, reference("none"))).toBeLessThan(1e-6 * (2 + c.k));
    }
  });

  test("fuses: a product's low bits survive the addition", () => {
    const host = hosts.fused;
    host.reset();
    const tiny = 2 ** -12;
    // (1 + tiny)^2 - (1 + 2 tiny) is tiny^2 when rounded once and 0 when the product is rounded first.
    const a = host.put(Float32Array.of(1, 1 + tiny), [1, 2]);
    const b = host.put(Float32Array.of(-(1 + 2 * tiny), 1 + tiny), [2, 1]);
    const out = host.put(new Float32Array(1), [1, 1]);
    gemmRoom.rows(host).matmul(a, b, out, {});
    expect(host.get(out)[0]).toBe(tiny * tiny);
  });

  test.each(["strict", "fused"] as const)("gives an element the same %s bits at an edge as inside", (numericClass) => {
    const host = hosts[numericClass];
    host.reset();
    const a = host.put(randomFloats(31 * 600, 1), [31, 600]);
    const b = host.put(randomFloats(600 * 300, 2), [600, 300]);
    const out = host.put(new Float32Array(31 * 300), [31, 300]);
    const { matmul } = gemmRoom.rows(host);
    matmul(a, b, out, {});
    const full = host.get(out);
    for (const [row, column] of [
      [0, 0],
      [29, 298],
      [30, 7],
      [3, 255],
      [17, 256],
    ] as const) {
      const single = host.put(new Float32Array(1), [1, 1]);
      const aRow = { ...a, offset: row * 600, shape: [1, 600] };
      const bColumn = { ...b, offset: column, shape: [600, 1] };
      matmul(aRow, bColumn, single, {});
      expectSameBits(host.get(single), full.subarray(row * 300 + column, row * 300 + column + 1));
    }
  });

  test("starts from +0 and keeps NaN and infinities inside their rows and columns", () => {
    const host = hosts.strict;
    host.reset();
    const a = host.put(new Float32Array(5 * 3).fill(1), [5, 3]);
    const b = host.put(new Float32Array(3 * 9).fill(-0), [3, 9]);
    const { f32 } = host.words();
    f32[host.addressOf(a) / 4 + 4 * 3 + 1] = Number.NaN;
    f32[host.addressOf(b) / 4 + 2 * 9 + 8] = Number.POSITIVE_INFINITY;
    const out = host.put(new Float32Array(5 * 9), [5, 9]);
    gemmRoom.rows(host).matmul(a, b, out, {});
    const result = host.get(out);
    for (let i = 0; i < 5; i++) {
      for (let j = 0; j < 9; j++) {
        expect(result[i * 9 + j]).toBe(i === 4 ? Number.NaN : j === 8 ? Number.POSITIVE_INFINITY : 0);
      }
    }
  });

  test("broadcasts a batch dim of stride 0", () => {
    const host = hosts.strict;
    host.reset();
    const a = host.put(randomFloats(3 * 4 * 5, 1), [3, 4, 5]);
    const b = host.put(randomFloats(5 * 6, 2), [5, 6]);
    const out = host.put(new Float32Array(3 * 4 * 6), [3, 4, 6]);
    const shared = { ...b, shape: [3, 5, 6], strides: [0, 6, 1] };
    gemmRoom.rows(host).matmul(a, shared, out, {});
    expectSameBits(host.get(out), Float32Array.from(expected(host, { a, b: shared, bias: undefined }, "strict")));
    const sharedA = { ...a, strides: [0, 5, 1] };
    gemmRoom.rows(host).matmul(sharedA, shared, out, {});
    expectSameBits(
      host.get(out),
      Float32Array.from(expected(host, { a: sharedA, b: shared, bias: undefined }, "strict")),
    );
  });

  test("takes factors of depth 1, one row or one column, whatever their strides", () => {
    const host = hosts.strict;
    host.reset();
    const whole = host.put(randomFloats(200, 1), [200]);
    const { matmul } = gemmRoom.rows(host);
    for (const [m, k, n] of [
      [9, 1, 10],
      [1, 9, 10],
      [9, 10, 1],
      [1, 7, 1],
      [1, 1, 9],
    ] as const) {
      const a = { ...whole, shape: [m, k], strides: [m === 1 ? 77 : 5, k === 1 ? 77 : m === 1 ? 3 : 1] };
      const b = { ...whole, shape: [k, n], strides: [k === 1 ? 77 : 6, n === 1 ? 77 : k === 1 ? 3 : 1] };
      const out = host.put(new Float32Array(m * n), [m, n]);
      matmul(a, b, out, {});
      expectSameBits(
        host.get(out),
        Float32Array.from(expected(host, { a, b, bias: undefined }, "strict")),
        `${m}x${k}x${n}`,
      );
    }
  });

  test("takes a matrix whose lines are all the same memory", () => {
    const host = hosts.strict;
    host.reset();
    const row = host.put(randomFloats(9, 1), [9]);
    const column = host.put(randomFloats(9, 2), [9]);
    const out = host.put(new Float32Array(9 * 9), [9, 9]);
    for (const strides of [
      [0, 1],
      [1, 0],
    ]) {
      const a = { ...row, shape: [9, 9], strides };
      const b = { ...column, shape: [9, 9], strides };
      gemmRoom.rows(host).matmul(a, b, out, {});
      expectSameBits(host.get(out), Float32Array.from(expected(host, { a, b, bias: undefined }, "strict")));
    }
  });

  test.each(["strict", "fused"] as const)("keeps its %s bits when the items are split", (numericClass) => {
    const host = hosts[numericClass];
    const c = { batch: [3], m: 21, k: 260, n: 290, bias: true, gap: 1 };
    const whole = run(host, c).result;
    for (const parts of [2, 3, 5, 8, 50]) {
      host.splitInto(parts);
      expectSameBits(run(host, c).result, whole);
    }
    host.splitInto(1);
  });

  test("keeps its committed bits", () => {
    const c = { m: 65, k: 515, n: 300, bias: true, offset: 3 };
    expect([hashOf(run(hosts.strict, c).result), hashOf(run(hosts.fused, c).result)]).toMatchInlineSnapshot(`
      [
        "4f1e4ff532f03beb",
        "742974a3d3a6c1e2",
      ]
    `);
  });
});

describe("collapseBatch", () => {
  test("joins dims that one stride covers", () => {
    const dims = [
      { size: 2, a: 60, b: 0, c: 60 },
      { size: 1, a: 7, b: 7, c: 7 },
      { size: 3, a: 20, b: 0, c: 20 },
    ];
    expect(collapseBatch(dims)).toEqual([{ size: 6, a: 20, b: 0, c: 20 }]);
    expect(collapseBatch([dims[0]!, { size: 3, a: 20, b: 4, c: 20 }])).toHaveLength(2);
  });
});
