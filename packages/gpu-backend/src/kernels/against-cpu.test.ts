/** @file Attention, recurrent cells and ctc at sizes that the op suite does not reach, beside the CPU's kernels. */
import type { Backend, TensorView } from "@lockstep/core";
import { createCpuBackend } from "@lockstep/core";
import { recurrentCellSizes } from "@lockstep/core/backend";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestBackend, describeGpu } from "../testing.testkit.js";
import type { WebGpuBackend } from "../webgpu-backend.js";
import { largestError, randomFloats, randomIntegers, viewOf } from "./kernel-run.testkit.js";

describeGpu("composed rows on WebGPU beside the CPU's", () => {
  let gpu: WebGpuBackend;
  const cpu = createCpuBackend();
  beforeAll(async () => {
    gpu = await createTestBackend();
  });
  afterAll(() => gpu.dispose());

  /** The outputs that `run` fills on each backend, compared one by one: the largest difference of each. */
  async function differences(run: (backend: Backend) => readonly TensorView[]): Promise<number[]> {
    const [actual, expected] = [run(gpu), run(cpu)];
    return Promise.all(actual.map(async (view, i) => largestError(await gpu.read(view), await cpu.read(expected[i]!))));
  }

  test.each([
    { shape: [2, 2, 520, 20], name: "long rows, tiles of 64" },
    { shape: [1, 3, 140, 33], name: "rows of one workgroup" },
  ])("attention of $shape ($name), packed", async ({ shape }) => {
    const [B, H, T, D] = shape as [number, number, number, number];
    const width = H * D;
    const found = await differences((backend) => {
      const packed = (contents: Float32Array | "f32"): [TensorView, TensorView, TensorView] => {
        const whole = viewOf(backend, [B, T, 3 * width], contents);
        const strides = [T * 3 * width, D, 3 * width, 1];
        const part = (i: number): TensorView => ({ ...whole, offset: i * width, shape, strides });
        return [part(0), part(1), part(2)];
      };
      const [q, k, v] = packed(randomFloats(B * T * 3 * width, 1));
      const [dq, dk, dv] = packed("f32");
      const [out, probs] = [viewOf(backend, shape, "f32"), viewOf(backend, [B, H, T, T], "f32")];
      const dOut = viewOf(backend, shape, randomFloats(B * T * width, 2));
      backend.kernels.causalAttention({ q, k, v }, 0.7, { out, saved: probs });
      backend.kernels.causalAttentionBackward({ q, k, v, dOut, saved: probs }, 0.7, { dq, dk, dv });
      return [out, probs, dq, dk, dv];
    });
    for (const difference of found) expect(difference).toBeLessThan(2e-5);
  });

  test.each(["lstm", "gru", "tanh", "relu"] as const)(
    "%s of more units than a workgroup has, reversed",
    async (cell) => {
      const [B, T, H] = [20, 4, 45];
      const { numGates, numSaved, hasCellState, hasOwnHiddenGradient } = recurrentCellSizes[cell];
      const found = await differences((backend) => {
        const random = (shape: readonly number[], seed: number): TensorView =>
          viewOf(
            backend,
            shape,
            randomFloats(
              shape.reduce((x, y) => x * y),
              seed,
            ),
          );
        const empty = (...shape: number[]): TensorView => viewOf(backend, shape, "f32");
        const state = (make: () => TensorView): TensorView | undefined => (hasCellState ? make() : undefined);
        const weight = random([numGates * H, H], 1);
        const lengths = viewOf(backend, [B], randomIntegers(B, T + 1, 2));
        const [gates, bias, h0] = [random([B, T, numGates * H], 3), random([numGates * H], 4), random([B, H], 5)];
        const [out, hn, cn] = [empty(B, T, H), empty(B, H), state(() => empty(B, H))];
        const [saved, before] = [empty(B, T, numSaved * H), empty(B, T, H)];
        const inputs = { gates, weight, bias, h0, c0: state(() => random([B, H], 6)), lengths };
        backend.kernels.recurrent(cell, inputs, true, { out, hn, cn, saved, before });
        const [dOut, dHn, dCn] = [random([B, T, H], 7), random([B, H], 8), state(() => random([B, H], 9))];
        const dHidden = hasOwnHiddenGradient ? empty(B, T, numGates * H) : undefined;
        const gradients = {
          dGates: empty(B, T, numGates * H),
          dHidden,
          dH0: empty(B, H),
          dC0: state(() => empty(B, H)),
        };
        backend.kernels.recurrentBackward(cell, { dOut, dHn, dCn, weight, lengths, saved, before }, true, gradients);
        const all = [out, hn, cn, saved, before, ...Object.values(gradients)];
        return all.filter((view): view is TensorView => view !== undefined);
      });
      for (const difference of found) expect(difference).toBeLessThan(5e-5);
    },
  );

  test.each([
    { name: "more states than a small workgroup", T: 400, L: 90, C: 12 },
    { name: "states beyond the largest workgroup", T: 330, L: 300, C: 40 },
  ])("ctc with $name", async ({ T, L, C }) => {
    const B = 3;
    const found = await differences((backend) => {
      const logProbs = viewOf(
        backend,
        [T, B, C],
        randomFloats(T * B * C, 1).map((value) => 3 * value - 4),
      );
      const targets = viewOf(
        backend,
        [B, L],
        randomIntegers(B * L, C - 1, 2).map((label) => label + 1),
      );
      const inputLengths = viewOf(backend, [B], Int32Array.of(T, T - 9, 4));
      const targetLengths = viewOf(backend, [B], Int32Array.of(L - 20, 33, 7));
      const inputs = { logProbs, targets, inputLengths, targetLengths };
      const [loss, dLogProbs] = [viewOf(backend, [B], "f32"), viewOf(backend, [T, B, C], "f32")];
      backend.kernels.ctc(inputs, 0, loss);
      backend.kernels.ctcBackward(inputs, 0, viewOf(backend, [B], Float32Array.of(1, -0.5, 2)), dLogProbs);
      return [loss, dLogProbs];
    });
    // Losses are near 1,000: an ulp is 6e-5.
    expect(found[0]).toBeLessThan(5e-4);
    expect(found[1]).toBeLessThan(5e-5);
  });
});
