/** @file Scaled losses on a device that overflows for real: what is computed again, what is told, and that no bit of the result knows of it. */
import { dropGradient, microBatchScope, tensor, withBackend } from "@lockstep/core";
import { expect, test } from "vitest";
import { backwardInto, lossOf } from "./micro-batch.js";
import type { DeviceListener, DeviceSource, DeviceStep, MicroBatchDevice } from "./micro-batch-device.js";
import { tinyMlpJob } from "./tiny-jobs.testkit.js";
import { neverStop, prepared, vectorAt } from "./training-engine.testkit.js";

interface Plant {
  /** Larger gradients become infinite, as they do where they are stored in 16 bits. */
  readonly limit?: number;
  readonly loss?: number;
}

/** The job's own arithmetic in f32, with a limit on what a gradient may be. */
class LimitedDevice implements MicroBatchDevice {
  readonly numericClass = "webgpu:test/cpu:f16";
  readonly calls: [microBatch: number, lossScale: number][] = [];
  readonly #plant: Plant;
  #source: DeviceSource | undefined;

  constructor(plant: Plant = {}) {
    this.#plant = plant;
  }

  attach(source: DeviceSource): void {
    this.#source = source;
  }

  invalidate(): void {}

  train({ stepIndex, microBatch, target, lossScale = 1 }: DeviceStep, listener: DeviceListener) {
    const { training, backend } = this.#source!;
    const { limit = 65_504, loss: planted } = this.#plant;
    this.calls.push([microBatch, lossScale]);
    withBackend(backend, () =>
      microBatchScope({ seed: training.source.seed, step: stepIndex, m: microBatch }, () => {
        const { sum, weight } = lossOf(training, training.sampler.microBatch(stepIndex, microBatch), "train");
        listener.onLoss(planted ?? sum.itemSync(), weight);
        const take = (index: number): void => {
          const { offset } = training.layout.parameters[index]!;
          const values = training.parameters[index]!.grad!.dataSync() as Float32Array;
          const stored = values.map((x) => (Math.abs(x) > limit ? Math.sign(x) * Number.POSITIVE_INFINITY : x));
          backend.write(target.buffer, target.offset + offset, stored);
          dropGradient(training.parameters[index]!);
          listener.onEntry(index, true);
        };
        backwardInto(sum, training.parameters, take, { seed: tensor([lossScale], { shape: sum.shape }) });
      }),
    );
  }

  take(): void {
    throw new Error("a device in 16 bits sums no nodes");
  }

  takeNotices() {
    return [];
  }

  dispose(): void {}
}

const nodes = [{ lo: 0, hi: 4 }];

/** The vector of the first node of step 1, and what was told of it. */
function firstNode(device: LimitedDevice | undefined, lossScale?: number) {
  const engine = prepared(tinyMlpJob, device === undefined ? {} : { device });
  device?.calls.splice(0);
  let address = 0;
  const onBucket = (bucket: { readonly address: number }): void => {
    ({ address } = bucket);
  };
  const request = { step: 1, nodes, ...(lossScale === undefined ? {} : { lossScale }) };
  const computed = engine.computeNodes(request, { onBucket, shouldStop: () => false });
  return { bits: [...new Uint32Array(vectorAt(engine, address).slice().buffer)], ...computed };
}

const plain = firstNode(undefined);

test("gradients leave unscaled, to the bit, at any scale that does not overflow", () => {
  for (const lossScale of [1, 2, 1_024]) {
    const device = new LimitedDevice();
    const scaled = firstNode(device, lossScale);
    expect(scaled.bits).toEqual(plain.bits);
    expect([scaled.losses, scaled.overflows]).toEqual([plain.losses, []]);
    expect(device.calls).toEqual([0, 1, 2, 3].map((m) => [m, lossScale]));
  }
});

test("a micro-batch that overflows is computed again at half the scale until it does not; the others begin at the step's", () => {
  const device = new LimitedDevice();
  const found = firstNode(device, 2 ** 30);
  expect(found.bits).toEqual(plain.bits);
  expect(found.losses).toEqual(plain.losses);
  // The plant fired: every micro-batch went down by halves from the step's own scale.
  for (const m of [0, 1, 2, 3]) {
    const scales = device.calls.filter(([of]) => of === m).map(([, scale]) => scale);
    expect(scales.length).toBeGreaterThan(10);
    expect(scales).toEqual(scales.map((_, i) => 2 ** (30 - i)));
    expect(found.overflows).toContainEqual([m, scales.at(-1)]);
  }
  expect(found.overflows!.length).toBe(4);
  const lower = Math.min(...found.overflows!.map(([, scale]) => scale));
  expect(firstNode(new LimitedDevice(), lower)).toMatchObject({ bits: found.bits, overflows: [] });
});

test("what overflowed before an abort is told with the attempt that goes on", () => {
  const device = new LimitedDevice({ limit: 100 });
  const engine = prepared(tinyMlpJob, { device });
  device.calls.splice(0);
  const lossScale = 1_024;
  const stopAfterTwo = { ...neverStop, shouldStop: () => device.calls.some(([m]) => m === 1) };
  expect(engine.computeNodes({ step: 1, nodes, lossScale }, stopAfterTwo).isComplete).toBe(false);
  const rest = engine.computeNodes({ step: 1, nodes, lossScale }, neverStop);
  expect(rest.overflows!.map(([m]) => m)).toEqual([0, 1, 2, 3]);
  expect(device.calls.filter(([m]) => m === 0)).toHaveLength(1 + Math.log2(lossScale / rest.overflows![0]![1]));
});

test("a gradient that is not finite at any scale is an error that names all it was tried at", () => {
  const device = new LimitedDevice({ limit: 0 });
  expect(() => firstNode(device, 4)).toThrowError(
    /gradient of "fc2.*" is not finite at step 1, micro-batch 0, worker "w-a".*any loss scale from 4 down to 1\. .*use --precision f32/,
  );
  expect(device.calls.map(([, scale]) => scale)).toEqual([4, 2, 1]);
});

test("a loss that is not finite is an error at once: no scale changes it", () => {
  const device = new LimitedDevice({ loss: Number.NaN });
  expect(() => firstNode(device, 65_536)).toThrowError(/the loss is NaN at step 1, micro-batch 0.*use --precision f32/);
  expect(device.calls).toEqual([[0, 65_536]]);
});
