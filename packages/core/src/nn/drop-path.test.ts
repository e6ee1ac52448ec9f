import { describe, expect, test } from "vitest";
import { microBatchScope } from "../autograd/micro-batch-scope.js";
import "../ops/tensor-methods.js";
import { tensor } from "../tensor/create.js";
import * as nn from "./index.js";

const inStep = (layer: nn.Layer, x: ReturnType<typeof tensor>, m = 0) =>
  microBatchScope({ seed: 1, step: 2, m }, () => [...layer.forward(x).dataSync()]);

describe("DropPath", () => {
  test("zeroes whole samples and scales the others up, in training alone", () => {
    const x = tensor(new Float32Array(3000).fill(3), { shape: [1000, 3] });
    const layer = new nn.DropPath(0.25);
    const values = inStep(layer, x);
    const rows = Array.from({ length: 1000 }, (_, i) => values.slice(3 * i, 3 * i + 3));
    expect(rows.every((row) => new Set(row).size === 1)).toBe(true);
    expect(new Set(values)).toEqual(new Set([0, 4]));
    expect(rows.filter(([first]) => first === 0).length / 1000).toBeCloseTo(0.25, 1);
    expect(inStep(layer, x)).toEqual(values);
    expect(inStep(layer, x, 1)).not.toEqual(values);
    expect(layer.eval().forward(x)).toBe(x);
  });
});

describe("AlphaDropout", () => {
  test("keeps mean 0 and variance 1 of normal numbers, and drops to one value", () => {
    const normal = tensor(new Float32Array(20_000));
    nn.init.normal(normal);
    const layer = new nn.AlphaDropout(0.3);
    const values = inStep(layer, normal);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    expect([Math.abs(mean) < 0.05, Math.abs(variance - 1) < 0.05]).toEqual([true, true]);
    const counts = new Map<number, number>();
    for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
    expect(Math.max(...counts.values()) / values.length).toBeCloseTo(0.3, 1);
    expect(layer.eval().forward(normal)).toBe(normal);
  });
});
