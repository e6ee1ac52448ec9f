import fc from "fast-check";
import { expect, test } from "vitest";
import { assignEvaluation, assignMicroBatches } from "./assign-micro-batches.js";
import { nodesOfRange, treeMean, treeSum } from "./tree-nodes.js";

function equal(numWorkers: number): number[] {
  return new Array(numWorkers).fill(1);
}

test("every assignment is a disjoint cover by tree nodes, at most three a worker, at least one each", () => {
  for (let numWorkers = 1; numWorkers <= 9; numWorkers++) {
    for (let numMicroBatches = numWorkers; numMicroBatches <= 40; numMicroBatches++) {
      const nodesByRank = assignMicroBatches({ numMicroBatches, microBatchMs: equal(numWorkers) });
      const where = `N ${numWorkers} M ${numMicroBatches}`;
      expect(nodesByRank.length, where).toBe(numWorkers);
      let next = 0;
      for (const nodes of nodesByRank) {
        expect(nodes.length, where).toBeGreaterThanOrEqual(1);
        expect(nodes.length, where).toBeLessThanOrEqual(3);
        for (const [lo, hi] of nodes) {
          expect(lo, where).toBe(next);
          expect(nodesOfRange([lo, hi], numMicroBatches), where).toEqual([[lo, hi]]);
          next = hi;
        }
      }
      expect(next, where).toBe(numMicroBatches);
    }
  }
});

test("the cover holds for unequal workers as well, and nobody who is slower gets more", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 9 }),
      (numMicroBatches, microBatchMs) => {
        fc.pre(microBatchMs.length <= numMicroBatches);
        const flat = assignMicroBatches({ numMicroBatches, microBatchMs }).flat();
        expect(flat[0]![0]).toBe(0);
        expect(flat.at(-1)![1]).toBe(numMicroBatches);
        for (let i = 1; i < flat.length; i++) expect(flat[i]![0]).toBe(flat[i - 1]![1]);
      },
    ),
    { seed: 7 },
  );
});

test("equal workers differ by at most one micro-batch where three nodes allow it, and hold one node where the grid allows it", () => {
  expect(assignMicroBatches({ numMicroBatches: 8, microBatchMs: equal(2) })).toEqual([[[0, 4]], [[4, 8]]]);
  expect(assignMicroBatches({ numMicroBatches: 8, microBatchMs: equal(4) })).toEqual([
    [[0, 2]],
    [[2, 4]],
    [[4, 6]],
    [[6, 8]],
  ]);
  const sizes = assignMicroBatches({ numMicroBatches: 8, microBatchMs: equal(3) }).map((nodes) =>
    nodes.reduce((sum, [lo, hi]) => sum + hi - lo, 0),
  );
  expect(Math.max(...sizes)).toBe(3);
});

test("a worker twice as fast takes twice as many", () => {
  const [slow, fast] = assignMicroBatches({ numMicroBatches: 12, microBatchMs: [2, 1] });
  expect(slow!.reduce((sum, [lo, hi]) => sum + hi - lo, 0)).toBe(4);
  expect(fast!.reduce((sum, [lo, hi]) => sum + hi - lo, 0)).toBe(8);
});

test("more workers than micro-batches is an error that says to keep spares", () => {
  expect(() => assignMicroBatches({ numMicroBatches: 2, microBatchMs: equal(3) })).toThrow(/3 workers for 2/);
});

test("a large grid is cut quickly and still covered", () => {
  const flat = assignMicroBatches({ numMicroBatches: 4096, microBatchMs: equal(7) }).flat();
  expect(flat.reduce((sum, [lo, hi]) => sum + hi - lo, 0)).toBe(4096);
});

test("an evaluation grid smaller than the group leaves ranks without work", () => {
  expect(assignEvaluation(2, 3)).toEqual([null, [0, 1], [1, 2]]);
  expect(assignEvaluation(7, 2)).toEqual([
    [0, 3],
    [3, 7],
  ]);
});

test("tree sums are taken in tree order, not from left to right", () => {
  const values = [1, 1e16, -1e16, 1, 1];
  expect(treeSum(values)).toBe(1 + 1e16 + (-1e16 + 1) + 1);
  expect(treeSum(values)).not.toBe(values.reduce((a, b) => a + b));
});

test("a mean over the grid needs every micro-batch exactly once and some weight", () => {
  expect(
    treeMean(
      [
        [1, 6, 2],
        [0, 2, 2],
      ],
      2,
    ),
  ).toEqual({ mean: 2, weight: 4 });
  expect(treeMean([[0, 2, 2]], 2)).toBeUndefined();
  expect(
    treeMean(
      [
        [0, 2, 2],
        [0, 2, 2],
      ],
      2,
    ),
  ).toBeUndefined();
  expect(treeMean([[0, 0, 0]], 1)).toBeUndefined();
});
