import { describe, expect, test } from "vitest";
import { sumInOrder } from "../sum-order-reference.js";
import { expectSameBits, hashOf, maxError, randomFloats } from "./measure.testkit.js";
import { softmaxRoom } from "./softmax.js";
import { createSoloHost } from "./solo-host.testkit.js";
import { vectorExp, vectorLog } from "./vector-exp.testkit.js";

const host = createSoloHost(softmaxRoom.kernels, "strict");
const kernels = softmaxRoom.rows(host);
const { fround } = Math;
const names = ["softmax", "logSoftmax", "softmaxBackward", "logSoftmaxBackward"] as const;
type Name = (typeof names)[number];

interface Case {
  readonly rows: number;
  readonly length: number;
  readonly spread?: number;
}
const cases: Case[] = [
  { rows: 3, length: 1 },
  { rows: 5, length: 7 },
  { rows: 4, length: 16 },
  { rows: 7, length: 65, spread: 30 },
  { rows: 2, length: 130, spread: 200 },
  { rows: 2, length: 5_003, spread: 3 },
];

/** x and, for the gradients, a y that looks like a result. */
function run(name: Name, c: Case): { result: Float32Array; x: Float32Array; y: Float32Array } {
  host.reset();
  const shape = [c.rows, c.length];
  const values = randomFloats(c.rows * c.length, c.length).map((v) => v * (c.spread ?? 1));
  const x = host.put(values, shape);
  const y = host.put(
    randomFloats(values.length, 3).map((v) => (name === "softmaxBackward" ? (v + 1) / 2 : v - 2)),
    shape,
  );
  const out = host.put(new Float32Array(values.length + 8).fill(7));
  const view = { ...out, offset: 3, shape, strides: [c.length, 1] };
  if (name === "softmax" || name === "logSoftmax") kernels[name](x, view);
  else kernels[name](x, y, view);
  const all = host.get(out) as Float32Array;
  expect([...all.subarray(0, 3), ...all.subarray(3 + values.length)]).toEqual(new Array(8).fill(7));
  return { result: host.get(view) as Float32Array, x: values, y: host.get(y) as Float32Array };
}

function rowsOf(values: Float32Array, length: number): Float32Array[] {
  return Array.from({ length: values.length / length }, (_, n) => values.subarray(n * length, (n + 1) * length));
}

/** The formulas of softmax.ts, rounded at each step. */
const inOrder: Record<Name, (x: Float32Array, y: Float32Array) => ArrayLike<number>> = {
  softmax(x) {
    const e = vectorExp(x.map((v) => v - Math.max(...x)));
    const inverse = fround(1 / sumInOrder(e));
    return e.map((v) => v * inverse);
  },
  logSoftmax(x) {
    const shifted = x.map((v) => v - Math.max(...x));
    const logSum = vectorLog([sumInOrder(vectorExp(shifted))])[0]!;
    return shifted.map((v) => v - logSum);
  },
  softmaxBackward(dy, y) {
    const sum = sumInOrder(dy.map((v, i) => v * y[i]!));
    return dy.map((v, i) => y[i]! * fround(v - sum));
  },
  logSoftmaxBackward(dy, y) {
    const sum = sumInOrder(dy);
    const e = vectorExp(y);
    return dy.map((v, i) => v - fround(e[i]! * sum));
  },
};

const exact: Record<Name, (x: number[], y: number[]) => number[]> = {
  softmax(x) {
    const e = x.map((v) => Math.exp(v - Math.max(...x)));
    return e.map((v) => v / e.reduce((a, b) => a + b));
  },
  logSoftmax(x) {
    const max = Math.max(...x);
    const logSum = Math.log(x.map((v) => Math.exp(v - max)).reduce((a, b) => a + b));
    return x.map((v) => v - max - logSum);
  },
  softmaxBackward(dy, y) {
    const sum = dy.map((v, i) => v * y[i]!).reduce((a, b) => a + b);
    return dy.map((v, i) => y[i]! * (v - sum));
  },
  logSoftmaxBackward(dy, y) {
    const sum = dy.reduce((a, b) => a + b);
    return dy.map((v, i) => v - Math.exp(y[i]!) * sum);
  },
};

describe.each(names)("%s", (name) => {
  test.each(cases)("computes its formula in the documented order and stays in its rows: %o", (c) => {
    const { result, x, y } = run(name, c);
    const ys = rowsOf(y, c.length);
    const expected = rowsOf(x, c.length).flatMap((row, n) => Array.from(inOrder[name](row, ys[n]!)));
    expectSameBits(result, Float32Array.from(expected));
  });

  test.each(cases)("is close to f64: %o", (c) => {
    const { result, x, y } = run(name, c);
    const ys = rowsOf(y, c.length);
    const expected = rowsOf(x, c.length).flatMap((row, n) => exact[name]([...row], [...ys[n]!]));
    expect(maxError(result, expected)).toBeLessThan(3e-6 * (c.spread ?? 1));
  });

  test("keeps its bits when the rows are split, and its committed bits", () => {
    const c = { rows: 11, length: 77, spread: 5 };
    const whole = run(name, c).result;
    for (const parts of [2, 3, 5, 8]) {
      host.splitInto(parts);
      expectSameBits(run(name, c).result, whole);
    }
    host.splitInto(1);
    expect(hashOf(whole)).toBe(committed[name]);
  });

  test("takes no rows and rows of nothing", () => {
    expect(run(name, { rows: 0, length: 4 }).result).toHaveLength(0);
    expect(run(name, { rows: 4, length: 0 }).result).toHaveLength(0);
  });
});

test("softmax of a row with NaN, or of -inf alone, is NaN; -inf among numbers is weight 0", () => {
  host.reset();
  const { NaN: nan, NEGATIVE_INFINITY: inf } = Number;
  const x = host.put(Float32Array.of(1, nan, 2, inf, inf, inf, 0, inf, 0), [3, 3]);
  const out = host.put(new Float32Array(9), [3, 3]);
  kernels.softmax(x, out);
  expect([...host.get(out)]).toEqual([nan, nan, nan, nan, nan, nan, 0.5, 0, 0.5]);
});

/** A change of these is a change of numericsVersion. */
const committed: Record<Name, string> = {
  softmax: "a60d89f10692c9d9",
  logSoftmax: "97603a12102c354c",
  softmaxBackward: "2192ef50d35535ca",
  logSoftmaxBackward: "a4f8833265c67c09",
};
