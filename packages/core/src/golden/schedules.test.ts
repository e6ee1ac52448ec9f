import { describe, expect, test } from "vitest";
import * as schedules from "../schedules/index.js";
import { readGolden } from "./golden-file.testkit.js";

const { tensors } = readGolden("schedules");

/** The f64 values that a case was stored as. */
function stored(name: string): number[] {
  const { data } = tensors.get(name)!;
  return Array.from({ length: data.length / 2 }, (_, i) => data[2 * i]! + data[2 * i + 1]!);
}

const cases: Readonly<Record<string, schedules.Schedule>> = {
  stepDecay: schedules.stepDecay({ from: 0.3, every: 7, factor: 0.5 }),
  multiStep: schedules.multiStep({ from: 0.3, milestones: [3, 4, 20], factor: 0.3 }),
  exponential: schedules.exponential({ from: 0.3, factor: 0.9 }),
  linear: schedules.linear({ from: 0.3, to: 0.06, steps: 25 }),
  polynomial: schedules.polynomial({ from: 0.3, steps: 30, power: 2.5 }),
  cosine: schedules.cosine({ from: 0.3, to: 0.05, steps: 40 }),
  cosineRestarts: schedules.cosineRestarts({ from: 0.3, to: 0.01, steps: 6, stepsFactor: 2 }),
  cosineRestartsEqual: schedules.cosineRestarts({ from: 0.3, steps: 7 }),
  oneCycle: schedules.oneCycle({ peak: 0.5, steps: 41 }),
  oneCycleLinear: schedules.oneCycle({
    peak: 0.5,
    steps: 41,
    riseShare: 0.4,
    shape: "linear",
    startDivisor: 10,
    endDivisor: 100,
  }),
  sequential: schedules.sequential([schedules.constant(0.03), schedules.exponential({ from: 0.3, factor: 0.9 })], [5]),
  chained: schedules.chained(
    schedules.linear({ from: 0.075, to: 0.3, steps: 8 }),
    schedules.exponential({ from: 1, factor: 0.9 }),
  ),
  inverseSqrt: schedules.inverseSqrt({ peak: 0.3, warmupSteps: 10 }),
};

const plateaus: Readonly<Record<string, schedules.PlateauOptions>> = {
  plateau: { factor: 0.5, patience: 2 },
  plateauCooldown: { factor: 0.5, patience: 1, cooldown: 2, minFactor: 0.1 / 0.3 },
  plateauAbsolute: { factor: 0.2, patience: 3, threshold: 0.3, thresholdMode: "absolute" },
  plateauMax: { factor: 0.5, patience: 2, mode: "max", threshold: 0.05 },
};

describe("schedules against PyTorch", () => {
  test("every golden case has a counterpart here", () => {
    const names = [...Object.keys(cases), ...Object.keys(plateaus), "losses"];
    expect([...tensors.keys()].sort()).toEqual(names.sort());
  });

  test.each(Object.keys(cases))("40 rates of %s", (name) => {
    const expected = stored(name);
    expect(expected.length).toBe(40);
    for (const [step, rate] of expected.entries()) expect(cases[name]!(step)).toBeCloseTo(rate, 13);
  });

  test.each(Object.keys(plateaus))("28 decisions of %s", (name) => {
    const plateau = new schedules.ReduceOnPlateau(plateaus[name]!);
    const expected = stored(name);
    const losses = tensors.get("losses")!.data;
    for (const [i, rate] of expected.entries()) {
      plateau.observe(losses[i]!);
      expect(0.3 * plateau.factor, `after value ${i}`).toBeCloseTo(rate, 13);
    }
    expect(expected.at(-1)).toBeLessThan(0.3);
  });
});
