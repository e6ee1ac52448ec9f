import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSampler, evalMicroBatches, microBatchSamples } from "../index.js";

/** All samples of the first `steps` steps in order. */
function samplesOf(options: Parameters<typeof createSampler>[0], steps: number) {
  const sampler = createSampler(options);
  return Array.from({ length: steps }, (_, step) =>
    Array.from({ length: sampler.numMicroBatches }, (_, m) => sampler.microBatch(step, m)).flat(),
  ).flat();
}

describe("createSampler", () => {
  test("L3: the micro-batches of the steps hold every sample of every epoch exactly once, epoch after epoch", () => {
    const options = fc
      .record({
        seed: fc.nat(),
        size: fc.integer({ min: 1, max: 60 }),
        microBatchSize: fc.integer({ min: 1, max: 7 }),
        numMicroBatches: fc.integer({ min: 1, max: 6 }),
      })
      .map(({ numMicroBatches, ...rest }) => ({ ...rest, globalBatchSize: rest.microBatchSize * numMicroBatches }));
    fc.assert(
      fc.property(options, (chosen) => {
        const steps = Math.ceil((3 * chosen.size) / chosen.globalBatchSize);
        const samples = samplesOf(chosen, steps).slice(0, 3 * chosen.size);
        for (let epoch = 0; epoch < 3; epoch++) {
          const piece = samples.slice(epoch * chosen.size, (epoch + 1) * chosen.size);
          expect(piece.every((sample) => sample.epoch === epoch)).toBe(true);
          expect(piece.map((sample) => sample.index).sort((a, b) => a - b)).toEqual(
            Array.from({ length: chosen.size }, (_, i) => i),
          );
        }
      }),
    );
  });

  test("gives the same samples whatever was asked before, and however they are cut into micro-batches", () => {
    const base = { seed: 7, size: 10, globalBatchSize: 8 };
    const inOrder = samplesOf({ ...base, microBatchSize: 2 }, 4);
    expect(samplesOf({ ...base, microBatchSize: 4 }, 4)).toEqual(inOrder);
    const backwards = createSampler({ ...base, microBatchSize: 2 });
    for (const step of [3, 0, 2]) {
      expect(backwards.microBatch(step, 1)).toEqual(inOrder.slice(step * 8 + 2, step * 8 + 4));
      expect(microBatchSamples({ ...base, microBatchSize: 2 }, step, 1)).toEqual(backwards.microBatch(step, 1));
    }
  });

  test("runs across the end of an epoch without a short batch", () => {
    const sampler = createSampler({ seed: 1, size: 5, globalBatchSize: 4, microBatchSize: 4 });
    expect(sampler.microBatch(1, 0).map(({ epoch }) => epoch)).toEqual([0, 1, 1, 1]);
    expect(sampler.position(2)).toEqual({ globalSample: 8, epoch: 1 });
  });

  test("orders every epoch and every seed differently", () => {
    const orderOf = (seed: number, epoch: number) => {
      const options = { seed, size: 50, globalBatchSize: 50, microBatchSize: 50 };
      return createSampler(options)
        .microBatch(epoch, 0)
        .map(({ index }) => index)
        .join();
    };
    expect(new Set([orderOf(1, 0), orderOf(1, 1), orderOf(2, 0), orderOf(2, 1)]).size).toBe(4);
  });

  test("gives committed samples", () => {
    const sampler = createSampler({ seed: 7, size: 100, globalBatchSize: 8, microBatchSize: 4 });
    expect(sampler.microBatch(12, 1)).toMatchInlineSnapshot(`
      [
        {
          "epoch": 1,
          "index": 54,
        },
        {
          "epoch": 1,
          "index": 7,
        },
        {
          "epoch": 1,
          "index": 69,
        },
        {
          "epoch": 1,
          "index": 52,
        },
      ]
    `);
  });

  const good = { seed: 1, size: 10, globalBatchSize: 8, microBatchSize: 4 };
  test.each([
    {
      make: () => createSampler({ ...good, microBatchSize: 3 }),
      code: "E_BATCH_SIZE",
      message: "createSampler: globalBatchSize is 8 and microBatchSize 3; the second must divide the first.",
    },
    {
      make: () => createSampler({ ...good, size: 0 }),
      code: "E_VALUE",
      message: "createSampler: size is 0; it must be a whole number of at least 1.",
    },
    {
      make: () => createSampler(good).microBatch(0, 2),
      code: "E_VALUE",
      message: "Sampler.microBatch: m is 2; it must be a whole number in 0..1.",
    },
    {
      make: () => createSampler(good).microBatch(-1, 0),
      code: "E_VALUE",
      message: "Sampler: step is -1; it must be a whole number of at least 0.",
    },
  ])("says: $message", ({ make, code, message }) => {
    expect(make).toThrow(expect.objectContaining({ name: "ValueError", code, message }));
  });
});

describe("evalMicroBatches", () => {
  test("covers the set once, in order, the last micro-batch short", () => {
    const indices = evalMicroBatches(10, 4).map((samples) => samples.map(({ index }) => index));
    expect(indices).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
  });
  test("refuses an empty set", () => {
    const message = "evalMicroBatches: size is 0; it must be a whole number of at least 1.";
    expect(() => evalMicroBatches(0, 4)).toThrow(expect.objectContaining({ name: "ValueError", message }));
  });
});
