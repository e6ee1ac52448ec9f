/** @file Attention in tiles beside the CPU's, which keeps its probabilities; what it keeps itself, and the memory of a long sequence. */
import {
  type Backend,
  causalAttention,
  createCpuBackend,
  scope,
  type TensorView,
  tensor,
  withBackend,
} from "@lockstep/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestBackend, describeGpu } from "../testing.testkit.js";
import type { WebGpuBackend } from "../webgpu-backend.js";
import { largestError, randomFloats, viewOf } from "./kernel-run.testkit.js";

describeGpu("attention that keeps the logSumExp of its rows", () => {
  let gpu: WebGpuBackend;
  const cpu = createCpuBackend();
  beforeAll(async () => {
    gpu = await createTestBackend();
  });
  afterAll(() => {
    gpu.dispose();
    cpu.dispose();
  });

  interface Case {
    readonly shape: readonly [number, number, number, number];
    readonly scale: number;
    /** Multiplies q. Default 1. */
    readonly spread?: number;
  }

  /** out, dq, dk, dv of views into packed buffers: what a projection [B, T, 3 C] gives. */
  function run(backend: Backend, { shape, scale, spread = 1 }: Case, keeps: "probs" | "logSumExp"): TensorView[] {
    const [B, H, T, D] = shape;
    const width = H * D;
    const packed = (contents: Float32Array | "f32"): [TensorView, TensorView, TensorView] => {
      const whole = viewOf(backend, [B, T, 3 * width], contents);
      const strides = [T * 3 * width, D, 3 * width, 1];
      const part = (i: number): TensorView => ({ ...whole, offset: i * width, shape, strides });
      return [part(0), part(1), part(2)];
    };
    const merged = (contents: Float32Array | "f32"): TensorView => {
      return { ...viewOf(backend, [B, T, width], contents), shape, strides: [T * width, D, width, 1] };
    };
    const numbers = randomFloats(B * T * 3 * width, 1);
    const [q, k, v] = packed(numbers.map((value, i) => (i % (3 * width) < width ? value * spread : value)));
    const [dq, dk, dv] = packed("f32");
    const [out, dOut] = [merged("f32"), merged(randomFloats(B * T * width, 2))];
    const saved = viewOf(backend, keeps === "probs" ? [B, H, T, T] : [B, H, T], "f32");
    backend.kernels.causalAttention({ q, k, v }, scale, { out, saved });
    backend.kernels.causalAttentionBackward({ q, k, v, dOut, saved, out }, scale, { dq, dk, dv });
    return [out, dq, dk, dv];
  }

  async function differences(c: Case): Promise<number[]> {
    const [actual, expected] = [run(gpu, c, "logSumExp"), run(cpu, c, "probs")];
    return Promise.all(actual.map(async (view, i) => largestError(await gpu.read(view), await cpu.read(expected[i]!))));
  }

  const cases: Case[] = [
    { shape: [1, 1, 1, 1], scale: 1 },
    { shape: [2, 3, 7, 5], scale: 0.7 },
    { shape: [1, 2, 64, 64], scale: 0.3 },
    { shape: [1, 2, 65, 65], scale: 0.3 },
    { shape: [3, 2, 130, 16], scale: 0.5 },
    { shape: [1, 1, 200, 129], scale: 0.2 },
    { shape: [1, 2, 77, 256], scale: 0.1 },
    { shape: [1, 1, 700, 40], scale: 0.4 },
    { shape: [9, 12, 3, 4], scale: 0.5 },
  ];
  /** Compiling kernels of wide heads takes a driver on a CPU a minute, where nothing is cached. */
  const compileMs = 300_000;

  test.each(cases)(
    "gives what probabilities give: $shape",
    async (c) => {
      for (const difference of await differences(c)) expect(difference).toBeLessThan(2e-5);
    },
    compileMs,
  );

  test("holds where scores are far apart", async () => {
    const [ofOut, ...ofGradients] = await differences({ shape: [1, 2, 150, 8], scale: 1, spread: 60 });
    expect(ofOut).toBeLessThan(2e-4);
    for (const difference of ofGradients) expect(difference).toBeLessThan(5e-3);
  });

  test("finite scores of any size give finite numbers, and a NaN reaches the rows that see it", async () => {
    const shape = [1, 1, 70, 2];
    const queries = new Float32Array(140).fill(1);
    const keys = Float32Array.from({ length: 140 }, (_, i) => (Math.floor(i / 2) % 2 === 0 ? 1e30 : -1e30));
    const values = Float32Array.from({ length: 140 }, (_, i) => Math.floor(i / 2));
    const forward = async (): Promise<Float32Array> => {
      const [q, k, v] = [viewOf(gpu, shape, queries), viewOf(gpu, shape, keys), viewOf(gpu, shape, values)];
      const [out, saved] = [viewOf(gpu, shape, "f32"), viewOf(gpu, [1, 1, 70], "f32")];
      gpu.kernels.causalAttention({ q, k, v }, 1, { out, saved });
      return (await gpu.read(out)) as Float32Array;
    };
    // Equal weights on the even places so far: their mean is the largest even place so far, halved.
    const expected = Float32Array.from({ length: 140 }, (_, i) => Math.floor(Math.floor(i / 2) / 2));
    expect(largestError(await forward(), expected)).toBeLessThan(1e-5);
    queries[2 * 66] = Number.NaN;
    const rows = [...(await forward())].flatMap((value, i) => (Number.isNaN(value) ? [Math.floor(i / 2)] : []));
    expect([...new Set(rows)]).toEqual([66]);
  });

  test("gives the same bits again", async () => {
    const once = async (): Promise<unknown[]> =>
      Promise.all(run(gpu, { shape: [2, 2, 300, 24], scale: 0.4 }, "logSumExp").map((view) => gpu.read(view)));
    expect(await once()).toEqual(await once());
  });

  test("what is kept is a function of the shape", () => {
    const saves = (...shape: number[]) => gpu.kernels.attentionSaves(shape);
    expect([saves(8, 12, 512, 64), saves(4, 12, 512, 64), saves(1, 1, 513, 8), saves(1, 1, 513, 257)]).toEqual([
      "logSumExp",
      "probs",
      "logSumExp",
      "probs",
    ]);
    expect(cpu.kernels.attentionSaves([1, 1, 4096, 64])).toBe("probs");
  });

  test("a sequence of 2,048 takes a small part of what T x T would", async () => {
    const [B, H, T, D] = [1, 1, 2048, 16];
    const shape = [B, H, T, D];
    const forwardAndBackward = async (backend: Backend) => {
      const before = backend.memory().usedBytes;
      const reads = withBackend(backend, () =>
        scope(() => {
          const leaf = (seed: number) => tensor(randomFloats(B * H * T * D, seed), { shape, requiresGrad: true });
          const [q, k, v] = [leaf(1), leaf(2), leaf(3)];
          const out = causalAttention({ q, k, v });
          out.backward({ cotangent: tensor(randomFloats(B * H * T * D, 4), { shape }) });
          return { values: [out, q.grad!, k.grad!, v.grad!].map((x) => x.data()) };
        }),
      );
      return { values: await Promise.all(reads.values), peak: backend.memory().peakBytes - before };
    };
    const fresh = await createTestBackend();
    const [actual, expected] = [await forwardAndBackward(fresh), await forwardAndBackward(cpu)];
    fresh.dispose();
    // Twelve tensors of [B, H, T, D] at most, and a few rows.
    expect(actual.peak).toBeLessThan(13 * B * H * T * D * 4);
    expect(actual.peak).toBeLessThan((B * H * T * T * 4) / 8);
    expect(expected.peak).toBeGreaterThan(B * H * T * T * 4);
    actual.values.forEach((values, i) => {
      expect(largestError(values, expected.values[i]!)).toBeLessThan(2e-5);
    });
  });
});
