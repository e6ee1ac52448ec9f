import { expect, test } from "vitest";
import { assertPlanFits, formatMemoryPlan, maxNodeVectors, memoryPlan } from "./memory-plan.js";

const needs = {
  parameterBytes: 4 << 20,
  bufferBytes: 0,
  optimizerBytes: 8 << 20,
  vectorBytes: 4 << 20,
  numMicroBatches: 4,
  activationBytes: 6 << 20,
  maxBytes: 64 << 20,
};

test("a worker holds at most a stack and two finished nodes", () => {
  expect([1, 2, 3, 4, 8, 16].map(maxNodeVectors)).toEqual([1, 2, 3, 4, 6, 7]);
});

test("the plan adds up what stands in memory at once", () => {
  const plan = memoryPlan(needs);
  expect(plan.totalBytes).toBe((4 + 8 + 4 * 4 + 4 + 6) << 20);
  expect(plan.fits).toBe(true);
  expect(formatMemoryPlan(plan)).toMatchInlineSnapshot(`
    "  parameters               4.0 MiB  f32
      buffers                  0.0 MiB  f32
      optimizer state          8.0 MiB  one vector a moment
      node sums               16.0 MiB  4 vectors for 4 micro-batches
      reduced gradient         4.0 MiB  second buffer of the exchange
      one micro-batch          6.0 MiB  activations and gradients, measured by the probe
      all                     38.0 MiB  of 64.0 MiB"
  `);
});

test("a plan that does not fit is an error with the table", () => {
  const plan = memoryPlan({ ...needs, maxBytes: 30 << 20 });
  expect(() => assertPlanFits(plan)).toThrow(
    expect.objectContaining({
      code: "E_MEMORY_PLAN",
      fields: expect.objectContaining({ totalBytes: 38 << 20, maxBytes: 30 << 20 }),
      message: expect.stringContaining("node sums"),
    }),
  );
});
