import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestBackend, describeGpu } from "../testing.testkit.js";
import type { WebGpuBackend } from "../webgpu-backend.js";
import { numDifferent, randomFloats, randomIntegers, viewOf } from "./kernel-run.testkit.js";

describeGpu("running sums of large shapes on WebGPU", () => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await createTestBackend();
  });
  afterAll(() => backend.dispose());

  /** Over ascending k, or descending, each element rounded once. */
  function scanned(
    shape: readonly number[],
    isReversed: boolean,
    out: Float32Array | Int32Array,
    step: (total: number, at: number, isFirst: boolean) => number,
  ) {
    const [outer, length, inner] = shape as [number, number, number];
    for (let column = 0; column < outer * inner; column++) {
      let total = 0;
      for (let k = 0; k < length; k++) {
        const place = isReversed ? length - 1 - k : k;
        const at = (Math.floor(column / inner) * length + place) * inner + (column % inner);
        total = step(total, at, k === 0);
        out[at] = total;
      }
    }
    return out;
  }

  test.each([
    { shape: [1, 1_000_003, 1], isReversed: false },
    { shape: [2, 5_000, 3], isReversed: true },
    { shape: [9_000, 5, 2], isReversed: false },
  ])("a running sum of $shape, reversed: $isReversed, rounds once from f64", async ({ shape, isReversed }) => {
    const [outer, axisLength, inner] = shape as [number, number, number];
    const axis = { outer, axisLength, inner };
    // A mean far from 0: plain f32 would lose the last bits of every term.
    const terms = randomFloats(outer * axisLength * inner, 7).map((value) => value + 1_000);
    const out = viewOf(backend, shape, "f32");
    backend.kernels.scan({ terms: viewOf(backend, shape, terms) }, axis, isReversed, out);
    const sums = scanned(shape, isReversed, new Float32Array(terms.length), (total, at) => total + terms[at]!);
    expect(numDifferent(await backend.read(out), sums)).toBe(0);
    const words = randomIntegers(terms.length, 0x7fffffff, 8);
    const outWords = viewOf(backend, shape, "i32");
    backend.kernels.scan({ terms: viewOf(backend, shape, words) }, axis, isReversed, outWords);
    const totals = scanned(shape, isReversed, new Int32Array(terms.length), (total, at) => (total + words[at]!) | 0);
    expect(numDifferent(await backend.read(outWords), totals)).toBe(0);
  });

  test("a recurrence and a running product keep more bits than f32", async () => {
    const shape = [3, 3_000, 2];
    const axis = { outer: 3, axisLength: 3_000, inner: 2 };
    const factors = randomFloats(18_000, 2).map((value) => 1 + value / 512);
    const terms = randomFloats(18_000, 3);
    const views = { factors: viewOf(backend, shape, factors), terms: viewOf(backend, shape, terms) };
    const out = viewOf(backend, shape, "f32");
    backend.kernels.scan(views, axis, true, out);
    const values = scanned(shape, true, new Float32Array(18_000), (total, at, isFirst) => {
      return isFirst ? terms[at]! : factors[at]! * total + terms[at]!;
    });
    expect(numDifferent(await backend.read(out), values)).toBe(0);
    backend.kernels.scan({ factors: views.factors }, axis, false, out);
    const products = scanned(shape, false, new Float32Array(18_000), (total, at, isFirst) => {
      return (isFirst ? 1 : total) * factors[at]!;
    });
    expect(numDifferent(await backend.read(out), products)).toBe(0);
  });

  test("infinities and NaN run on from where they stand", async () => {
    const terms = Float32Array.from([1, Number.POSITIVE_INFINITY, 2, Number.NEGATIVE_INFINITY, 3]);
    const out = viewOf(backend, [5], "f32");
    const axis = { outer: 1, axisLength: 5, inner: 1 };
    backend.kernels.scan({ terms: viewOf(backend, [5], terms) }, axis, false, out);
    expect([...(await backend.read(out))]).toEqual([1, Infinity, Infinity, Number.NaN, Number.NaN]);
  });
});
