import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mergePlanOf, sumOverPlan } from "./merge-plan.js";
import { nodesOf, type TreeShape, treeShape, treeSum } from "./tree-shape.js";

/** The additions as text: another order is another text. */
const inWords = (values: readonly string[]): string => treeSum(values, (left, right) => `(${left}${right})`);

describe("treeSum", () => {
  test.each([
    [1, "a"],
    [2, "(ab)"],
    [3, "((ab)c)"],
    [5, "(((ab)(cd))e)"],
    [6, "(((ab)(cd))(ef))"],
    [7, "(((ab)(cd))((ef)g))"],
  ])("of %i values adds %s", (count, expected) => {
    expect(inWords([..."abcdefg"].slice(0, count))).toBe(expected);
  });

  test("adds as the tree shape says, for every number of micro-batches", () => {
    const write = (shape: TreeShape): string =>
      shape.left === undefined ? `${shape.lo},` : `(${write(shape.left)}${write(shape.right!)})`;
    for (let count = 1; count <= 70; count++) {
      expect(inWords(Array.from({ length: count }, (_, i) => `${i},`))).toBe(write(treeShape(count)));
    }
  });

  test("holds at most floor(log2 k) + 1 values", () => {
    let held = 0;
    let most = 0;
    const values = (function* () {
      for (let i = 0; i < 100; i++) {
        most = Math.max(most, ++held);
        yield 1;
      }
    })();
    treeSum(values, (a, b) => {
      held--;
      return a + b;
    });
    expect(most).toBeLessThanOrEqual(7);
  });

  test("of nothing is an error", () => {
    expect(() => treeSum([], (a: number, b) => a + b)).toThrow(expect.objectContaining({ code: "E_ARGUMENT" }));
  });
});

describe("nodesOf", () => {
  test.each([
    [0, 8, 8, "0-8"],
    [0, 3, 8, "0-2 2-3"],
    [3, 8, 8, "3-4 4-8"],
    [1, 7, 8, "1-2 2-4 4-6 6-7"],
    [4, 6, 6, "4-6"],
    [2, 2, 4, ""],
  ])("of [%i, %i) in %i micro-batches are %s", (lo, hi, count, expected) => {
    expect(
      nodesOf(lo, hi, count)
        .map((node) => `${node.lo}-${node.hi}`)
        .join(" "),
    ).toBe(expected);
  });

  test("refuses a range outside the grid", () => {
    expect(() => nodesOf(2, 9, 8)).toThrow(
      expect.objectContaining({ code: "E_ARGUMENT", fields: { lo: 2, hi: 9, numMicroBatches: 8 } }),
    );
  });
});

describe("mergePlanOf", () => {
  const cover = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.array(fc.nat({ max: 40 }), { maxLength: 7 }));

  test("sums the nodes of any contiguous assignment as the whole tree does, to the bit", () => {
    fc.assert(
      fc.property(cover, ([count, rawCuts]) => {
        const cuts = [0, ...rawCuts.map((cut) => cut % (count + 1)).sort((a, b) => a - b), count];
        const nodesByRank = cuts.slice(1).map((hi, rank) => nodesOf(cuts[rank]!, hi, count));
        const values = Array.from({ length: count }, (_, i) => 2 ** ((i * 7) % 31) / 3 + i);
        const plan = mergePlanOf(count, nodesByRank);
        const leafSums = plan.leaves.map(({ lo, hi }) => treeSum(values.slice(lo, hi), (a, b) => a + b));
        expect(sumOverPlan(plan, leafSums)).toBe(treeSum(values, (a, b) => a + b));
      }),
      { seed: 41 },
    );
  });

  test.each([
    ["a gap", [[{ lo: 0, hi: 2 }], [{ lo: 3, hi: 4 }]]],
    ["an overlap", [[{ lo: 0, hi: 4 }], [{ lo: 2, hi: 4 }]]],
    ["a range that is no node", [[{ lo: 0, hi: 3 }], [{ lo: 3, hi: 4 }]]],
    ["one node twice", [[{ lo: 0, hi: 4 }], [{ lo: 0, hi: 4 }]]],
  ])("refuses %s", (_what, nodesByRank) => {
    expect(() => mergePlanOf(4, nodesByRank)).toThrow(expect.objectContaining({ code: "E_COVER" }));
  });
});
