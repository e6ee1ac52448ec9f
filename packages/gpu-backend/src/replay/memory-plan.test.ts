import fc from "fast-check";
import { expect, test } from "vitest";
import { type PlannedTensor, planMemory } from "./memory-plan.js";

const tensor = (byteLength: number, first: number, last: number): PlannedTensor => ({ byteLength, first, last });

test("tensors that follow one another share a slot, those that overlap do not", () => {
  expect(planMemory([tensor(100, 0, 1), tensor(100, 2, 3), tensor(60, 3, 5)])).toEqual({
    slots: [100, 60],
    slotOf: [0, 0, 1],
  });
  // An event reads the one and writes the other: they are used at once.
  expect(planMemory([tensor(8, 0, 2), tensor(8, 2, 4)]).slots).toEqual([8, 8]);
});

test("a smaller tensor goes into the smallest slot that is free", () => {
  const plan = planMemory([tensor(10, 5, 6), tensor(1_000, 0, 1), tensor(20, 0, 1)]);
  expect(plan).toEqual({ slots: [1_000, 20], slotOf: [1, 0, 1] });
});

test("nothing needs no memory", () => {
  expect(planMemory([])).toEqual({ slots: [], slotOf: [] });
});

test("no two tensors of a slot are used at once, every one fits, and a plan takes no more than no plan", () => {
  const tensors = fc.array(
    fc.record({ byteLength: fc.integer({ min: 1, max: 50 }), first: fc.nat(30), length: fc.nat(6) }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(tensors, (list) => {
      const planned = list.map(({ byteLength, first, length }) => tensor(byteLength, first, first + length));
      const { slots, slotOf } = planMemory(planned);
      for (const [i, a] of planned.entries()) {
        expect(slots[slotOf[i]!]).toBeGreaterThanOrEqual(a.byteLength);
        for (const [j, b] of planned.entries()) {
          if (i < j && slotOf[i] === slotOf[j]) expect(a.last < b.first || b.last < a.first).toBe(true);
        }
      }
      const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
      expect(sum(slots)).toBeLessThanOrEqual(sum(planned.map(({ byteLength }) => byteLength)));
      expect(planMemory(planned)).toEqual({ slots, slotOf });
    }),
  );
});
