import type { Tensor } from "@lockstep/core";
import { describe, expect, test } from "vitest";
import type { AnyJob } from "../job/define-job.js";
import type { ComputeProgress, NodeRange, ReadyBucket } from "./compute-engine.js";
import { SyncDevice } from "./sync-device.testkit.js";
import { tinyGptJob, tinyMlpJob } from "./tiny-jobs.testkit.js";
import type { TrainingEngine } from "./training-engine.js";
import { neverStop, prepared, sha256, trainAlone, vectorAt } from "./training-engine.testkit.js";

describe("buckets", () => {
  test("buckets are ready before the backward pass of the last micro-batch has ended", () => {
    const engine = prepared(tinyGptJob);
    const { training } = engine;
    let numBuckets = 0;
    let bucketsWhenLastLayerRan = -1;
    // The embedding is the first layer: its gradient is the last to be computed.
    const original = training.source.backend.kernels.embeddingBackward;
    training.source.backend.kernels.embeddingBackward = (...args) => {
      bucketsWhenLastLayerRan = numBuckets;
      original(...args);
    };
    engine.computeNodes(
      { step: 1, nodes: [{ lo: 0, hi: training.numMicroBatches }] },
      {
        onBucket: () => {
          numBuckets++;
        },
        shouldStop: () => false,
      },
    );
    expect(bucketsWhenLastLayerRan).toBeGreaterThan(0);
    expect(bucketsWhenLastLayerRan).toBeLessThan(numBuckets);
  });
});

describe.each(["the engine's backend", "a device"] as const)("a step's nodes, summed by %s", (summer) => {
  const isDevice = summer === "a device";

  test("never need more than floor(log2 M) + 1 vectors for one node, and use the same memory in every step", () => {
    const engine = preparedWith(tinyGptJob, isDevice);
    const numMicroBatches = engine.training.numMicroBatches;
    expect(numMicroBatches).toBe(6);
    trainAlone(engine, 1, 2);
    const { usedBytes } = engine.training.source.backend.memory();
    trainAlone(engine, 3, 5);
    expect(engine.training.source.backend.memory().usedBytes).toBe(usedBytes);
    // Beside the reduced one: the stack of a node; or a node's vector and the landing one.
    expect(engine.peakVectors).toBeLessThanOrEqual(1 + (isDevice ? 2 : Math.floor(Math.log2(numMicroBatches)) + 1));
  });

  test("finished nodes are kept for a new attempt: only what is missing is computed", () => {
    const { engine, numBatches } = countingEngine(isDevice);
    const computed = engine.computeNodes({ step: 1, nodes: [{ lo: 0, hi: 2 }] }, neverStop);
    expect(numBatches()).toBe(2);
    const nodes = [
      { lo: 0, hi: 2 },
      { lo: 2, hi: 3 },
    ];
    const both = engine.computeNodes({ step: 1, nodes }, neverStop);
    expect(numBatches()).toBe(3);
    expect(both.losses.slice(0, 2)).toEqual(computed.losses);
  });

  test("L1 a node that was stopped in the middle goes on where it was: nothing is computed twice, the bits are the same", () => {
    const nodes = [
      { lo: 0, hi: 4 },
      { lo: 4, hi: 5 },
    ];
    const whole = preparedWith(tinyMlpJob, isDevice);
    const expected = whole.computeNodes({ step: 1, nodes }, neverStop);
    for (const stopsAfter of [0, 1, 2, 3, 4]) {
      const { engine, numBatches } = countingEngine(isDevice);
      const stopped = engine.computeNodes(
        { step: 1, nodes },
        { onBucket: () => {}, shouldStop: () => numBatches() >= stopsAfter },
      );
      expect([stopped.isComplete, numBatches()]).toEqual([false, stopsAfter]);
      const buckets: ReadyBucket[] = [];
      const goneOn = engine.computeNodes(
        { step: 1, nodes },
        { onBucket: (bucket) => buckets.push(bucket), shouldStop: () => false },
      );
      expect(numBatches()).toBe(5);
      expect(goneOn).toEqual(expected);
      expect(new Set(buckets.map(({ node, bucket }) => `${node.lo}-${bucket}`)).size).toBe(buckets.length);
      expect(nodeBits(engine, buckets)).toEqual(nodeBitsOf(whole, nodes));
      expect(engine.peakVectors).toBe(whole.peakVectors);
    }
  });

  test("L1 of a node that was stopped, a finished subtree is used as a node of the next attempt, and the rest is dropped", () => {
    const { engine, numBatches } = countingEngine(isDevice);
    engine.computeNodes(
      { step: 1, nodes: [{ lo: 0, hi: 4 }] },
      { onBucket: () => {}, shouldStop: () => numBatches() >= 3 },
    );
    const nodes = [
      { lo: 0, hi: 2 },
      { lo: 4, hi: 5 },
    ];
    const before = numBatches();
    const { losses } = engine.computeNodes({ step: 1, nodes }, neverStop);
    expect(numBatches() - before).toBe(1);
    expect(losses.map(([m]) => m)).toEqual([0, 1, 4]);
    expect(nodeBitsOf(engine, nodes)).toEqual(nodeBitsOf(prepared(tinyMlpJob), nodes));
    // Micro-batch 2 was dropped with its node: it is computed again.
    const again = numBatches();
    engine.computeNodes({ step: 1, nodes: [{ lo: 2, hi: 4 }] }, neverStop);
    expect(numBatches() - again).toBe(2);
  });

  test("a half-finished node does not outlive its step, and vectors of a failed one go back", () => {
    const { engine, numBatches, failAt } = countingEngine(isDevice);
    const stopAfterOne = { onBucket: () => {}, shouldStop: () => numBatches() >= 1 };
    engine.computeNodes({ step: 1, nodes: [{ lo: 0, hi: 2 }] }, stopAfterOne);
    trainAlone(engine, 1, 1);
    const before = numBatches();
    engine.computeNodes({ step: 2, nodes: [{ lo: 0, hi: 2 }] }, neverStop);
    expect(numBatches() - before).toBe(2);
    failAt(numBatches() + 4);
    const failing = { step: 2, nodes: [{ lo: 0, hi: 5 }] };
    expect(() => engine.computeNodes(failing, neverStop)).toThrow("planted");
    const peak = engine.peakVectors;
    const after = numBatches();
    engine.computeNodes(failing, neverStop);
    expect(numBatches() - after).toBe(5);
    expect(engine.peakVectors).toBe(peak);
  });

  test("tells how far it is when nodes begin and when one is done; what an earlier attempt left counts", () => {
    const { engine, numBatches } = countingEngine(isDevice);
    const nodes = [
      { lo: 2, hi: 4 },
      { lo: 0, hi: 2 },
      { lo: 4, hi: 5 },
    ];
    const told: unknown[] = [];
    const hooks = {
      onBucket: () => {},
      onProgress: ({ begunNodes, doneMicroBatches }: ComputeProgress) => told.push([begunNodes, doneMicroBatches]),
    };
    engine.computeNodes({ step: 1, nodes: nodes.slice(0, 2) }, { ...hooks, shouldStop: () => numBatches() >= 3 });
    expect(told.splice(0)).toEqual([
      [1, 0],
      [1, 2],
      [2, 2],
    ]);
    engine.computeNodes({ step: 1, nodes: [nodes[2]!, ...nodes.slice(0, 2)] }, { ...hooks, shouldStop: () => false });
    expect(told.splice(0)).toEqual([
      [0, 3], // held, but behind one that has not begun
      [0, 3], // the half-finished one goes on first
      [0, 4],
      [3, 4],
      [3, 5],
    ]);
    engine.computeNodes({ step: 1, nodes }, { ...hooks, shouldStop: () => false });
    expect(told).toEqual([[3, 5]]);
  });
});

function preparedWith(job: AnyJob, isDevice: boolean): TrainingEngine {
  return isDevice ? prepared(job, { device: new SyncDevice(job) }) : prepared(job);
}

/** An engine of the tiny network, five micro-batches, that counts those it trains on from now on. */
function countingEngine(isDevice: boolean) {
  let count = 0;
  let failing = Infinity;
  const job: AnyJob = {
    ...tinyMlpJob,
    loss: (model, batch) => {
      if (count++ === failing) throw new Error("planted");
      return tinyMlpJob.loss(model, batch);
    },
  };
  const engine = preparedWith(job, isDevice);
  count = 0;
  const failAt = (batch: number): void => {
    failing = batch;
  };
  return { engine, numBatches: () => count, failAt };
}

function firstInput({ x }: { readonly x: Tensor }): number {
  return x.dataSync()[0]!;
}

describe("a node that a device sums", () => {
  test("L6 a device that takes no steps leaves them to the CPU, and that is said once", () => {
    const engine = prepared(tinyMlpJob, { device: new SyncDevice(tinyMlpJob), updatesOnDevice: true });
    const nodes = [{ lo: 0, hi: 5 }];
    const buckets: ReadyBucket[] = [];
    const hooks = { ...neverStop, onBucket: (bucket: ReadyBucket) => buckets.push(bucket) };
    expect(engine.computeNodes({ step: 1, nodes, isAlone: true }, hooks).notices).toMatchObject([
      { code: "CPU_UPDATES", message: expect.stringMatching(/updates stay on the CPU.*it takes none/) },
    ]);
    // The gradient came down.
    expect(buckets.length).toBeGreaterThan(0);
    expect(engine.computeNodes({ step: 1, nodes, isAlone: true }, hooks).notices).toBeUndefined();
  });

  test("L6 a gradient that is not finite is laid to its micro-batch, though only the sum was read", () => {
    const job: AnyJob = {
      ...tinyMlpJob,
      loss: (model, batch: { x: Tensor }) => {
        const { sum, weight } = tinyMlpJob.loss(model, batch);
        return { sum: firstInput(batch) === poisoned ? sum.add(sum.mul(0).sqrt()) : sum, weight };
      },
    };
    // A loss that is finite, whose gradient is 0 / 0.
    let poisoned = Number.NaN;
    const engine = prepared(job, { device: new SyncDevice(job) });
    const { sampler, data } = engine.training;
    poisoned = firstInput(data.train.batch(sampler.microBatch(0, 3)) as { x: Tensor });
    expect(() => engine.computeNodes({ step: 1, nodes: [{ lo: 0, hi: 5 }] }, neverStop)).toThrowError(/micro-batch 3/);
  });
});

/** The bits of the nodes' vectors. */
function nodeBits(engine: TrainingEngine, buckets: readonly ReadyBucket[]): Record<string, string> {
  return Object.fromEntries(
    buckets.map(({ node, address, weight }) => [
      `${node.lo}-${node.hi} of ${weight}`,
      sha256([new Uint8Array(vectorAt(engine, address).slice().buffer)]),
    ]),
  );
}

function nodeBitsOf(engine: TrainingEngine, nodes: readonly NodeRange[]): Record<string, string> {
  const buckets: ReadyBucket[] = [];
  engine.computeNodes({ step: 1, nodes }, { onBucket: (bucket) => buckets.push(bucket), shouldStop: () => false });
  return nodeBits(engine, buckets);
}
