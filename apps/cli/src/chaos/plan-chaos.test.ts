import * as fc from "fast-check";
import { expect, test } from "vitest";
import { planChaos } from "./plan-chaos.js";

test("a seed is a plan: each act with its step and a sentence", () => {
  const plan = planChaos({ seed: 7, workers: 3, startStep: 0, stopStep: 60 });
  expect(plan.map(({ afterStep, sentence }) => `${afterStep}: ${sentence}`)).toMatchInlineSnapshot(`
    [
      "5: freezes worker "local-0" with SIGSTOP for 1.5 s",
      "7: starts one more worker, worker "local-3"",
      "12: kills worker "local-2" with SIGKILL",
      "14: starts worker "local-2" anew: a new process under the old name",
      "19: kills worker "local-3" with SIGKILL",
      "21: starts worker "local-3" anew: a new process under the old name",
      "26: kills worker "local-2" with SIGKILL",
      "31: kills worker "local-0" with SIGKILL",
      "35: freezes worker "local-1" with SIGSTOP for 3.9 s",
      "38: kills worker "local-3" with SIGKILL",
      "40: starts worker "local-0" anew: a new process under the old name",
      "43: freezes worker "local-1" with SIGSTOP for 1.5 s",
      "47: freezes worker "local-0" with SIGSTOP for 3.7 s",
      "51: freezes worker "local-0" with SIGSTOP for 3.5 s",
      "55: kills worker "local-0" with SIGKILL",
      "59: starts worker "local-0" anew: a new process under the old name",
    ]
  `);
  expect(planChaos({ seed: 7, workers: 3, startStep: 0, stopStep: 60 })).toEqual(plan);
  expect(planChaos({ seed: 8, workers: 3, startStep: 0, stopStep: 60 })).not.toEqual(plan);
});

const options = fc.record({
  seed: fc.nat(),
  workers: fc.integer({ min: 2, max: 8 }),
  startStep: fc.nat(1_000),
  numSteps: fc.integer({ min: 1, max: 5_000 }),
});

test("never leaves fewer than one worker, restarts only the dead, and acts within the run, step after step", () => {
  fc.assert(
    fc.property(options, ({ seed, workers, startStep, numSteps }) => {
      const stopStep = startStep + numSteps;
      const alive = new Set(Array.from({ length: workers }, (_, index) => index));
      const dead = new Set<number>();
      let previous = startStep;
      for (const act of planChaos({ seed, workers, startStep, stopStep })) {
        expect(act.afterStep).toBeGreaterThan(previous);
        expect(act.afterStep).toBeLessThan(stopStep);
        previous = act.afterStep;
        if (act.kind === "restart") {
          expect(dead.delete(act.index)).toBe(true);
          alive.add(act.index);
        } else if (act.kind === "join") {
          expect(act.index).toBe(workers);
          expect(alive.has(act.index) || dead.has(act.index)).toBe(false);
          alive.add(act.index);
        } else {
          expect(alive.has(act.index)).toBe(true);
          expect(alive.size).toBeGreaterThanOrEqual(2);
          if (act.kind === "kill") {
            alive.delete(act.index);
            dead.add(act.index);
          } else {
            expect(act.forMs).toBeGreaterThanOrEqual(1_000);
            expect(act.forMs).toBeLessThanOrEqual(4_000);
          }
        }
      }
    }),
  );
});

test("a run of 60 steps sees every kind of act, whatever the seed", () => {
  for (let seed = 0; seed < 200; seed++) {
    const kinds = planChaos({ seed, workers: 3, startStep: 0, stopStep: 60 }).map(({ kind }) => kind);
    expect(new Set(kinds)).toEqual(new Set(["kill", "freeze", "join", "restart"]));
  }
});
