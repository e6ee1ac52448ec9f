import { describe, expect, test } from "vitest";
import { sumInOrder } from "../sum-order-reference.js";
import { crossEntropyRoom } from "./cross-entropy.js";
import { expectSameBits, hashOf, maxError, randomFloats } from "./measure.testkit.js";
import { createSoloHost } from "./solo-host.testkit.js";
import { vectorExp, vectorLog } from "./vector-exp.testkit.js";

const host = createSoloHost(crossEntropyRoom.kernels, "strict");
const kernels = crossEntropyRoom.rows(host);
const { fround } = Math;
const ignoreIndex = -100;
const names = ["loss", "lse", "dLogits"] as const;
type Results = Record<(typeof names)[number], Float32Array>;

interface Case {
  readonly rows: number;
  readonly length: number;
  readonly spread?: number;
}
const cases: Case[] = [
  { rows: 3, length: 1 },
  { rows: 9, length: 5 },
  { rows: 20, length: 65, spread: 20 },
  { rows: 3, length: 4_099, spread: 4 },
];

interface Inputs {
  readonly logits: Float32Array;
  readonly targets: Int32Array;
  readonly dLoss: Float32Array;
}

function run(c: Case): { results: Results; inputs: Inputs } {
  host.reset();
  const inputs = {
    logits: randomFloats(c.rows * c.length, 1).map((v) => v * (c.spread ?? 1)),
    targets: Int32Array.from({ length: c.rows }, (_, n) => (n % 4 === 2 ? ignoreIndex : (n * 37) % c.length)),
    dLoss: randomFloats(c.rows, 2),
  };
  const logits = host.put(inputs.logits, [c.rows, c.length]);
  const targets = host.put(inputs.targets);
  const dLoss = host.put(inputs.dLoss);
  const [loss, lse] = [host.allocate(c.rows), host.allocate(c.rows)];
  const dLogits = host.put(new Float32Array(c.rows * c.length + 4).fill(7));
  kernels.crossEntropy(logits, targets, ignoreIndex, { loss, lse });
  kernels.crossEntropyBackward({ dLoss, logits, targets, lse }, ignoreIndex, { ...dLogits, shape: logits.shape });
  const all = host.get(dLogits) as Float32Array;
  expect([...all.subarray(-4)]).toEqual([7, 7, 7, 7]);
  const get = (view: typeof loss): Float32Array => host.get(view) as Float32Array;
  return { results: { loss: get(loss), lse: get(lse), dLogits: all.slice(0, -4) }, inputs };
}

interface Arithmetic {
  round(x: number): number;
  exp(values: readonly number[]): ArrayLike<number>;
  log(value: number): number;
  sum(values: ArrayLike<number>): number;
}
const rounded: Arithmetic = { round: fround, exp: vectorExp, log: (v) => vectorLog([v])[0]!, sum: sumInOrder };
const exact: Arithmetic = {
  round: (v) => v,
  exp: (values) => values.map(Math.exp),
  log: Math.log,
  sum: (values) => Array.from(values).reduce((a, b) => a + b, 0),
};

/** The formulas of cross-entropy.ts. */
function reference(c: Case, { logits, targets, dLoss }: Inputs, math: Arithmetic): Record<keyof Results, number[]> {
  const { round } = math;
  const result: Record<keyof Results, number[]> = { loss: [], lse: [], dLogits: [] };
  for (let n = 0; n < c.rows; n++) {
    const x = Array.from(logits.subarray(n * c.length, (n + 1) * c.length));
    const max = Math.max(...x);
    const logSum = math.log(math.sum(math.exp(x.map((v) => round(v - max)))));
    const lse = round(max + logSum);
    const target = targets[n]!;
    const ignored = target === ignoreIndex;
    result.lse.push(lse);
    result.loss.push(ignored ? 0 : round(logSum - round(x[target]! - max)));
    const p = Array.from(math.exp(x.map((v) => round(v - lse))));
    result.dLogits.push(...p.map((v, j) => (ignored ? 0 : round(round(v - (j === target ? 1 : 0)) * dLoss[n]!))));
  }
  return result;
}

describe("crossEntropy", () => {
  test.each(cases)("computes its formulas in the documented order: %o", (c) => {
    const { results, inputs } = run(c);
    const expected = reference(c, inputs, rounded);
    for (const name of names) expectSameBits(results[name], Float32Array.from(expected[name]), name);
  });

  test.each(cases)("is close to f64: %o", (c) => {
    const { results, inputs } = run(c);
    const expected = reference(c, inputs, exact);
    for (const name of names) expect(maxError(results[name], expected[name]), name).toBeLessThan(3e-6);
  });

  test("takes no rows", () => {
    expect(run({ rows: 0, length: 3 }).results.loss).toHaveLength(0);
  });

  test("keeps its bits when the rows are split, and its committed bits", () => {
    const c = { rows: 23, length: 65, spread: 6 };
    const whole = run(c).results;
    for (const parts of [2, 3, 5, 8]) {
      host.splitInto(parts);
      const split = run(c).results;
      for (const name of names) expectSameBits(split[name], whole[name], name);
    }
    host.splitInto(1);
    // A change of these is a change of numericsVersion.
    expect(names.map((name) => hashOf(whole[name])).join(" ")).toMatchInlineSnapshot(
      `"27395d2bdf32f0ec 40fc75005f877582 8ea6b54e90c86d89"`,
    );
  });
});
