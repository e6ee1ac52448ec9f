import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestBackend, describeGpu } from "../testing.testkit.js";
import type { WebGpuBackend } from "../webgpu-backend.js";
import { numDifferent, randomFloats, randomIntegers, viewOf } from "./kernel-run.testkit.js";

describeGpu("orders and additions at indices of large shapes on WebGPU", () => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await createTestBackend();
  });
  afterAll(() => backend.dispose());

  test.each([
    { shape: [1, 100_003, 1], count: 100_003, isDescending: false },
    { shape: [1, 100_003, 1], count: 100_003, isDescending: true },
    { shape: [1, 50_000, 1], count: 40, isDescending: true },
    { shape: [2, 5_001, 3], count: 3_000, isDescending: false },
    { shape: [3, 2_049, 2], count: 2_049, isDescending: true },
    { shape: [70_000, 2, 1], count: 1, isDescending: true },
    { shape: [700, 100, 1], count: 100, isDescending: false },
  ])("sort of $shape, first $count, descending: $isDescending", async ({ shape, count, isDescending }) => {
    const [outer, axisLength, inner] = shape as [number, number, number];
    const values = Float32Array.from(randomIntegers(outer * axisLength * inner, 3_000, 7), (word) => {
      return word < 20 ? Number.NaN : word === 1_500 ? -0 : word === 20 ? Number.NEGATIVE_INFINITY : word - 1_501;
    });
    const x = viewOf(backend, shape, values);
    const outputs = {
      values: viewOf(backend, [outer * count * inner], "f32"),
      indices: viewOf(backend, [outer * count * inner], "i32"),
    };
    backend.kernels.sort(x, { outer, axisLength, inner, indexLength: count }, isDescending, outputs);
    const places = new Int32Array(outer * count * inner);
    const sorted = new Float32Array(places.length);
    const isBefore = (a: number, b: number) => (isDescending ? b - a : a - b);
    for (let column = 0; column < outer * inner; column++) {
      const [o, i] = [Math.floor(column / inner), column % inner];
      const valueAt = (k: number) => values[(o * axisLength + k) * inner + i]!;
      const order = Array.from({ length: axisLength }, (_, k) => k).sort((s, t) => {
        const [a, b] = [valueAt(s), valueAt(t)];
        if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
        return a === b ? 0 : isBefore(a, b);
      });
      for (let j = 0; j < count; j++) {
        places[(o * count + j) * inner + i] = order[j]!;
        sorted[(o * count + j) * inner + i] = valueAt(order[j]!);
      }
    }
    expect(numDifferent(await backend.read(outputs.indices), places)).toBe(0);
    expect(numDifferent(await backend.read(outputs.values), sorted)).toBe(0);
  });

  test("searchSorted in rows: NaN is above everything, and isRight counts equal ones", async () => {
    const rows = [-3, -1, -0, 0, 2, 2, Number.POSITIVE_INFINITY, Number.NaN];
    const wanted = [Number.NaN, 2, -0, -4, Number.POSITIVE_INFINITY];
    const sorted = viewOf(backend, [2, 8], Float32Array.from([...rows, ...rows]));
    const values = viewOf(backend, [2, 5], Float32Array.from([...wanted, ...wanted]));
    const out = viewOf(backend, [2, 5], "i32");
    backend.kernels.searchSorted(sorted, values, false, out);
    expect([...(await backend.read(out))]).toEqual([7, 4, 2, 0, 6, 7, 4, 2, 0, 6]);
    backend.kernels.searchSorted(sorted, values, true, out);
    expect([...(await backend.read(out))]).toEqual([8, 6, 4, 0, 7, 8, 6, 4, 0, 7]);
  });

  /** Each way of finding an element's sources: all looked at, columns of their own, sorted indices. */
  test.each([
    { shape: [3, 1_000, 2], indexLength: 60 },
    { shape: [4_500, 9, 2], indexLength: 70 },
    { shape: [2, 40, 3], indexLength: 5_000 },
    { shape: [1, 100_000, 1], indexLength: 20_000 },
  ])("scatterAdd to $shape from $indexLength adds in f32 over ascending j", async ({ shape, indexLength }) => {
    const [outer, axisLength, inner] = shape as [number, number, number];
    const index = randomIntegers(outer * indexLength * inner, axisLength, 3);
    const source = randomFloats(index.length, 4);
    const expected = new Float32Array(outer * axisLength * inner);
    for (let at = 0; at < index.length; at++) {
      const o = Math.floor(at / (indexLength * inner));
      expected[(o * axisLength + index[at]!) * inner + (at % inner)]! += source[at]!;
    }
    const out = viewOf(backend, shape, new Float32Array(expected.length).fill(9));
    const places = viewOf(backend, [index.length], index);
    const view = { outer, axisLength, inner, indexLength };
    backend.kernels.scatterAdd(places, viewOf(backend, [index.length], source), view, out);
    expect(numDifferent(await backend.read(out), expected)).toBe(0);
    const words = source.map((value) => Math.round(1e6 * value));
    const total = new Int32Array(expected.length);
    for (let at = 0; at < index.length; at++) {
      const o = Math.floor(at / (indexLength * inner));
      total[(o * axisLength + index[at]!) * inner + (at % inner)]! += words[at]!;
    }
    const outWords = viewOf(backend, shape, "i32");
    backend.kernels.scatterAdd(places, viewOf(backend, [index.length], Int32Array.from(words)), view, outWords);
    expect(numDifferent(await backend.read(outWords), total)).toBe(0);
  });

  test("an embedding's gradient adds rows in f32 over ascending ids' places, and is 0 where there are none", async () => {
    const [numIds, numRows, length] = [6_000, 500, 7];
    const ids = randomIntegers(numIds, 400, 5);
    const dValues = randomFloats(numIds * length, 6);
    const expected = new Float32Array(numRows * length);
    for (let at = 0; at < dValues.length; at++) {
      expected[ids[Math.floor(at / length)]! * length + (at % length)]! += dValues[at]!;
    }
    const dTable = viewOf(backend, [numRows, length], new Float32Array(expected.length).fill(9));
    const dOut = viewOf(backend, [numIds, length], dValues);
    backend.kernels.embeddingBackward(dOut, viewOf(backend, [numIds], ids), dTable);
    expect(numDifferent(await backend.read(dTable), expected)).toBe(0);
  });
});
