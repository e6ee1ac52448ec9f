import { nn, seedScope, tensor, withBackend } from "@lockstep/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestBackend, describeGpu } from "../testing.testkit.js";
import type { WebGpuBackend } from "../webgpu-backend.js";
import { largestError, numDifferent, randomFloats } from "./kernel-run.testkit.js";

describeGpu("an activation of a linear map on WebGPU", () => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await createTestBackend();
  });
  afterAll(() => backend.dispose());

  test.each([
    { name: "without tiles", sizes: [3, 20, 30] },
    { name: "narrow tiles", sizes: [9, 20, 30] },
    { name: "tiles, element by element", sizes: [35, 21, 37] },
    { name: "tiles, in fours", sizes: [40, 20, 36] },
  ])("$name: is one launch, and gives what two give", async ({ sizes }) => {
    const [N, K, O] = sizes as [number, number, number];
    for (const activation of ["relu", "geluTanh"] as const) {
      const run = <T>(f: () => T): T => withBackend(backend, f);
      const layer = run(() => seedScope(1, () => new nn.Linear(K, O)));
      const x = run(() => tensor(randomFloats(N * K, 2), { shape: [N, K] }));
      const before = backend.figures().numLaunches;
      const fused = run(() => layer.activated(x, activation));
      expect(backend.figures().numLaunches - before).toBe(1);
      const z = run(() => layer.forward(x));
      const apart = run(() => (activation === "relu" ? z.relu() : z.gelu({ approximate: "tanh" })));
      const [actual, expected] = [await fused.data(), await apart.data()];
      expect(largestError(actual as Float32Array, expected as Float32Array)).toBeLessThan(1e-6);
      expect(new Set(expected as Float32Array).size).toBeGreaterThan(20);
      const gradientOf = async (y: typeof fused): Promise<Float32Array> => {
        run(() => y.mul(y).sum().backward());
        const { grad } = layer.weight;
        layer.weight.grad = undefined;
        return (await grad!.data()) as Float32Array;
      };
      const [own, composite] = [await gradientOf(fused), await gradientOf(apart)];
      expect(largestError(own, composite)).toBeLessThan(1e-5);
      expect(numDifferent(own, new Float32Array(own.length))).toBeGreaterThan(0);
    }
  });
});
