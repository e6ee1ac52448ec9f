import { describe, expect, test } from "vitest";
import type { TensorView } from "../../backend/backend.js";
import { numElements } from "../../backend/strided.js";
import { derivative } from "../../expr/derivative.js";
import { evaluateProgram } from "../../expr/evaluate.js";
import * as E from "../../expr/expr.js";
import { type ElementwiseProgram, elementwiseProgram } from "../../expr/program.js";
import { createCpuBackend } from "../cpu-backend.js";
import { behind, bitsOf, randomValues, valuesOf, viewOf } from "../views.testkit.js";

const [x, y] = [E.input(0), E.input(1)];
const special = Float32Array.of(
  0,
  -0,
  1,
  -1,
  0.5,
  -2.5,
  Infinity,
  -Infinity,
  NaN,
  1e-40,
  -1e-40,
  3.4e38,
  2 ** 31,
  -(2 ** 31),
  7.9,
);

const arithmetic = elementwiseProgram(
  "arithmetic",
  ["f32", "f32"],
  [E.sub(E.mul(E.add(x, y), 1.7), E.div(x, E.add(y, 0.1)))],
);

/** Programs of exact operations: their bits are those of the interpreter that rounds every node. */
const exact: Record<string, ElementwiseProgram> = {
  arithmetic,
  extremes: elementwiseProgram("extremes", ["f32", "f32"], [E.min(x, y), E.max(x, y)]),
  unary: elementwiseProgram("unary", ["f32", "f32"], [E.neg(x), E.abs(y), E.sqrt(x), E.floor(y)]),
  select: elementwiseProgram(
    "select",
    ["f32", "f32"],
    [E.select(E.lt(x, y), E.mul(x, 2), y), E.select(E.le(x, y), 1, 0), E.select(E.eq(x, y), 1, x)],
  ),
  casts: elementwiseProgram("casts", ["f32", "f32"], [E.cast(x, "i32"), E.cast(E.add(E.cast(y, "i32"), 3), "f32")]),
  sharedNodes: elementwiseProgram("sharedNodes", ["f32", "f32"], [E.mul(E.add(x, y), E.add(x, y)), E.add(x, y)]),
  scalars: elementwiseProgram("scalars", ["f32", "f32"], [E.add(E.mul(x, E.scalar(1)), E.mul(y, E.scalar(0)))], 2),
  constantOnly: elementwiseProgram("constantOnly", ["f32", "f32"], [E.constant(3), E.constant(-4, "i32")]),
};

describe("element-wise programs", () => {
  const backend = createCpuBackend();
  const run = (program: ElementwiseProgram, inputs: readonly TensorView[], shape: readonly number[]) => {
    const outputs = program.outputs.map((e) =>
      viewOf(backend, shape, undefined, { dtype: e.dtype === "i32" ? "i32" : "f32", offset: 1, tail: 4 }),
    );
    const before = inputs.map((view) => bitsOf(valuesOf(backend, view)));
    backend.elementwise(program, inputs, [0.25, -3], outputs);
    expect(inputs.map((view) => bitsOf(valuesOf(backend, view)))).toEqual(before);
    for (const out of outputs) expect(Array.from(behind(backend, out))).toEqual([77, 77, 77, 77]);
    return outputs.map((out) => valuesOf(backend, out));
  };
  const expected = (program: ElementwiseProgram, inputs: readonly TensorView[], count: number) =>
    evaluateProgram(
      program,
      inputs.map((view) => valuesOf(backend, view)),
      [0.25, -3].map(Math.fround),
      count,
      { roundToF32: true },
    );
  const expectSame = (program: ElementwiseProgram, inputs: readonly TensorView[], shape: readonly number[]) => {
    const reference = expected(program, inputs, numElements(shape));
    for (const [i, actual] of run(program, inputs, shape).entries()) {
      expect({ name: program.name, i, values: Array.from(actual) }).toEqual({
        name: program.name,
        i,
        values: Array.from(reference[i] ?? [], (v) => (actual instanceof Int32Array ? v + 0 : v)),
      });
    }
  };

  for (const [name, program] of Object.entries(exact)) {
    test(`${name}: bits of the rounding interpreter, at odd sizes, offsets and special values`, () => {
      for (const count of [1, 2, 3, 4, 5, 15, 16, 17, 31, 100, 4_097, 9_001]) {
        expectSame(
          program,
          [
            viewOf(backend, [count], randomValues(count, count), { offset: 3 }),
            viewOf(backend, [count], randomValues(count + 1, count), { offset: 1 }),
          ],
          [count],
        );
      }
      const pairs = Array.from(special).flatMap((a) => Array.from(special, (b) => [a, b] as const));
      const column = (i: 0 | 1) =>
        viewOf(
          backend,
          [pairs.length],
          Float32Array.from(pairs, (pair) => pair[i]),
        );
      expectSame(program, [column(0), column(1)], [pairs.length]);
    });
  }

  test("broadcasts, transposes and slices as the strides say", () => {
    const program = arithmetic;
    const base = viewOf(backend, [5, 6, 7, 8], randomValues(1, 1_680));
    const strided = (shape: number[], strides: number[], offset = 0): TensorView => ({
      ...base,
      shape,
      strides,
      offset,
    });
    const cases: [TensorView, TensorView, number[]][] = [
      [strided([30, 56], [56, 1]), strided([30, 56], [0, 1]), [30, 56]],
      [strided([30, 56], [56, 1]), strided([30, 56], [1, 0]), [30, 56]],
      [strided([30, 56], [56, 1]), strided([30, 56], [0, 0], 9), [30, 56]],
      [strided([56, 30], [1, 56]), strided([56, 30], [30, 1]), [56, 30]],
      [strided([5, 7, 6, 8], [336, 8, 56, 1]), strided([5, 7, 6, 8], [336, 48, 8, 1]), [5, 7, 6, 8]],
      [strided([5, 7, 6, 8], [336, 8, 56, 1]), strided([5, 7, 6, 8], [0, 48, 0, 1]), [5, 7, 6, 8]],
      [strided([4, 5], [9, 2], 1), strided([4, 5], [0, 3]), [4, 5]],
      [strided([2, 1, 3], [8, 5, 1]), strided([2, 1, 3], [0, 0, 1]), [2, 1, 3]],
      [strided([], []), strided([], [], 4), []],
      [strided([9, 7, 3, 5], [0, 8, 1, 56]), strided([9, 7, 3, 5], [4, 0, 56, 1]), [9, 7, 3, 5]],
    ];
    for (const [a, b, shape] of cases) expectSame(program, [a, b], shape);
    expect(backend.memory().numBuffers).toBeGreaterThan(0);
  });

  test("leaves no temporary behind", () => {
    const program = arithmetic;
    const a = viewOf(backend, [40, 30], randomValues(1, 1_200));
    const out = viewOf(backend, [30, 40]);
    const transposed: TensorView = { ...a, shape: [30, 40], strides: [1, 30] };
    const before = backend.memory().numBuffers;
    backend.elementwise(program, [transposed, transposed], [0, 0], [out]);
    expect(backend.memory().numBuffers).toBe(before);
  });

  test("an output may be one of the inputs", () => {
    for (const count of [5, 16, 1_003]) {
      const [a, b] = [randomValues(1, count), randomValues(2, count)];
      const left = viewOf(backend, [count], a, { offset: 2 });
      const right = viewOf(backend, [count], b);
      const want = run(arithmetic, [left, right], [count])[0];
      backend.elementwise(arithmetic, [left, right], [0, 0], [left]);
      expect(bitsOf(valuesOf(backend, left))).toEqual(bitsOf(want as Float32Array));
    }
  });

  test("i32 programs wrap as 32-bit integers do", () => {
    const [a, b] = [E.input(0, "i32"), E.input(1, "i32")];
    const program = elementwiseProgram(
      "integers",
      ["i32", "i32"],
      [
        E.add(a, b),
        E.mul(a, b),
        E.sub(a, b),
        E.min(a, b),
        E.max(a, b),
        E.neg(a),
        E.abs(b),
        E.select(E.lt(a, b), a, 5),
        E.cast(a, "f32"),
      ],
    );
    const values = Int32Array.of(0, 1, -1, 7, -9, 2 ** 31 - 1, -(2 ** 31) + 1, 65_537, 123_456_789);
    const pairs = Array.from(values).flatMap((p) => Array.from(values, (q) => [p, q] as const));
    const column = (i: 0 | 1) =>
      viewOf(
        backend,
        [pairs.length],
        Int32Array.from(pairs, (pair) => pair[i]),
      );
    expectSame(program, [column(0), column(1)], [pairs.length]);
  });

  test("an empty output is no work", () => {
    const empty = viewOf(backend, [0, 4], undefined, { tail: 2 });
    backend.elementwise(arithmetic, [empty, empty], [0, 0], [empty]);
    expect(Array.from(behind(backend, empty))).toEqual([77, 77]);
  });

  test("programs with transcendental functions stay within a few ulp of f64", () => {
    const gelu = E.mul(E.mul(0.5, x), E.add(1, E.erf(E.mul(x, Math.SQRT1_2))));
    const sigmoid = E.div(1, E.add(1, E.exp(E.neg(x))));
    const program = elementwiseProgram(
      "transcendental",
      ["f32"],
      [gelu, sigmoid, derivative(gelu, 0), E.log(E.add(2, E.tanh(x)))],
    );
    const count = 10_007;
    const view = viewOf(
      backend,
      [count],
      randomValues(4, count).map((v) => v * 6),
    );
    const reference = evaluateProgram(program, [valuesOf(backend, view)], [], count);
    for (const [i, actual] of run(program, [view], [count]).entries()) {
      const worst = Array.from(actual).reduce(
        (most, value, j) => Math.max(most, Math.abs(value - (reference[i]?.[j] ?? 0))),
        0,
      );
      expect(worst).toBeLessThan(1.5e-6);
    }
  });

  test("refuses a program with more inputs than a kernel takes, by name", () => {
    const inputs = Array.from({ length: 31 }, (_, i) => E.input(i));
    const program = elementwiseProgram(
      "wide",
      inputs.map(() => "f32" as const),
      [inputs.reduce((sum, e) => E.add(sum, e))],
    );
    const view = viewOf(backend, [4]);
    expect(() =>
      backend.elementwise(
        program,
        inputs.map(() => view),
        [],
        [view],
      ),
    ).toThrowError(
      expect.objectContaining({ code: "E_BACKEND", fields: { program: "wide", numInputs: 31, numWords: 67 } }),
    );
  });
});
