import { describe, expect, test } from "vitest";
import { constant, cosine, exponential, linear, warmup } from "./index.js";

const firstSteps = (schedule: (step: number) => number, count: number) =>
  Array.from({ length: count }, (_, i) => schedule(i));

describe("schedules", () => {
  test("constant never changes", () => {
    expect(firstSteps(constant(0.3), 3)).toEqual([0.3, 0.3, 0.3]);
  });
  test("linear goes down in equal parts and stays at its end", () => {
    expect(firstSteps(linear({ from: 1, to: 0.2, steps: 4 }), 6)).toEqual([1, 0.8, 0.6, 0.3999999999999999, 0.2, 0.2]);
  });
  test("cosine is flat at both ends and half way in the middle", () => {
    const schedule = cosine({ from: 3, to: 1, steps: 100 });
    expect(schedule(0)).toBe(3);
    expect(schedule(50)).toBeCloseTo(2, 12);
    expect(schedule(25)).toBeCloseTo(1 + 2 * 0.5 * (1 + Math.cos(Math.PI / 4)), 12);
    expect([schedule(100), schedule(1000)]).toEqual([1, 1]);
    expect(cosine({ from: 1, steps: 4 })(4)).toBe(0);
  });
  test("exponential multiplies by its factor every `steps` steps", () => {
    expect(firstSteps(exponential({ from: 8, factor: 0.5 }), 4)).toEqual([8, 4, 2, 1]);
    expect(exponential({ from: 1, factor: 0.25, steps: 2 })(1)).toBe(0.5);
  });
  test("warmup climbs to the first value of the inner schedule and then gives it its own steps", () => {
    const schedule = warmup(linear({ from: 1, to: 0, steps: 2 }), { warmupSteps: 3 });
    expect(firstSteps(schedule, 7)).toEqual([0.25, 0.5, 0.75, 1, 0.5, 0, 0]);
    expect(warmup(constant(2), { warmupSteps: 0 })(0)).toBe(2);
  });

  test.each([
    { make: () => constant(-1), message: "constant: learningRate is -1; it must be a finite number of at least 0." },
    {
      make: () => linear({ from: NaN, to: 0, steps: 1 }),
      message: "linear: from is NaN; it must be a finite number of at least 0.",
    },
    {
      make: () => cosine({ from: 1, steps: 0 }),
      message: "cosine: steps is 0; it must be a whole number of at least 1.",
    },
    { make: () => exponential({ from: 1, factor: 1.5 }), message: "exponential: factor is 1.5; it must be in (0, 1]." },
    {
      make: () => warmup(constant(1), { warmupSteps: -1 }),
      message: "warmup: warmupSteps is -1; it must be a whole number of at least 0.",
    },
    {
      make: () => cosine({ from: 1, steps: 2 })(-1),
      message: "cosine: step is -1; it must be a whole number of at least 0.",
    },
    {
      make: () => exponential({ from: 1, factor: 1 })(0.5),
      message: "exponential: step is 0.5; it must be a whole number of at least 0.",
    },
  ])("says: $message", ({ make, message }) => {
    expect(make).toThrow(expect.objectContaining({ name: "ValueError", message }));
  });
});
