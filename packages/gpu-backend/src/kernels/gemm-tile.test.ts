import type { TensorView } from "@lockstep/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestBackend, describeGpu } from "../testing.testkit.js";
import { type TileName, tileNames } from "../tuning/tile-table.js";
import type { WebGpuBackend } from "../webgpu-backend.js";
import { largestError, numDifferent, randomFloats, viewOf } from "./kernel-run.testkit.js";

const [B, M, K, N] = [2, 136, 44, 140];
type Way = readonly [isDeepA: boolean, isDeepB: boolean];

describeGpu("a product's bits on WebGPU do not depend on", () => {
  let backend: WebGpuBackend;
  let expected: Float32Array;
  const left = randomFloats(B * M * K, 1);
  const right = randomFloats(B * K * N, 2);
  beforeAll(async () => {
    backend = await createTestBackend();
    expected = await productIn("32x32", [true, false], 0);
  });
  afterAll(() => backend.dispose());

  /** A [B, rows, columns] factor of these values, its `shift`th element of memory first, row-major or column-major. */
  function factor(
    values: Float32Array,
    [rows, columns]: readonly [number, number],
    isRowMajor: boolean,
    shift: number,
  ) {
    const contents = new Float32Array(values.length + shift);
    const strides = isRowMajor ? [rows * columns, columns, 1] : [rows * columns, 1, rows];
    values.forEach((value, i) => {
      const [matrix, row, column] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
      contents[shift + matrix * strides[0]! + row * strides[1]! + column * strides[2]!] = value;
    });
    const { buffer } = viewOf(backend, [contents.length], contents);
    return { buffer, offset: shift, shape: [B, rows, columns], strides, dtype: "f32" } as const;
  }

  async function productIn(tile: TileName, [isDeepA, isDeepB]: Way, shift: number): Promise<Float32Array> {
    backend.choose({ tiles: [{ minElements: 0, order: [tile] }] });
    const a = factor(left, [M, K], isDeepA, shift);
    const b = factor(right, [K, N], !isDeepB, shift);
    const whole = viewOf(backend, [B * M * N + shift], "f32");
    const out: TensorView = { ...whole, offset: shift, shape: [B, M, N], strides: [M * N, N, 1] };
    const bias = viewOf(backend, [N], randomFloats(N, 3));
    backend.kernels.matmul(a, b, out, { bias });
    const result = (await backend.read(out)) as Float32Array;
    for (const { buffer } of [a, b, whole, bias]) backend.free(buffer);
    return result;
  }

  test("nothing: the numbers are right", () => {
    const bias = randomFloats(N, 3);
    const exact = Float64Array.from({ length: B * M * N }, (_, i) => {
      const [row, column] = [Math.floor(i / N), i % N];
      const matrix = Math.floor(row / M);
      let sum = 0;
      for (let k = 0; k < K; k++) sum += left[row * K + k]! * right[(matrix * K + k) * N + column]!;
      return sum + bias[column]!;
    });
    expect(largestError(expected, exact)).toBeLessThan(1e-5);
  });

  test.each(tileNames.map((tile, i) => ({ tile, way: [i % 2 === 0, i % 2 === 1] as Way })))(
    "the tile: $tile",
    async ({ tile, way }) => {
      expect(numDifferent(await productIn(tile, way, 0), expected)).toBe(0);
    },
  );

  test.each([
    { way: [true, true], shift: 4 },
    { way: [false, false], shift: 8 },
    { way: [true, true], shift: 1 },
    { way: [false, false], shift: 2 },
  ] as const)("how factors lie: deep $way, $shift elements into the buffer", async ({ way, shift }) => {
    expect(numDifferent(await productIn("32x32", way, shift), expected)).toBe(0);
  });

  test.each([12, 3])("how few rows are asked for: %i", async (rows) => {
    const a = { ...factor(left, [M, K], true, 0), shape: [1, rows, K] };
    const b = { ...factor(right, [K, N], true, 0), shape: [1, K, N] };
    const out = viewOf(backend, [1, rows, N], "f32");
    backend.kernels.matmul(a, b, out, { bias: viewOf(backend, [N], randomFloats(N, 3)) });
    expect(numDifferent(await backend.read(out), expected.subarray(0, rows * N))).toBe(0);
  });

  test("whether factors and result share a buffer, where fours lie beside single elements", async () => {
    const contents = new Float32Array(1 + 2 * (M * K + K * N) + M * N);
    contents.set(left.subarray(0, M * K), 0);
    contents.set(right.subarray(0, K * N), M * K + 1);
    const { buffer } = viewOf(backend, [contents.length], contents);
    const view = (offset: number, rows: number, columns: number): TensorView => {
      return { buffer, offset, shape: [1, rows, columns], strides: [rows * columns, columns, 1], dtype: "f32" };
    };
    backend.choose({ tiles: [{ minElements: 0, order: ["32x32"] }] });
    const out = view(2 * (M * K + K * N), M, N);
    const bias = viewOf(backend, [N], randomFloats(N, 3));
    backend.kernels.matmul(view(0, M, K), view(M * K + 1, K, N), out, { bias });
    expect(numDifferent(await backend.read(out), expected.subarray(0, M * N))).toBe(0);
  });
});
