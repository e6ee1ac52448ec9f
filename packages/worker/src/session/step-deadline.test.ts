import { expect, test } from "vitest";
import { StepDeadline } from "./step-deadline.js";

test("L7 the first step has the named limit, later ones a multiple of the slowest recent step", () => {
  const deadline = new StepDeadline({ firstStepMs: 600_000, minStepMs: 1_000 });
  expect(deadline.nextMs()).toBe(600_000);
  deadline.record(10);
  expect(deadline.nextMs()).toBe(1_000);
  deadline.record(400);
  expect(deadline.nextMs()).toBe(8_000);
  for (let i = 0; i < 16; i++) deadline.record(100);
  expect(deadline.nextMs()).toBe(2_000);
  deadline.reset();
  expect(deadline.nextMs()).toBe(600_000);
});
