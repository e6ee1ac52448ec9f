import { describe, expect, test } from "vitest";
import { createCpuBackend } from "../cpu-backend.js";
import { sumInOrder } from "../sum-order-reference.js";
import { bitsOf, randomValues, valuesOf, viewOf } from "../views.testkit.js";

const lengths = [1, 2, 3, 15, 16, 17, 63, 64, 65, 100, 4_095, 4_096, 4_097, 8_192, 12_289, 28_673, 70_001];

describe("reduce", () => {
  const backend = createCpuBackend();

  test("sums rows in the documented order, to the bit", () => {
    for (const length of lengths) {
      for (const outer of [1, 3]) {
        const values = randomValues(length + outer, outer * length);
        const x = viewOf(backend, [outer, length], values, { offset: 3 });
        const out = viewOf(backend, [outer]);
        backend.kernels.reduce("sum", x, { outer, axisLength: length, inner: 1 }, out);
        const expected = Float32Array.from({ length: outer }, (_, o) =>
          sumInOrder(values.slice(o * length, (o + 1) * length)),
        );
        expect({ length, bits: bitsOf(valuesOf(backend, out)) }).toEqual({ length, bits: bitsOf(expected) });
        for (const view of [x, out]) backend.free(view.buffer);
      }
    }
  });

  test("sums columns in the same order, whatever the number of columns", () => {
    for (const axisLength of [1, 2, 7, 16, 17, 33, 500, 4_096, 4_099, 12_300]) {
      for (const inner of [2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 130]) {
        const outer = axisLength < 100 ? 2 : 1;
        const values = randomValues(axisLength * inner, outer * axisLength * inner);
        const x = viewOf(backend, [outer, axisLength, inner], values, { offset: 1 });
        const out = viewOf(backend, [outer, inner], undefined, { tail: 5 });
        backend.kernels.reduce("sum", x, { outer, axisLength, inner }, out);
        const expected = Float32Array.from({ length: outer * inner }, (_, i) => {
          const [o, c] = [Math.floor(i / inner), i % inner];
          return sumInOrder(
            Float32Array.from({ length: axisLength }, (_, k) => values[(o * axisLength + k) * inner + c] ?? 0),
          );
        });
        const where = `[${outer}, ${axisLength}, ${inner}]`;
        expect({ where, bits: bitsOf(valuesOf(backend, out)) }).toEqual({ where, bits: bitsOf(expected) });
        expect(Array.from(valuesOf(backend, { ...out, offset: outer * inner, shape: [5], strides: [1] }))).toEqual([
          77, 77, 77, 77, 77,
        ]);
        for (const view of [x, out]) backend.free(view.buffer);
      }
    }
  });

  test("max and min agree with a scan, and a NaN anywhere wins", () => {
    for (const [outer, axisLength, inner] of [
      [2, 4_100, 1],
      [1, 4_100, 5],
      [3, 9, 17],
    ] as const) {
      const values = randomValues(axisLength, outer * axisLength * inner);
      for (const kind of ["max", "min"] as const) {
        for (const nanAt of [-1, Math.floor(axisLength / 2)]) {
          const own = values.slice();
          if (nanAt >= 0) own[nanAt * inner] = Number.NaN;
          const x = viewOf(backend, [own.length], own);
          const out = viewOf(backend, [outer * inner]);
          backend.kernels.reduce(kind, x, { outer, axisLength, inner }, out);
          const expected = Array.from({ length: outer * inner }, (_, i) => {
            const [o, c] = [Math.floor(i / inner), i % inner];
            return Math[kind](
              ...Array.from({ length: axisLength }, (_, k) => own[(o * axisLength + k) * inner + c] ?? 0),
            );
          });
          expect(Array.from(valuesOf(backend, out))).toEqual(expected);
        }
      }
    }
  });

  test("argMax and argMin give the first extreme, and the first NaN", () => {
    const cases = [
      { kind: "argMax", values: [1, 3, 3, 2], expected: 1 },
      { kind: "argMin", values: [1, 3, 1, 2], expected: 0 },
      { kind: "argMax", values: [1, Number.NaN, Number.POSITIVE_INFINITY, Number.NaN], expected: 1 },
      { kind: "argMin", values: [Number.NaN, 1, -5], expected: 0 },
      { kind: "argMax", values: [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY], expected: 0 },
    ] as const;
    for (const { kind, values, expected } of cases) {
      const x = viewOf(backend, [values.length, 2], Float32Array.from(values.flatMap((v) => [0, v])));
      const out = viewOf(backend, [2], undefined, { dtype: "i32" });
      backend.kernels.argReduce(kind, x, { outer: 1, axisLength: values.length, inner: 2 }, out);
      expect(Array.from(valuesOf(backend, out))).toEqual([0, expected]);
    }
  });
});
