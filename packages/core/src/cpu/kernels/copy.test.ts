import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TensorView } from "../../backend/backend.js";
import { contiguousStrides, numElements } from "../../backend/strided.js";
import { createCpuBackend } from "../cpu-backend.js";
import { behind, bitsOf, randomValues, valuesOf, viewOf } from "../views.testkit.js";

function permuted(view: TensorView, order: readonly number[]): TensorView {
  return {
    ...view,
    shape: order.map((dim) => view.shape[dim] ?? 1),
    strides: order.map((dim) => view.strides[dim] ?? 0),
  };
}

describe("copy", () => {
  const backend = createCpuBackend();

  test("moves every element between any two strided layouts and touches nothing else", () => {
    const shape = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(shape, fc.infiniteStream(fc.nat()), fc.nat(7), (sizes, keys, offset) => {
        const order = () =>
          sizes
            .map((_, dim) => ({ dim, key: keys.next().value as number }))
            .sort((a, b) => a.key - b.key)
            .map(({ dim }) => dim);
        const [from, to] = [order(), order()];
        const memoryShape = (dims: readonly number[]) => {
          const own: number[] = [];
          dims.forEach((dim, place) => {
            own[dim] = sizes[place] ?? 1;
          });
          return own;
        };
        const values = randomValues(numElements(sizes), numElements(sizes));
        const src = permuted(viewOf(backend, memoryShape(from), values, { offset }), from);
        const dst = permuted(viewOf(backend, memoryShape(to), undefined, { offset: 2, tail: 9 }), to);
        const before = bitsOf(valuesOf(backend, src));
        backend.kernels.copy(src, dst);
        expect(bitsOf(valuesOf(backend, dst))).toEqual(before);
        expect(bitsOf(valuesOf(backend, src))).toEqual(before);
        expect(Array.from(behind(backend, { ...dst, strides: contiguousStrides(dst.shape) }))).toEqual(
          new Array(9).fill(77),
        );
        for (const view of [src, dst]) backend.free(view.buffer);
      }),
      { numRuns: 300, seed: 5 },
    );
  });

  test("transposes matrices of sizes that do and do not fit the blocks", () => {
    for (const [rows, columns] of [
      [16, 16],
      [64, 20],
      [33, 47],
      [128, 3],
      [5, 200],
      [17, 256],
    ] as const) {
      const values = randomValues(rows * columns, 2 * rows * columns);
      const src = permuted(viewOf(backend, [2, columns, rows], values), [0, 2, 1]);
      const dst = viewOf(backend, [2, rows, columns], undefined, { tail: 7 });
      backend.kernels.copy(src, dst);
      expect(bitsOf(valuesOf(backend, dst))).toEqual(bitsOf(valuesOf(backend, src)));
      expect(Array.from(behind(backend, dst))).toEqual(new Array(7).fill(77));
    }
  });

  test("copies a slice of rows, a broadcast source and i32 elements", () => {
    const table = viewOf(backend, [6, 10], randomValues(1, 60));
    const slice: TensorView = { ...table, offset: 12, shape: [4, 7], strides: [10, 1] };
    const out = viewOf(backend, [4, 7]);
    backend.kernels.copy(slice, out);
    expect(bitsOf(valuesOf(backend, out))).toEqual(bitsOf(valuesOf(backend, slice)));

    const row = viewOf(backend, [3], Int32Array.of(-1, 2, 2 ** 31 - 1));
    const spread: TensorView = { ...row, shape: [2, 3, 4], strides: [0, 1, 0] };
    const wide = viewOf(backend, [2, 3, 4], undefined, { dtype: "i32" });
    backend.kernels.copy(spread, wide);
    expect(Array.from(valuesOf(backend, wide))).toEqual(Array.from(valuesOf(backend, spread)));
  });

  test("an empty view is copied without touching anything", () => {
    const src = viewOf(backend, [0, 3]);
    const dst = viewOf(backend, [0, 3], undefined, { tail: 4 });
    backend.kernels.copy(src, dst);
    expect(Array.from(behind(backend, dst))).toEqual([77, 77, 77, 77]);
  });
});

describe("fill", () => {
  test("sets the elements of a strided view and no others, f32 and i32", () => {
    const backend = createCpuBackend();
    const all = viewOf(backend, [5, 9]);
    backend.kernels.fill({ ...all, offset: 10, shape: [3, 7], strides: [9, 1] }, -2.5);
    const expected = Array.from({ length: 45 }, (_, i) => {
      const [r, c] = [Math.floor(i / 9), i % 9];
      return r >= 1 && r <= 3 && c >= 1 && c <= 7 ? -2.5 : 77;
    });
    expect(Array.from(valuesOf(backend, all))).toEqual(expected);
    const integers = viewOf(backend, [2, 4], undefined, { dtype: "i32" });
    backend.kernels.fill({ ...integers, shape: [2, 2], strides: [4, 2] }, -7);
    expect(Array.from(valuesOf(backend, integers))).toEqual([-7, 77, -7, 77, -7, 77, -7, 77]);
  });
});
