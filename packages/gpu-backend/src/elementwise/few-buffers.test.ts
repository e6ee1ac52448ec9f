import { elementwiseProgram, expr, type TensorView } from "@lockstep/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeAdapter } from "../device/open-device.js";
import { randomFloats, randomIntegers, viewOf } from "../kernels/kernel-run.testkit.js";
import { describeGpu, testGpu } from "../testing.testkit.js";
import { WebGpuBackend } from "../webgpu-backend.js";

const numInputs = 12;
const { add, cast, input, mul, scalar } = expr;
/** x0 = 1 x0 + 2 x1 + 3 x2 + ..., and their plain sum beside it; x11 is of integers. */
const weighted = elementwiseProgram(
  "weightedSum",
  [...Array.from({ length: numInputs - 1 }, () => "f32" as const), "i32"],
  [
    Array.from({ length: numInputs }, (_, i) => mul(scalar(i), term(i))).reduce(add),
    Array.from({ length: numInputs }, (_, i) => term(i)).reduce(add),
  ],
  numInputs,
);
function term(i: number) {
  return i === numInputs - 1 ? cast(input(i, "i32"), "f32") : input(i);
}

describeGpu("element-wise programs of more buffers than can be bound", () => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    const adapter = (await testGpu().requestAdapter())!;
    // Nothing is raised: WebGPU's own 8 buffers at a time.
    const device = await adapter.requestDevice();
    const { limits } = device;
    backend = new WebGpuBackend({ device, adapter: describeAdapter(adapter.info), features: new Set(), limits });
  });
  afterAll(() => backend.dispose());

  test("give the numbers of their operands, whatever their layout, in place too", async () => {
    const [rows, columns] = [5, 37];
    const shape = [rows, columns];
    const values = Array.from({ length: numInputs - 1 }, (_, i) => randomFloats(rows * columns, i + 1));
    const words = randomIntegers(rows * columns, 100, 9);
    const inputs = [...values, words].map((contents) => viewOf(backend, shape, contents));
    // Transposed, a row for all rows, one number for all, and shifted by one element.
    inputs[3] = { ...viewOf(backend, [columns, rows], values[3]!), shape, strides: [1, rows] };
    inputs[4] = { ...inputs[4]!, strides: [0, 1] };
    inputs[5] = { ...inputs[5]!, strides: [0, 0], offset: 7 };
    const shifted = viewOf(backend, [rows * columns + 1], Float32Array.of(9, ...values[6]!));
    inputs[6] = { ...shifted, offset: 1, shape, strides: [columns, 1] };
    const at = (view: TensorView, i: number, from: ArrayLike<number>) =>
      from[
        view.strides[0]! * Math.floor(i / columns) +
          view.strides[1]! * (i % columns) +
          (view === inputs[6] ? 0 : view.offset)
      ]!;
    const f = Math.fround;
    const expected = [0, 1].map((output) =>
      Array.from({ length: rows * columns }, (_, i) =>
        [...values, words]
          .map((from, n) => f((output === 0 ? n + 1 : 1) * at(inputs[n]!, i, from)))
          .reduce((a, b) => f(a + b)),
      ),
    );
    const plain = viewOf(backend, shape, "f32");
    const scalars = Array.from({ length: numInputs }, (_, i) => i + 1);
    backend.elementwise(weighted, inputs, scalars, [inputs[0]!, plain]);
    const found = [await backend.read(inputs[0]!), await backend.read(plain)];
    for (const [output, values] of found.entries()) {
      for (const [i, value] of values.entries()) expect(Math.abs(value - expected[output]![i]!)).toBeLessThan(1e-3);
    }
    // The copies side by side come before the program.
    expect(backend.figures().numLaunches).toBeGreaterThan(1);
  });
});
