/** @file Tensors stored in 16 bits: every op within what its roundings allow, transfers at every place, and what is never stored so. */
import { type DTypeArray, microBatchScope, nn, optim, scope, type Tensor, tensor, withBackend } from "@lockstep/core";
import { type OpSuite, opSuite } from "@lockstep/core/testing";
import { expect, test } from "vitest";
import { randomFloats } from "./kernels/kernel-run.testkit.js";
import { halfBits, halfValue } from "./memory/half-floats.js";
import { createTestBackend, describeGpu, hasHalves, opening } from "./testing.testkit.js";
import type { WebGpuBackend } from "./webgpu-backend.js";

const rounded = (value: number): number => halfValue(halfBits(value));

describeGpu("storage in 16 bits", () => {
  test("is refused where the adapter has no shader-f16, with what to do", async () => {
    const refused = createTestBackend({ storage: "f16", withoutFeatures: ["shader-f16"] });
    await expect(refused).rejects.toMatchObject({
      code: "E_NO_F16",
      message: expect.stringMatching(
        /the adapter ".+" has no shader-f16; .* Use the storage "f32" \(--precision f32\)/,
      ),
    });
  });
  if (!hasHalves()) return;

  const open = opening((options) => createTestBackend({ storage: "f16", ...options }));

  // The smallest tensors too, so that every sample is stored so. 2^-11: half a unit in the last of 11 digits.
  const suite: OpSuite = opSuite({
    createBackend: () => open({ minHalfElements: 1 }),
    stored: { round: rounded, unit: 2 ** -11 },
  });
  for (const { name, run } of suite.cases) test(name, run);

  test("is a numeric class of its own, and halves the bytes of large tensors alone", async () => {
    const backend = await open();
    expect(backend.numericClass).toMatch(/^webgpu:.+\/.+:f16$/);
    const bytes = (length: number, dtype: "f32" | "i32") => {
      const before = backend.memory().usedBytes;
      const x = withBackend(backend, () => tensor(new Float32Array(length), { dtype }));
      const taken = backend.memory().usedBytes - before;
      x.dispose();
      return taken;
    };
    expect([bytes(1_024, "f32"), bytes(1_023, "f32"), bytes(1_024, "i32")]).toEqual([2_048, 4_092, 4_096]);
  });

  test("ranges are written and read at even and odd places, and their neighbours stay", async () => {
    const backend = await open();
    const values = randomFloats(2_049, 3);
    for (const [offset, length] of [
      [0, 2_049],
      [0, 1],
      [1, 1],
      [2, 6],
      [3, 4],
      [7, 9],
      [2_048, 1],
    ] as const) {
      const x = withBackend(backend, () => tensor(new Float32Array(2_049).fill(7)));
      const part = values.slice(0, length);
      backend.write(x.buffer, offset, part);
      const expected = new Float32Array(2_049).fill(7);
      expected.set(part.map(rounded), offset);
      expect(await x.data()).toEqual(expected);
      const view = { buffer: x.buffer, offset, shape: [length], strides: [1], dtype: "f32" } as const;
      expect(await backend.read(view)).toEqual(part.map(rounded));
      x.dispose();
    }
  });

  /** What `fn` computes on a backend. */
  const computed = (backend: WebGpuBackend, fn: () => Tensor): Promise<DTypeArray> =>
    withBackend(backend, () => microBatchScope({ seed: 3, step: 1, m: 2 }, () => ({ read: fn().data() }))).read;

  test("sums are in f32, an overflow is an infinity, and NaN stays", async () => {
    const backend = await open();
    const sumOf = (value: number) => computed(backend, () => tensor(new Float32Array(4_096).fill(value)).sum());
    expect([...(await sumOf(1 + 2 ** -10))]).toEqual([4_100]);
    expect([...(await sumOf(60_000))]).toEqual([4_096 * 60_000]);
    const large = new Float32Array(1_024).fill(300);
    large[5] = Number.NaN;
    large[6] = -300;
    const cubes = await computed(backend, () => tensor(large).mul(tensor(large)).mul(tensor(large)));
    const { POSITIVE_INFINITY, NEGATIVE_INFINITY, NaN: nan } = Number;
    expect([...cubes.slice(4, 8)]).toEqual([POSITIVE_INFINITY, nan, NEGATIVE_INFINITY, POSITIVE_INFINITY]);
    const signed = await computed(backend, () => tensor(large).mul(1_000));
    expect([...signed.slice(4, 8)]).toEqual([POSITIVE_INFINITY, nan, NEGATIVE_INFINITY, POSITIVE_INFINITY]);
  });

  test("dropout draws the masks of f32", async () => {
    const plain = await open({ storage: "f32" });
    const drop = new nn.Dropout(0.1);
    const kept = async (backend: WebGpuBackend) => {
      const values = await computed(backend, () => drop.forward(tensor(new Float32Array(50_000).fill(1))));
      return Array.from(values, (value) => value !== 0);
    };
    const [halves, floats] = [await kept(await open()), await kept(plain)];
    expect(halves).toEqual(floats);
    expect(halves.filter((isKept) => !isKept).length).toBeGreaterThan(4_500);
  });

  test("optimizer state keeps 32 bits: gradients of 1e-6 move weights as they do in f32", async () => {
    const backend = await open();
    const layer = withBackend(backend, () => new nn.Linear(64, 32));
    const optimizer = new optim.AdamW(layer.parameters(), { learningRate: 0.01, weightDecay: 0 });
    const before = await layer.weight.data();
    for (let step = 1; step <= 2; step++) {
      withBackend(backend, () =>
        scope(() => {
          const x = tensor(new Float32Array(4 * 64).fill(1), { shape: [4, 64] });
          layer.forward(x).sum().mul(1e-6).backward();
          optimizer.step();
          optimizer.zeroGrad();
        }),
      );
    }
    const after = await layer.weight.data();
    // Adam's steps on equal gradients are the learning rate, whatever their size; a square of 4e-6 is no binary16.
    const moves = after.map((value, i) => Math.abs(value - before[i]!));
    expect(Math.min(...moves)).toBeGreaterThan(0.0195);
    expect(Math.max(...moves)).toBeLessThan(0.0205);
  });
});
