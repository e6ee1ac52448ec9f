import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { plainVectorOps } from "../testing/plain-vector-ops.js";
import { expectedReduction, nodesWithVectors, reductionInput } from "../testing/reduction-case.js";
import { createSimGroups } from "../testing/sim-group.js";
import { SimNetwork } from "../testing/sim-network.js";
import { allGather } from "./all-gather.js";
import { allReduceIntegers, barrier } from "./all-reduce-integers.js";
import { broadcast } from "./broadcast.js";
import { treeReduceScatter } from "./tree-reduce-scatter.js";

function simulate(worldSize: number, seed = worldSize) {
  const network = new SimNetwork({ seed });
  return { network, groups: createSimGroups(network, { worldSize }) };
}

describe("treeReduceScatter", () => {
  test("the shards end to end are the tree oracle, whatever the group and the grid", async () => {
    const cases = fc.record({
      seed: fc.nat(),
      worldSize: fc.integer({ min: 1, max: 8 }),
      numMicroBatches: fc.integer({ min: 1, max: 17 }),
      length: fc.constantFrom(0, 1, 13, 101, 1009),
    });
    await fc.assert(
      fc.asyncProperty(cases, async (options) => {
        const { network, groups } = simulate(options.worldSize, options.seed);
        const input = reductionInput({ ...options, bucketElements: 16 });
        const { numMicroBatches, length } = options;
        const shards = await network.clock.runUntil(
          Promise.all(
            groups.map((group) =>
              treeReduceScatter(nodesWithVectors(input, group.rank), group, {
                numMicroBatches,
                nodesByRank: input.nodesByRank,
                length,
                ops: plainVectorOps,
                maxFrameBytes: 88 + 256,
              }),
            ),
          ),
        );
        const joined = new Float32Array(length);
        for (const { offset, vector } of shards) joined.set(vector, offset);
        expect(shards.reduce((sum, { vector }) => sum + vector.length, 0)).toBe(length);
        expect(new Uint32Array(joined.buffer)).toEqual(new Uint32Array(expectedReduction(input).gradient.buffer));
      }),
      { numRuns: 60, seed: 31 },
    );
  });
});

describe("allGather", () => {
  test.each([
    ["directly", 4, 8],
    ["around a ring", 9, 8],
    ["around a ring of two", 2, 1],
    ["alone", 1, 8],
  ])("gives every rank all vectors in rank order, %s", async (_way, worldSize, ringAbove) => {
    const { network, groups } = simulate(worldSize);
    const lengths = groups.map((_, rank) => (rank * 37) % 50);
    const shards = lengths.map((length, rank) => Float32Array.from({ length }, (_, i) => rank + i / 100));
    const results = await network.clock.runUntil(
      Promise.all(
        groups.map((group, rank) => allGather(shards[rank]!, group, { lengths, ringAbove, maxFrameBytes: 88 + 40 })),
      ),
    );
    for (const result of results) expect([...result]).toEqual(shards.flatMap((shard) => [...shard]));
  });

  test("refuses a shard of another length than announced", () => {
    const { groups } = simulate(1);
    expect(() => allGather(new Float32Array(3), groups[0]!, { lengths: [4] })).toThrow(
      expect.objectContaining({ code: "E_ARGUMENT", fields: { lengths: [4], length: 3, rank: 0 } }),
    );
  });
});

describe("broadcast", () => {
  test("writes the root's vector everywhere", async () => {
    const { network, groups } = simulate(3);
    const vectors = groups.map((_, rank) => new Float32Array(100).fill(rank));
    await network.clock.runUntil(
      Promise.all(groups.map((group, rank) => broadcast(vectors[rank]!, group, { root: 2, maxFrameBytes: 88 + 64 }))),
    );
    for (const vector of vectors) expect([...vector]).toEqual(new Array(100).fill(2));
  });

  test("refuses a chunk when the root's vector has another length", async () => {
    const { network, groups } = simulate(2);
    const all = Promise.allSettled(
      groups.map((group, rank) => broadcast(new Float32Array(10 + rank), group, { root: 0 })),
    );
    const [, second] = await network.clock.runUntil(all);
    expect(second).toMatchObject({
      status: "rejected",
      reason: { code: "E_FRAME_REFUSED", fields: { rank: 0, workerId: "w0" } },
    });
  });
});

describe("allReduceIntegers and barrier", () => {
  test("sum and max are exact on every rank", async () => {
    const { network, groups } = simulate(4);
    const all = groups.map((group, rank) =>
      Promise.all([
        allReduceIntegers([rank, 2 ** 50 + rank, -1], group, { op: "sum" }),
        allReduceIntegers([rank, -rank, 7], group, { op: "max" }),
      ]),
    );
    for (const result of await network.clock.runUntil(Promise.all(all))) {
      expect(result).toEqual([
        [6, 2 ** 52 + 6, -4],
        [3, 0, 7],
      ]);
    }
  });

  test("refuses a float and a sum past 2^53", async () => {
    const { network, groups } = simulate(2);
    await expect(allReduceIntegers([0.5], groups[0]!, { op: "sum" })).rejects.toMatchObject({
      code: "E_ARGUMENT",
      fields: { index: 0, value: 0.5 },
    });
    const large = Promise.allSettled(groups.map((group) => allReduceIntegers([2 ** 53 - 1], group, { op: "sum" })));
    for (const result of await network.clock.runUntil(large))
      expect(result).toMatchObject({ reason: { code: "E_ARGUMENT" } });
  });

  test("nobody leaves a barrier before the last has come", async () => {
    const { network, groups } = simulate(3);
    const leftAtMs: number[] = [];
    const enter = (rank: number) => barrier(groups[rank]!).then(() => leftAtMs.push(network.clock.nowMs()));
    const early = [enter(0), enter(1)];
    await network.clock.runTo(100);
    expect(leftAtMs).toEqual([]);
    await network.clock.runUntil(Promise.all([...early, enter(2)]));
    expect(Math.min(...leftAtMs)).toBeGreaterThanOrEqual(100);
  });
});
