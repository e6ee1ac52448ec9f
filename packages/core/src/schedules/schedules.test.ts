import { describe, expect, test } from "vitest";
import {
  chained,
  constant,
  cosine,
  cosineRestarts,
  decidePlateau,
  exponential,
  initialPlateauState,
  inverseSqrt,
  linear,
  multiStep,
  oneCycle,
  polynomial,
  ReduceOnPlateau,
  sequential,
  stepDecay,
  warmup,
  warmupStableDecay,
} from "./index.js";

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

  test("warmupStableDecay climbs, stays and falls in equal parts", () => {
    const schedule = warmupStableDecay({ peak: 1, to: 0.5, warmupSteps: 3, stableSteps: 2, decaySteps: 2 });
    expect(firstSteps(schedule, 9)).toEqual([0.25, 0.5, 0.75, 1, 1, 1, 0.75, 0.5, 0.5]);
  });
  test("a warm-up stands before any schedule", () => {
    const schedule = warmup(stepDecay({ from: 1, every: 2, factor: 0.5 }), { warmupSteps: 1 });
    expect(firstSteps(schedule, 6)).toEqual([0.5, 1, 1, 0.5, 0.5, 0.25]);
  });
  test("cosineRestarts begins again from the top, each wave longer", () => {
    const schedule = cosineRestarts({ from: 2, to: 1, steps: 2, stepsFactor: 3 });
    expect([0, 1, 2, 5, 8, 17, 26].map(schedule)).toEqual(
      [2, 1.5, 2, 1.5, 2, 1.5, 2].map((v) => expect.closeTo(v, 12)),
    );
  });
  test("oneCycle and polynomial stay at their last value", () => {
    const cycle = oneCycle({ peak: 1, steps: 10, startDivisor: 10, endDivisor: 10 });
    expect([cycle(9), cycle(10), cycle(1000)]).toEqual([0.01, 0.01, 0.01]);
    expect(polynomial({ from: 1, to: 0.25, steps: 2, power: 2 })(7)).toBe(0.25);
  });
  test("the state of a plateau goes on where it was saved", () => {
    const options = { patience: 1, factor: 0.5, cooldown: 1 };
    const values = [3, 3, 3, 3, 3, 2, 2, 2];
    const whole = new ReduceOnPlateau(options);
    const reduced = values.map((value) => whole.observe(value).isReduced);
    expect(reduced).toEqual([false, false, true, false, false, false, false, true]);
    const first = new ReduceOnPlateau(options);
    for (const value of values.slice(0, 4)) first.observe(value);
    const second = new ReduceOnPlateau(options);
    second.restore(JSON.parse(JSON.stringify(first.state())));
    for (const value of values.slice(4)) second.observe(value);
    expect(second.state()).toEqual(whole.state());
    expect(second.factor).toBe(0.25);
  });
  test("a state that is none is refused", () => {
    for (const state of [null, {}, { factor: 1, best: "3", numBad: 0, cooldownLeft: 0 }]) {
      expect(() => new ReduceOnPlateau().restore(state)).toThrow(expect.objectContaining({ code: "E_FORMAT" }));
    }
  });

  test.each([
    {
      make: () => stepDecay({ from: 1, every: 0 }),
      message: "stepDecay: every is 0; it must be a whole number of at least 1.",
    },
    {
      make: () => multiStep({ from: 1, milestones: [4, 2] }),
      message:
        "multiStep: milestones are [4, 2]; they must be whole numbers of at least 0, each above the one before. Sort them.",
    },
    {
      make: () => sequential([constant(1)], [3]),
      message:
        "sequential: there are 1 schedules and 1 milestones; there must be one milestone between two schedules, and at least one schedule.",
    },
    { make: () => chained(), message: "chained: there is no schedule; there must be at least one." },
    {
      make: () => polynomial({ from: 1, steps: 3, power: 0 }),
      message: "polynomial: power is 0; it must be finite and above 0.",
    },
    {
      make: () => cosineRestarts({ from: 1, steps: 3, stepsFactor: 1.5 }),
      message: "cosineRestarts: stepsFactor is 1.5; it must be a whole number of at least 1.",
    },
    {
      make: () => oneCycle({ peak: 1, steps: 3, riseShare: 0.3 }),
      message:
        "oneCycle: riseShare is 0.3 of 3 steps; it must be in (0, 1) and cover more than one step. Raise riseShare or steps.",
    },
    {
      make: () => inverseSqrt({ peak: -1, warmupSteps: 3 }),
      message: "inverseSqrt: peak is -1; it must be a finite number of at least 0.",
    },
    {
      make: () => warmupStableDecay({ peak: 1, warmupSteps: 1, stableSteps: -2, decaySteps: 1 }),
      message: "warmupStableDecay: stableSteps is -2; it must be a whole number of at least 0.",
    },
    {
      make: () => multiStep({ from: 1, milestones: [] })(-3),
      message: "multiStep: step is -3; it must be a whole number of at least 0.",
    },
    {
      make: () => new ReduceOnPlateau({ patience: -1 }),
      message: "plateau: patience is -1; it must be a whole number of at least 0.",
    },
    {
      make: () => decidePlateau(initialPlateauState, NaN),
      message: "plateau: the value is NaN; it must be finite. Look at the evaluation.",
    },
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
