import { microBatchScope } from "@lockstep/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Augmentation, microBatchDraws, Pipeline, pipelineOf, sampleDraws, stackSamples } from "../index.js";

const upTo = (size: number) => Array.from({ length: size }, (_, i) => i);
const addNoise: Augmentation<number> = (value, draws) => value + draws.uniform();

describe("a pipeline", () => {
  test("gives the same samples in any order as in order", () => {
    const pipeline = pipelineOf(upTo(20))
      .filter((x) => x % 3 !== 0)
      .map((x) => 10 * x)
      .shuffle({ seed: 5 })
      .augment(addNoise, { seed: 6 })
      .cache({ maxItems: 4 })
      .skip(2)
      .take(9);
    for (const epoch of [1, 0]) {
      const inOrder = pipeline.toArray(epoch);
      const backwards = upTo(9)
        .reverse()
        .map((index) => pipeline.get({ epoch, index }));
      expect(backwards.reverse()).toEqual(inOrder);
    }
    expect(pipeline.toArray(0)).not.toEqual(pipeline.toArray(1));
  });

  test("shuffles every epoch to another permutation of all samples", () => {
    const orders = fc.record({ size: fc.integer({ min: 1, max: 60 }), seed: fc.nat(), epoch: fc.nat(9) });
    fc.assert(
      fc.property(orders, ({ size, seed, epoch }) => {
        const order = pipelineOf(upTo(size)).shuffle({ seed }).toArray(epoch);
        expect(order.sort((a, b) => a - b)).toEqual(upTo(size));
      }),
    );
    const pipeline = pipelineOf(upTo(50)).shuffle({ seed: 1 });
    expect(pipeline.toArray(0)).not.toEqual(pipeline.toArray(1));
  });

  test("counts what filters keep and remove", () => {
    const pipeline = pipelineOf(upTo(10))
      .filter((x) => x > 2)
      .filter((x) => x % 2 === 0);
    expect(pipeline.toArray()).toEqual([4, 6, 8]);
    expect(pipeline.filters).toEqual([
      { kept: 7, removed: 3 },
      { kept: 3, removed: 4 },
    ]);
  });

  test("takes, skips, selects, joins, pairs and batches", () => {
    const a = pipelineOf([1, 2, 3]);
    const b = pipelineOf([4, 5]);
    expect(a.concat(b).toArray()).toEqual([1, 2, 3, 4, 5]);
    expect(a.zip(b.concat(b).take(3)).toArray()).toEqual([
      [1, 4],
      [2, 5],
      [3, 4],
    ]);
    expect(a.concat(b).batch(2).toArray()).toEqual([[1, 2], [3, 4], [5]]);
    expect(a.concat(b).batch(2, { dropLast: true }).toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(a.select([2, 0, 2]).toArray()).toEqual([3, 1, 3]);
    expect([a.take(9).size, a.skip(9).size, a.skip(1).at(0)]).toEqual([3, 0, 2]);
  });

  test("computes nothing before it is asked, and keeps at most maxItems", () => {
    const computed: number[] = [];
    const pipeline = pipelineOf(upTo(5))
      .map((x) => {
        computed.push(x);
        return x;
      })
      .cache({ maxItems: 2 });
    expect(computed).toEqual([]);
    for (const index of [0, 1, 0, 2, 0, 1]) expect(pipeline.at(index)).toBe(index);
    expect(computed).toEqual([0, 1, 2, 1]); // 2 pushed out 1, which was used longest ago
  });

  test("begins at most `ahead` promises, and answers them in order", async () => {
    const running = new Set<number>();
    let most = 0;
    const slow = pipelineOf(upTo(6)).map(async (x) => {
      running.add(x);
      most = Math.max(most, running.size);
      for (let turn = 0; turn < 6 - x; turn++) await Promise.resolve(); // later ones end sooner
      running.delete(x);
      return x;
    });
    const seen: number[] = [];
    for await (const x of slow.prefetch(3)) seen.push(x);
    expect([seen, most]).toEqual([upTo(6), 3]);
  });

  test("throws an error of a prefetched sample when its turn comes", async () => {
    const failing = pipelineOf(upTo(4)).map((x) => (x === 2 ? Promise.reject(new Error("no 2")) : Promise.resolve(x)));
    const seen: number[] = [];
    const read = async () => {
      for await (const x of failing.prefetch(4)) seen.push(x);
    };
    await expect(read()).rejects.toThrow("no 2");
    expect(seen).toEqual([0, 1]);
  });

  test("becomes a dataset of tensors", () => {
    const dataset = pipelineOf([1, 2, 3]).toDataset((values) =>
      stackSamples(
        values.map((x) => Float32Array.of(x, -x)),
        [2],
      ),
    );
    const batch = dataset.batch([2, 0].map((index) => ({ epoch: 0, index })));
    expect(batch.toArraySync()).toEqual([
      [3, -3],
      [1, -1],
    ]);
  });

  const shuffled = pipelineOf(upTo(4)).shuffle({ seed: 1 });
  test.each([
    {
      make: () => shuffled.filter(() => true),
      message:
        "Pipeline.filter: the samples before it change with the epoch; the choice must hold for all of them. Filter before shuffle and augment.",
    },
    {
      make: () => shuffled.augment(addNoise).cache(),
      message:
        "Pipeline.cache: the samples before it change with the micro-batch; they must not. Cache before augment.",
    },
    {
      make: () => pipelineOf([1]).zip(pipelineOf([1, 2])),
      message: "Pipeline.zip: 1 and 2 samples; both must have as many. Use take.",
    },
    {
      make: () => pipelineOf([1]).batch(0),
      message: "Pipeline.batch: batchSize is 0; it must be a whole number of at least 1.",
    },
    {
      make: () => pipelineOf([1]).take(-1),
      message: "Pipeline.take: count is -1; it must be a whole number of at least 0.",
    },
    {
      make: () =>
        pipelineOf([1, 2])
          .filter(() => false)
          .toDataset((values) => values),
      message: "Pipeline.toDataset: there are 0 samples; filters removed 2; there must be at least one.",
    },
  ])("says: $message", ({ make, message }) => {
    expect(make).toThrow(expect.objectContaining({ name: "ValueError", code: "E_PIPELINE", message }));
  });

  test("stacks samples of one length and type only", () => {
    expect(stackSamples([Uint8Array.of(1), Uint8Array.of(2)], []).dtype).toBe("u8");
    expect(() => stackSamples([Float32Array.of(1), Int32Array.of(2)], [])).toThrow(
      expect.objectContaining({
        code: "E_SHAPE",
        message:
          "stackSamples: sample 1 has 1 numbers (Int32Array); it must have 1, shape [], in the type of sample 0.",
      }),
    );
    expect(() => stackSamples([], [2])).toThrow("stackSamples: samples is empty; there must be at least one.");
  });

  test("refuses a sample that is out of range", () => {
    expect(() => shuffled.at(4)).toThrow(expect.objectContaining({ code: "E_SAMPLE" }));
    expect(
      new Pipeline({ size: 0, get: () => 1, dependsOn: "index", filters: [] }).shuffle({ seed: 1 }).toArray(),
    ).toEqual([]);
  });
});

describe("augmentation in a job", () => {
  const pipeline = pipelineOf([0, 0, 0, 0]).augment(addNoise);
  const batchOf = (step: number, m: number) =>
    microBatchScope({ seed: 3, step, m }, () => [0, 1].map((index) => pipeline.at(index)));

  test("L1: draws are a function of seed, step and micro-batch, whatever was computed before", () => {
    const first = batchOf(4, 1);
    batchOf(5, 0);
    pipeline.at(0); // outside of any micro-batch
    expect(batchOf(4, 1)).toEqual(first);
    expect(new Set([...first, ...batchOf(4, 0), ...batchOf(5, 1)]).size).toBe(6);
  });
});

describe("draws", () => {
  test("of a sample depend on seed, epoch and index alone", () => {
    const key = { seed: 2 ** 40, epoch: 3, index: 9 };
    const draws = sampleDraws(key);
    expect([draws.nextWord(), draws.uniform(), draws.normal(), draws.integer(1000)]).toMatchInlineSnapshot(`
      [
        1493435682,
        0.36214855718339956,
        -2.10041152115586,
        498,
      ]
    `);
    const firsts = [
      key,
      { ...key, seed: 1 },
      { ...key, epoch: 9 },
      { ...key, index: 3 },
      { ...key, epoch: 9, index: 3 },
    ];
    expect(new Set(firsts.map((entry) => sampleDraws(entry).nextWord())).size).toBe(5);
    expect(() => sampleDraws({ ...key, index: -1 })).toThrow(
      "sampleDraws: index is -1; it must be a whole number in 0..4294967295.",
    );
  });

  test("of a micro-batch are the words that dropout's kernel takes", () => {
    const words = microBatchScope({ seed: 3, step: 4, m: 1 }, () => {
      const draws = microBatchDraws();
      return Array.from({ length: 9 }, () => draws.nextWord());
    });
    expect(new Set(words).size).toBe(9);
    expect(words.slice(0, 2)).toMatchInlineSnapshot(`
      [
        2141974318,
        3899017996,
      ]
    `);
  });

  test("have the moments of a normal distribution over neighbouring samples", () => {
    const values = Array.from({ length: 4000 }, (_, index) => sampleDraws({ seed: 1, epoch: 0, index }).normal());
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
    expect([Math.abs(mean) < 0.05, Math.abs(variance - 1) < 0.07]).toEqual([true, true]);
  });
});
