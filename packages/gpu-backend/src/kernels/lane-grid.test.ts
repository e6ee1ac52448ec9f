import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestBackend, describeGpu } from "../testing.testkit.js";
import type { WebGpuBackend } from "../webgpu-backend.js";
import { largestError, randomFloats, randomIntegers, viewOf } from "./kernel-run.testkit.js";

const ignored = -100;

/** Rows of x in f64. */
function rowsOf(x: Float32Array, length: number): number[][] {
  return Array.from({ length: x.length / length }, (_, n) => [...x.subarray(n * length, (n + 1) * length)]);
}

function logSumExp(row: readonly number[]): number {
  const peak = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return peak + Math.log(row.reduce((total, value) => total + Math.exp(value - peak), 0));
}

describeGpu("rows wider than a workgroup, and more rows than a grid is wide, on WebGPU", () => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await createTestBackend();
  });
  afterAll(() => backend.dispose());

  test.each([
    [3, 100_003],
    [200_003, 3],
    [70_001, 5],
    [33, 300],
  ])("softmax and logSoftmax of [%i, %i], in place too, with parts masked by -Infinity", async (numRows, length) => {
    const values = randomFloats(numRows * length, 2).map((value) => 8 * value);
    for (let n = 0; n < numRows; n++) values[n * length + (n % length)] = Number.NEGATIVE_INFINITY;
    const rows = rowsOf(values, length);
    const expected = rows.flatMap((row) => {
      const lse = logSumExp(row);
      return row.map((value) => value - lse);
    });
    const x = viewOf(backend, [numRows, length], values);
    const out = viewOf(backend, [numRows, length], "f32");
    backend.kernels.logSoftmax(x, out);
    expect(largestError(await backend.read(out), expected)).toBeLessThan(1e-5);
    backend.kernels.softmax(x, x);
    expect(largestError(await backend.read(x), expected.map(Math.exp))).toBeLessThan(2e-6);
  });

  test("crossEntropy and its gradient at a vocabulary of 50,257, with an ignored row", async () => {
    const [numRows, length] = [7, 50_257];
    const values = randomFloats(numRows * length, 6).map((value) => 10 * value);
    const targets = randomIntegers(numRows, length, 8);
    targets[3] = ignored;
    const logits = viewOf(backend, [numRows, length], values);
    const operands = { logits, targets: viewOf(backend, [numRows], targets) };
    const lse = viewOf(backend, [numRows], "f32");
    const loss = viewOf(backend, [numRows], "f32");
    backend.kernels.crossEntropy(logits, operands.targets, ignored, { loss, lse });
    const rows = rowsOf(values, length);
    const expectedLse = rows.map(logSumExp);
    const isKept = (n: number) => targets[n] !== ignored;
    expect(largestError(await backend.read(lse), expectedLse)).toBeLessThan(1e-5);
    const expectedLoss = rows.map((row, n) => (isKept(n) ? expectedLse[n]! - row[targets[n]!]! : 0));
    expect(largestError(await backend.read(loss), expectedLoss)).toBeLessThan(1e-5);
    const weights = randomFloats(numRows, 1);
    const dLoss = viewOf(backend, [numRows], weights);
    backend.kernels.crossEntropyBackward({ ...operands, dLoss, lse }, ignored, logits);
    const gradient = rows.flatMap((row, n) =>
      row.map((value, c) => {
        const share = Math.exp(value - expectedLse[n]!) - (c === targets[n] ? 1 : 0);
        return isKept(n) ? share * weights[n]! : 0;
      }),
    );
    expect(largestError(await backend.read(logits), gradient)).toBeLessThan(1e-6);
  });

  test("layerNorm's gradients of many rows add up in blocks", async () => {
    const [numRows, length] = [3_001, 37];
    const values = randomFloats(numRows * length, 3);
    const dValues = randomFloats(numRows * length, 4);
    const view = (contents: Float32Array | "f32", shape: readonly number[] = [numRows, length]) =>
      viewOf(backend, shape, contents);
    const [x, dOut, weight] = [view(values), view(dValues), view(new Float32Array(length).fill(1), [length])];
    const [out, dx, mean, rstd] = [view("f32"), view("f32"), view("f32", [numRows]), view("f32", [numRows])];
    const [dWeight, dBias] = [view("f32", [length]), view("f32", [length])];
    backend.kernels.layerNorm(x, weight, view(new Float32Array(length), [length]), 1e-5, { out, mean, rstd });
    backend.kernels.layerNormBackward({ dOut, x, weight, mean, rstd }, dx, dWeight, dBias);
    const expected = { dWeight: new Float64Array(length), dBias: new Float64Array(length) };
    const normalized = rowsOf(values, length).map((row) => {
      const average = row.reduce((a, b) => a + b) / length;
      const variance = row.reduce((total, value) => total + (value - average) ** 2, 0) / length;
      return row.map((value) => (value - average) / Math.sqrt(variance + 1e-5));
    });
    normalized.forEach((row, n) => {
      row.forEach((xhat, c) => {
        expected.dWeight[c]! += xhat * dValues[n * length + c]!;
        expected.dBias[c]! += dValues[n * length + c]!;
      });
    });
    expect(largestError(await backend.read(out), normalized.flat())).toBeLessThan(3e-6);
    expect(largestError(await backend.read(dWeight), expected.dWeight)).toBeLessThan(1e-4);
    expect(largestError(await backend.read(dBias), expected.dBias)).toBeLessThan(1e-4);
  });
});
