import { describe, expect, test } from "vitest";
import type { TensorView } from "../../backend/backend.js";
import { sumInOrder } from "../sum-order-reference.js";
import { layerNormRoom } from "./layer-norm.js";
import { expectSameBits, hashOf, maxError, randomFloats } from "./measure.testkit.js";
import { createSoloHost } from "./solo-host.testkit.js";

const host = createSoloHost(layerNormRoom.kernels, "strict");
const kernels = layerNormRoom.rows(host);
const { fround } = Math;
const eps = fround(1e-5);
const names = ["out", "mean", "rstd", "dx", "dWeight", "dBias"] as const;
type Results = Record<(typeof names)[number], Float32Array>;

interface Case {
  readonly rows: number;
  readonly length: number;
  /** Added to x: |mean| >> std. */
  readonly shift?: number;
}
const cases: Case[] = [
  { rows: 5, length: 7 },
  { rows: 1, length: 1 },
  { rows: 40, length: 64 },
  { rows: 33, length: 130, shift: 100 },
  { rows: 4_100, length: 9 },
  { rows: 12_289, length: 2 },
  { rows: 2, length: 4_109 },
];

function run(c: Case): { results: Results; inputs: Record<"x" | "weight" | "bias" | "dOut", Float32Array> } {
  host.reset();
  const shape = [c.rows, c.length];
  const size = c.rows * c.length;
  const inputs = {
    x: randomFloats(size, 1).map((v) => v + (c.shift ?? 0)),
    weight: randomFloats(c.length, 2),
    bias: randomFloats(c.length, 3),
    dOut: randomFloats(size, 4),
  };
  const [x, dOut] = [host.put(inputs.x, shape), host.put(inputs.dOut, shape)];
  const [weight, bias] = [host.put(inputs.weight), host.put(inputs.bias)];
  const guarded = (length: number): TensorView => {
    const whole = host.put(new Float32Array(length + 8).fill(7));
    return { ...whole, offset: 3, shape: [length] };
  };
  const views: Record<keyof Results, TensorView> = {
    out: guarded(size),
    mean: guarded(c.rows),
    rstd: guarded(c.rows),
    dx: guarded(size),
    dWeight: guarded(c.length),
    dBias: guarded(c.length),
  };
  kernels.layerNorm(x, weight, bias, eps, views);
  const { mean, rstd, dx, dWeight, dBias } = views;
  kernels.layerNormBackward({ dOut, x, weight, mean, rstd }, dx, dWeight, dBias);
  const results = {} as Results;
  for (const name of names) {
    const length = views[name].shape[0]!;
    const all = host.get({ ...views[name], offset: 0, shape: [length + 8] }) as Float32Array;
    expect([...all.subarray(0, 3), ...all.subarray(3 + length)], name).toEqual(new Array(8).fill(7));
    results[name] = all.slice(3, 3 + length);
  }
  return { results, inputs };
}

interface Arithmetic {
  round(x: number): number;
  sum(values: readonly number[]): number;
}

/** The formulas of layer-norm.ts. */
function reference(
  c: Case,
  inputs: ReturnType<typeof run>["inputs"],
  math: Arithmetic,
): Record<keyof Results, number[]> {
  const { round, sum } = math;
  const C = c.length;
  const result: Record<keyof Results, number[]> = { out: [], mean: [], rstd: [], dx: [], dWeight: [], dBias: [] };
  const xhats: number[][] = [];
  for (let n = 0; n < c.rows; n++) {
    const x = Array.from(inputs.x.subarray(n * C, (n + 1) * C));
    const dOut = inputs.dOut.subarray(n * C, (n + 1) * C);
    const mean = round(sum(x) / C);
    const centred = x.map((v) => round(v - mean));
    const variance = round(sum(centred.map((v) => round(v * v))) / C);
    const rstd = round(1 / round(Math.sqrt(round(variance + eps))));
    const xhat = centred.map((v) => round(v * rstd));
    const g = Array.from(dOut, (v, j) => round(v * inputs.weight[j]!));
    const gMean = round(sum(g) / C);
    const productMean = round(sum(g.map((v, j) => round(v * xhat[j]!))) / C);
    result.mean.push(mean);
    result.rstd.push(rstd);
    xhats.push(xhat);
    for (let j = 0; j < C; j++) {
      result.out.push(round(round(xhat[j]! * inputs.weight[j]!) + inputs.bias[j]!));
      result.dx.push(round(round(round(g[j]! - gMean) - round(xhat[j]! * productMean)) * rstd));
    }
  }
  for (let j = 0; j < C; j++) {
    const column = Array.from({ length: c.rows }, (_, n) => inputs.dOut[n * C + j]!);
    result.dBias.push(sum(column));
    result.dWeight.push(sum(column.map((v, n) => round(v * xhats[n]![j]!))));
  }
  return result;
}

describe("layerNorm", () => {
  test.each(cases)("computes its formulas in the documented order: %o", (c) => {
    const { results, inputs } = run(c);
    const expected = reference(c, inputs, { round: fround, sum: sumInOrder });
    for (const name of names) expectSameBits(results[name], Float32Array.from(expected[name]), name);
  });

  test.each(cases)("is close to f64: %o", (c) => {
    const { results, inputs } = run(c);
    const expected = reference(c, inputs, { round: (v) => v, sum: (values) => values.reduce((a, b) => a + b, 0) });
    // A mean far from 0 costs the digits that it and x share.
    const tolerance = 1e-5 * Math.max(1, c.shift ?? 0) * (c.length === 1 ? 100 : 1);
    for (const name of names) expect(maxError(results[name], expected[name]), name).toBeLessThan(tolerance);
  });

  test("keeps its bits when the items are split, and its committed bits", () => {
    const c = { rows: 37, length: 50 };
    const whole = run(c).results;
    for (const parts of [2, 3, 5, 8]) {
      host.splitInto(parts);
      const split = run(c).results;
      for (const name of names) expectSameBits(split[name], whole[name], name);
    }
    host.splitInto(1);
    // A change of these is a change of numericsVersion.
    expect(names.map((name) => hashOf(whole[name])).join(" ")).toMatchInlineSnapshot(
      `"4b5c19a3108dff2c 960c38bf5150ae96 d8201cca24fe05e1 7821f52f4f28aef6 989b4cb9cead8e51 25f179b368fb3b60"`,
    );
  });

  test("gives zero weight gradients for no rows", () => {
    const { results } = run({ rows: 0, length: 5 });
    expect([...results.dWeight, ...results.dBias]).toEqual(new Array(10).fill(0));
  });
});
