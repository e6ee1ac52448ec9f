import type { TensorView } from "@lockstep/core";
import { contiguousStrides, numElements } from "@lockstep/core/backend";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestBackend, describeGpu } from "../testing.testkit.js";
import type { WebGpuBackend } from "../webgpu-backend.js";
import { largestError, numDifferent, randomFloats, viewOf } from "./kernel-run.testkit.js";

/** Values of a view with strides, in f64 and row-major. */
function valuesOf({ shape, strides, offset }: TensorView, buffer: Float32Array): Float64Array {
  const steps = contiguousStrides(shape);
  return Float64Array.from({ length: numElements(shape) }, (_, i) => {
    let place = offset;
    shape.forEach((size, dim) => {
      place += (Math.floor(i / steps[dim]!) % size) * strides[dim]!;
    });
    return buffer[place]!;
  });
}

interface Factors {
  readonly a: Float64Array;
  readonly b: Float64Array;
}

/** [..., M, N] row-major, going on from `start`. */
function productOf({ a, b }: Factors, [M, K, N]: readonly [number, number, number], start: Float32Array): Float64Array {
  return Float64Array.from(start, (value, i) => {
    const [row, column] = [Math.floor(i / N), i % N];
    const matrix = Math.floor(row / M);
    let sum = value;
    for (let k = 0; k < K; k++) sum += a[row * K + k]! * b[(matrix * K + k) * N + column]!;
    return sum;
  });
}

describeGpu("matrix products of many tiles on WebGPU", () => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await createTestBackend();
  });
  afterAll(() => backend.dispose());

  test.each([
    { name: "blocks of 8 x 8", batch: 16, sizes: [390, 11, 391] },
    { name: "blocks of 4 x 4, many", batch: 40, sizes: [150, 33, 150] },
    { name: "blocks of 4 x 4, few", batch: 2, sizes: [65, 70, 33] },
    { name: "narrow tiles", batch: 30, sizes: [5, 40, 37] },
    { name: "without tiles", batch: 3_000, sizes: [3, 7, 5] },
  ])("$name: each way of transposing, with bias and onto what is there", async ({ batch, sizes }) => {
    const [M, K, N] = sizes as [number, number, number];
    const [left, right, bias, start] = [batch * M * K, batch * K * N, N, batch * M * N].map((length, i) =>
      randomFloats(length, i + 1),
    ) as [Float32Array, Float32Array, Float32Array, Float32Array];
    // Each factor both ways; all four together where it costs little.
    const ways = [
      [true, false],
      [false, true],
      ...(batch > 2
        ? []
        : [
            [false, false],
            [true, true],
          ]),
    ];
    for (const [isTurnedA, isTurnedB] of ways) {
      const turned = (view: TensorView, isTurned: boolean | undefined): TensorView => {
        const [matrix, rows, columns] = view.shape as [number, number, number];
        return {
          ...view,
          strides: isTurned ? [rows * columns, 1, rows] : [rows * columns, columns, 1],
          shape: [matrix, rows, columns],
        };
      };
      const a = turned(viewOf(backend, [batch, M, K], left), isTurnedA);
      const b = turned(viewOf(backend, [batch, K, N], right), isTurnedB);
      const out = viewOf(backend, [batch, M, N], start);
      backend.kernels.matmul(a, b, out, { accumulate: true, bias: viewOf(backend, [N], bias) });
      const expected = productOf({ a: valuesOf(a, left), b: valuesOf(b, right) }, [M, K, N], start);
      const actual = await backend.read(out);
      expect(
        largestError(
          actual,
          expected.map((value, i) => value + bias[i % N]!),
        ),
      ).toBeLessThan(1e-5);
      for (const view of [a, b, out]) backend.free(view.buffer);
    }
  });

  test("batch dims that broadcast by turns, more than one launch walks through", async () => {
    const [left, right] = [randomFloats(2 * 3 * 20 * 5, 1), randomFloats(2 * 2 * 2 * 5 * 18, 2)];
    const shape = [2, 2, 2, 3, 2];
    const a: TensorView = {
      ...viewOf(backend, [600], left),
      shape: [...shape, 20, 5],
      strides: [0, 300, 0, 100, 0, 5, 1],
    };
    const b: TensorView = {
      ...viewOf(backend, [720], right),
      shape: [...shape, 5, 18],
      strides: [360, 0, 180, 0, 90, 18, 1],
    };
    const out = viewOf(backend, [...shape, 20, 18], "f32");
    backend.kernels.matmul(a, b, out, {});
    const factors = { a: valuesOf(a, left), b: valuesOf(b, right) };
    const expected = productOf(factors, [20, 5, 18], new Float32Array(48 * 20 * 18));
    expect(largestError(await backend.read(out), expected)).toBeLessThan(1e-5);
  });

  test.each([
    [40, 5, 40],
    [3, 5, 7],
  ])(
    "%i x %i x %i inside buffers of NaN: nothing around a factor is used, nothing around the result written",
    async (M, K, N) => {
      const framed = (rows: number, columns: number, seed: number): { view: TensorView; contents: Float32Array } => {
        const contents = new Float32Array((rows + 2) * (columns + 3)).fill(Number.NaN);
        const values = randomFloats(rows * columns, seed);
        values.forEach((value, i) => {
          contents[(Math.floor(i / columns) + 1) * (columns + 3) + 1 + (i % columns)] = value;
        });
        const whole = viewOf(backend, [contents.length], contents);
        return { contents, view: { ...whole, offset: columns + 4, shape: [rows, columns], strides: [columns + 3, 1] } };
      };
      const [a, b, out] = [framed(M, K, 1), framed(K, N, 2), framed(M, N, 3)];
      backend.kernels.matmul(a.view, b.view, out.view, {});
      const factors = { a: valuesOf(a.view, a.contents), b: valuesOf(b.view, b.contents) };
      const product = productOf(factors, [M, K, N], new Float32Array(M * N));
      const expected = out.contents.map((value, i) => (Number.isNaN(value) ? value : 0 * i));
      product.forEach((value, i) => {
        expected[(Math.floor(i / N) + 1) * (N + 3) + 1 + (i % N)] = value;
      });
      const whole = { ...out.view, offset: 0, shape: [expected.length], strides: [1] };
      expect(largestError(await backend.read(whole), expected)).toBeLessThan(1e-5);
    },
  );

  test("products over two pieces of the depth have the bits of one", async () => {
    const [M, K, N] = [70, 48, 90];
    const a = viewOf(backend, [M, K], randomFloats(M * K, 1));
    const b = viewOf(backend, [K, N], randomFloats(K * N, 2));
    const [whole, parts] = [viewOf(backend, [M, N], "f32"), viewOf(backend, [M, N], "f32")];
    backend.kernels.matmul(a, b, whole, {});
    const half = K / 2;
    for (const first of [0, half]) {
      const left = { ...a, offset: first, shape: [M, half] };
      const right = { ...b, offset: first * N, shape: [half, N] };
      backend.kernels.matmul(left, right, parts, { accumulate: first > 0 });
    }
    expect(numDifferent(await backend.read(parts), await backend.read(whole))).toBe(0);
  });
});
