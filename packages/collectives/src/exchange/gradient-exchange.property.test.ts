import fc from "fast-check";
import { expect, test } from "vitest";
import { assertReduction, type ReductionCase, reductionInput, runRank } from "../testing/reduction-case.js";
import { createSimGroups } from "../testing/sim-group.js";
import { SimNetwork } from "../testing/sim-network.js";

async function reduceOnSim(options: ReductionCase) {
  const network = new SimNetwork({ seed: options.seed });
  const groups = createSimGroups(network, { worldSize: options.worldSize });
  const input = reductionInput(options);
  const results = await network.clock.runUntil(Promise.all(groups.map((group) => runRank(group, options, input))));
  assertReduction(input, results);
  return results;
}

const cases: fc.Arbitrary<ReductionCase> = fc
  .record({
    seed: fc.nat(),
    worldSize: fc.integer({ min: 1, max: 8 }),
    numMicroBatches: fc.integer({ min: 1, max: 17 }),
  })
  .chain(({ seed, worldSize, numMicroBatches }) =>
    fc.record({
      seed: fc.constant(seed),
      worldSize: fc.constant(worldSize),
      numMicroBatches: fc.constant(numMicroBatches),
      length: fc.constantFrom(0, 1, worldSize - 1, 7, 97, 257, 1009),
      bucketElements: fc.constantFrom(16, 100, 512, 4096),
      maxFrameBytes: fc.constantFrom(88 + 64, 88 + 400, 88 + 65_536),
      ringAbove: fc.constantFrom(1, 8),
    }),
  );

// fast-check prints seed and path of a failing case: give both to fc.assert to replay it.
test("all ranks hold the tree oracle's bits for any group, grid, length, cut and arrival order", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (options) => {
      await reduceOnSim(options);
    }),
    { numRuns: 150, seed: 20_261_124 },
  );
});

test("the same seed gives the same schedule", async () => {
  const options = { seed: 5, worldSize: 4, numMicroBatches: 9, length: 1009, bucketElements: 100 };
  const [first, second] = [await reduceOnSim(options), await reduceOnSim(options)];
  expect(first.map((result) => result.timings)).toEqual(second.map((result) => result.timings));
  const other = await reduceOnSim({ ...options, seed: 6 });
  expect(other.map((result) => result.timings)).not.toEqual(first.map((result) => result.timings));
});
