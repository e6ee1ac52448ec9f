import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestBackend, describeGpu } from "../testing.testkit.js";
import type { WebGpuBackend } from "../webgpu-backend.js";
import { largestError, numDifferent, randomFloats, randomIntegers, viewOf } from "./kernel-run.testkit.js";

type Fold = (total: number, value: number) => number;

/** In f64 over [outer, K, inner]. */
function folded(x: ArrayLike<number>, [outer, length, inner]: readonly number[], fold: Fold, start: number): number[] {
  return Array.from({ length: outer! * inner! }, (_, column) => {
    const base = Math.floor(column / inner!) * length! * inner! + (column % inner!);
    let total = start;
    for (let k = 0; k < length!; k++) total = fold(total, x[base + k * inner!]!);
    return total;
  });
}

describeGpu("reductions of large shapes on WebGPU", () => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await createTestBackend();
  });
  afterAll(() => backend.dispose());

  const axisOf = ([outer, axisLength, inner]: readonly number[]) => {
    return { outer: outer!, axisLength: axisLength!, inner: inner! };
  };

  test.each([
    [[1, 1_000_003, 1]],
    [[1_000_003, 3, 1]],
    [[2, 300_007, 2]],
    [[3, 1_029, 130]],
    [[5, 17, 1_000]],
    [[40, 513, 1]],
  ])("sums, maxima and minima of %j are those of the whole axis", async (shape) => {
    const values = randomFloats(shape[0]! * shape[1]! * shape[2]!, 5);
    const x = viewOf(backend, shape, values);
    const out = viewOf(backend, [shape[0]! * shape[2]!], "f32");
    backend.kernels.reduce("sum", x, axisOf(shape), out);
    const sums = folded(values, shape, (total, value) => total + value, 0);
    expect(largestError(await backend.read(out), sums)).toBeLessThan(1e-6 * Math.sqrt(shape[1]!) + 1e-7);
    backend.kernels.reduce("max", x, axisOf(shape), out);
    expect(numDifferent(await backend.read(out), folded(values, shape, Math.max, -2))).toBe(0);
    backend.kernels.reduce("min", x, axisOf(shape), out);
    expect(numDifferent(await backend.read(out), folded(values, shape, Math.min, 2))).toBe(0);
  });

  test("a NaN anywhere in a long axis is its maximum and minimum, and the first NaN is its place", async () => {
    const values = randomFloats(100_000, 3);
    values[70_001] = Number.NaN;
    values[70_002] = Number.POSITIVE_INFINITY;
    values[99_999] = Number.NaN;
    const x = viewOf(backend, [100_000], values);
    const axis = { outer: 1, axisLength: 100_000, inner: 1 };
    const [out, place] = [viewOf(backend, [1], "f32"), viewOf(backend, [1], "i32")];
    for (const kind of ["max", "min"] as const) {
      backend.kernels.reduce(kind, x, axis, out);
      expect([...(await backend.read(out))]).toEqual([Number.NaN]);
    }
    for (const kind of ["argMax", "argMin"] as const) {
      backend.kernels.argReduce(kind, x, axis, place);
      expect([...(await backend.read(place))]).toEqual([70_001]);
    }
  });

  test("an axis of no elements sums to 0 and has the infinities as extremes", async () => {
    const x = viewOf(backend, [1], "f32");
    const out = viewOf(backend, [2], "f32");
    const results: unknown[] = [];
    for (const kind of ["sum", "max", "min"] as const) {
      backend.kernels.reduce(kind, x, { outer: 2, axisLength: 0, inner: 1 }, out);
      results.push([...(await backend.read(out))]);
    }
    expect(results).toEqual([
      [0, 0],
      [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
      [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    ]);
  });

  test.each([[[1, 50_000, 1]], [[2, 3_000, 3]], [[1_000, 40, 1]]])(
    "the place of an extreme in %j is the first of equal ones, whatever block they are in",
    async (shape) => {
      const words = randomIntegers(shape[0]! * shape[1]! * shape[2]!, 50, 9);
      const floats = Float32Array.from(words, (word) => (word === 7 ? -0 : word - 7));
      const place = viewOf(backend, [shape[0]! * shape[2]!], "i32");
      for (const kind of ["argMax", "argMin"] as const) {
        const isBetter = (a: number, b: number) => (kind === "argMax" ? a > b : a < b);
        const expected = Array.from({ length: shape[0]! * shape[2]! }, (_, column) => {
          const base = Math.floor(column / shape[2]!) * shape[1]! * shape[2]! + (column % shape[2]!);
          let best = 0;
          for (let k = 1; k < shape[1]!; k++) {
            if (isBetter(words[base + k * shape[2]!]!, words[base + best * shape[2]!]!)) best = k;
          }
          return best;
        });
        backend.kernels.argReduce(kind, viewOf(backend, shape, floats), axisOf(shape), place);
        expect(numDifferent(await backend.read(place), expected)).toBe(0);
        backend.kernels.reduceIntegers(kind, viewOf(backend, shape, words), axisOf(shape), place);
        expect(numDifferent(await backend.read(place), expected)).toBe(0);
      }
    },
  );

  test("integers are reduced modulo 2^32", async () => {
    const shape = [2, 2_500, 3];
    const words = randomIntegers(15_000, 0x7fffffff, 4).map((word) => word | 1);
    const x = viewOf(backend, shape, words);
    const out = viewOf(backend, [6], "i32");
    const folds = {
      sum: [(a: number, b: number) => (a + b) | 0, 0],
      prod: [Math.imul, 1],
      max: [Math.max, 0],
      min: [Math.min, 0x7fffffff],
    } as const;
    for (const [kind, [fold, start]] of Object.entries(folds)) {
      backend.kernels.reduceIntegers(kind as keyof typeof folds, x, axisOf(shape), out);
      expect([...(await backend.read(out))]).toEqual(folded(words, shape, fold, start));
    }
  });
});
