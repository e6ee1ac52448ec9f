import { describe, expect, test } from "vitest";
import type { TensorView } from "../../backend/backend.js";
import type { CpuNumericClass } from "../kernel.js";
import { sumInOrder } from "../sum-order-reference.js";
import { attentionRoom } from "./attention.js";
import { enableRelaxedSimd, expectSameBits, hashOf, maxError, randomFloats } from "./measure.testkit.js";
import { createSoloHost, rowMajor, type SoloHost } from "./solo-host.testkit.js";
import { vectorExp } from "./vector-exp.testkit.js";

enableRelaxedSimd();

interface Case {
  readonly batch: number;
  readonly heads: number;
  readonly tokens: number;
  readonly headDim: number;
  /** Views of one [B, T, 3 C] buffer, or contiguous tensors. */
  readonly joined: boolean;
}

interface Tensors {
  readonly q: TensorView;
  readonly k: TensorView;
  readonly v: TensorView;
  readonly dOut: TensorView;
  readonly out: TensorView;
  readonly probs: TensorView;
  readonly dq: TensorView;
  readonly dk: TensorView;
  readonly dv: TensorView;
}

function setUp(host: SoloHost, c: Case): Tensors {
  host.reset();
  const shape = [c.batch, c.heads, c.tokens, c.headDim];
  const width = c.heads * c.headDim;
  const length = c.batch * c.tokens * width;
  const single = (seed: number): TensorView => host.put(randomFloats(length, seed), shape);
  const triple = (seed: number): [TensorView, TensorView, TensorView] => {
    if (!c.joined) return [single(seed), single(seed + 1), single(seed + 2)];
    const whole = host.put(randomFloats(3 * length, seed));
    const strides = [c.tokens * 3 * width, c.headDim, 3 * width, 1];
    const view = (i: number): TensorView => ({ ...whole, offset: i * width, shape, strides });
    return [view(0), view(1), view(2)];
  };
  const merged = (seed: number): TensorView => ({
    ...single(seed),
    strides: c.joined ? [c.tokens * width, c.headDim, width, 1] : rowMajor(shape),
  });
  const [q, k, v] = triple(1);
  const [dq, dk, dv] = triple(4);
  const probs = host.put(randomFloats(c.batch * c.heads * c.tokens * c.tokens, 9), [
    c.batch,
    c.heads,
    c.tokens,
    c.tokens,
  ]);
  return { q, k, v, dOut: merged(7), out: merged(8), probs, dq, dk, dv };
}

function run(
  host: SoloHost,
  c: Case,
): Record<"out" | "probs" | "dq" | "dk" | "dv", Float32Array> & { tensors: Tensors } {
  const tensors = setUp(host, c);
  const { causalAttention, causalAttentionBackward } = attentionRoom.rows(host);
  const scale = Math.fround(1 / Math.sqrt(c.headDim));
  const saved = tensors.probs;
  causalAttention(tensors, scale, { ...tensors, saved });
  causalAttentionBackward({ ...tensors, saved }, scale, tensors);
  const get = (view: TensorView): Float32Array => host.get(view) as Float32Array;
  const { out, probs, dq, dk, dv } = tensors;
  return { out: get(out), probs: get(probs), dq: get(dq), dk: get(dk), dv: get(dv), tensors };
}

interface Arithmetic {
  round(x: number): number;
  /** Of the products of a dot product. Exact in f64, so leaving them be is what a fused multiply-add does. */
  product(x: number): number;
  exp(values: readonly number[]): ArrayLike<number>;
  sum(values: readonly number[]): number;
}
const strict: Arithmetic = { round: Math.fround, product: Math.fround, exp: vectorExp, sum: sumInOrder };
const rounded = { strict, fused: { ...strict, product: (x: number) => x } };
const exact: Arithmetic = {
  round: (x) => x,
  product: (x) => x,
  exp: (values) => values.map(Math.exp),
  sum: (values) => values.reduce((a, b) => a + b, 0),
};

/** The formulas of the kernel, one (batch, head) pair after another; dot products ascend. */
function reference(
  host: SoloHost,
  t: Tensors,
  math: Arithmetic,
): Record<"out" | "probs" | "dq" | "dk" | "dv", number[]> {
  const [batch, heads, T, D] = t.q.shape as [number, number, number, number];
  const scale = Math.fround(1 / Math.sqrt(D));
  const { round } = math;
  const [q, k, v, dOut] = [t.q, t.k, t.v, t.dOut].map((view) => host.get(view)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const result = {
    out: [] as number[],
    probs: [] as number[],
    dq: [] as number[],
    dk: [] as number[],
    dv: [] as number[],
  };
  const dot = (count: number, term: (i: number) => number): number => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum = round(sum + math.product(term(i)));
    return sum;
  };
  for (let pair = 0; pair < batch * heads; pair++) {
    const at = (x: Float32Array, row: number, d: number): number => x[(pair * T + row) * D + d]!;
    const P: number[][] = [];
    const dS: number[][] = [];
    for (let i = 0; i < T; i++) {
      const row = Array.from({ length: i + 1 }, (_, j) => round(dot(D, (d) => at(q, i, d) * at(k, j, d)) * scale));
      const max = Math.max(...row);
      const e = Array.from(math.exp(row.map((x) => round(x - max))));
      const inverse = round(1 / math.sum(e));
      P.push(e.map((x) => round(x * inverse)));
      const dP = Array.from({ length: i + 1 }, (_, j) => dot(D, (d) => at(dOut, i, d) * at(v, j, d)));
      const mean = math.sum(dP.map((x, j) => round(x * P[i]![j]!)));
      dS.push(dP.map((x, j) => round(round(P[i]![j]! * round(x - mean)) * scale)));
    }
    for (let i = 0; i < T; i++) {
      for (let j = 0; j < T; j++) result.probs.push(P[i]![j] ?? 0);
      for (let d = 0; d < D; d++) {
        result.out.push(dot(i + 1, (j) => P[i]![j]! * at(v, j, d)));
        result.dq.push(dot(i + 1, (j) => dS[i]![j]! * at(k, j, d)));
        result.dk.push(dot(T - i, (r) => dS[i + r]![i]! * at(q, i + r, d)));
        result.dv.push(dot(T - i, (r) => P[i + r]![i]! * at(dOut, i + r, d)));
      }
    }
  }
  return result;
}

const cases: Case[] = [
  { batch: 2, heads: 2, tokens: 8, headDim: 8, joined: true },
  { batch: 1, heads: 3, tokens: 13, headDim: 5, joined: false },
  { batch: 2, heads: 3, tokens: 7, headDim: 4, joined: true },
  { batch: 1, heads: 1, tokens: 1, headDim: 1, joined: true },
  { batch: 1, heads: 1, tokens: 2, headDim: 3, joined: false },
  { batch: 1, heads: 2, tokens: 67, headDim: 33, joined: true },
  { batch: 3, heads: 2, tokens: 32, headDim: 16, joined: true },
];
const hosts: Record<CpuNumericClass, SoloHost> = {
  strict: createSoloHost(attentionRoom.kernels, "strict"),
  fused: createSoloHost(attentionRoom.kernels, "fused"),
};
const names = ["probs", "out", "dq", "dk", "dv"] as const;

describe("causalAttention", () => {
  test.each(cases)("computes its formulas in the documented order, forward and backward: %o", (c) => {
    for (const numericClass of ["strict", "fused"] as const) {
      const results = run(hosts[numericClass], c);
      const expected = reference(hosts[numericClass], results.tensors, rounded[numericClass]);
      for (const name of names)
        expectSameBits(results[name], Float32Array.from(expected[name]), `${numericClass} ${name}`);
    }
  });

  test.each(cases)("is close to f64 in both classes: %o", (c) => {
    for (const host of [hosts.strict, hosts.fused]) {
      const results = run(host, c);
      const expected = reference(host, results.tensors, exact);
      for (const name of names) expect(maxError(results[name], expected[name]), name).toBeLessThan(2e-6);
    }
  });

  test("writes nothing between the rows of its outputs", () => {
    const c = { batch: 2, heads: 2, tokens: 9, headDim: 5, joined: true };
    const { tensors } = run(hosts.strict, c);
    const { dq, dk } = tensors;
    // Only dq and dk get written: what was dv's must still be there.
    const before = setUp(hosts.strict, c);
    const kept = hosts.strict.get(before.dv);
    const { causalAttention, causalAttentionBackward } = attentionRoom.rows(hosts.strict);
    const saved = before.probs;
    causalAttention(before, 1, { ...before, saved });
    causalAttentionBackward({ ...before, saved }, 1, { dq, dk, dv: { ...before.out } });
    expectSameBits(hosts.strict.get(before.dv), kept);
  });

  test("does nothing with an empty batch or sequence", () => {
    for (const c of [
      { batch: 0, heads: 2, tokens: 4, headDim: 4, joined: false },
      { batch: 2, heads: 2, tokens: 0, headDim: 4, joined: false },
    ]) {
      expect(run(hosts.strict, c).out).toHaveLength(0);
    }
  });

  test.each(["strict", "fused"] as const)("keeps its %s bits when the items are split", (numericClass) => {
    const host = hosts[numericClass];
    const c = { batch: 2, heads: 3, tokens: 45, headDim: 20, joined: true };
    const whole = run(host, c);
    for (const parts of [2, 3, 5, 8, 30]) {
      host.splitInto(parts);
      const split = run(host, c);
      for (const name of names) expectSameBits(split[name], whole[name], name);
    }
    host.splitInto(1);
  });

  test("keeps its committed bits", () => {
    const c = { batch: 2, heads: 4, tokens: 66, headDim: 32, joined: true };
    const hashes = (["strict", "fused"] as const).map((numericClass) => {
      const results = run(hosts[numericClass], c);
      return names.map((name) => hashOf(results[name])).join(" ");
    });
    expect(hashes).toMatchInlineSnapshot(`
      [
        "7705d56f5bead7c1 79b212480d21496c 356dc9881a39b6fd 12b2070add5a5633 d0dca20ef2e94260",
        "65cdbc496b9e437e eb573af33530cfcc 80cf68b6df461c6e e8c54e64e905e46f 8ea3ca91a37dadf4",
      ]
    `);
  });
});
