import { afterEach, expect, test } from "vitest";
import { cleanUp } from "../e2e/lockstep-process.js";
import { disturbedRun, stepMs } from "./lib/disturbed-run.js";
import { pauseIntoStep } from "./lib/wait-until.js";

afterEach(cleanUp);

const three = { a: {}, b: {}, c: {} };

test.each([1, 2, 3, 4, 5])(
  "kill -9 of one of three at a random moment of a step costs time only (seed %i)",
  async (seed) => {
    let victim = "";
    const { violations, events, summary } = await disturbedRun({ workers: three, seed }, async (group, random) => {
      victim = ["a", "b", "c"][random.integer(3)]!;
      await group.waitForProgress(2 + random.integer(10));
      await pauseIntoStep(random, stepMs);
      group.signal(victim, "SIGKILL");
      await group.waitForMembers([...group.workers.keys()]);
    });
    expect(violations).toEqual([]);
    expect(summary.worldSize).toBe(2);
    expect(events.filter(({ type, name }) => type === "left" && name === victim)).toHaveLength(1);
  },
  120_000,
);

test("two of three are killed in turn and one comes anew: the bits are those of the undisturbed run", async () => {
  const { violations, summary } = await disturbedRun(
    { workers: three, seed: 6, totalSteps: 250 },
    async (group, random) => {
      await group.waitForProgress(5);
      for (const [victim, left] of [
        ["b", ["a", "c"]],
        ["a", ["c"]],
      ] as const) {
        await pauseIntoStep(random, stepMs);
        group.signal(victim, "SIGKILL");
        await group.waitForMembers(left);
      }
      await group.addWorker("d");
      await group.waitForMembers(["c", "d"]);
    },
  );
  expect(violations).toEqual([]);
  expect(summary.worldSize).toBe(2);
}, 120_000);

test("below --min-workers the run waits, says so, and goes on when one comes", async () => {
  const { violations, events } = await disturbedRun({ workers: three, minWorkers: 3, seed: 7 }, async (group) => {
    await group.waitForProgress(5);
    const { length: from } = group.events();
    group.signal("b", "SIGKILL");
    await group.waitForEvent("waiting", { from, reason: "--min-workers" });
    const { step } = group;
    await group.addWorker("d");
    await group.waitForMembers(["a", "c", "d"]);
    expect(group.step).toBeGreaterThan(step);
  });
  expect(violations).toEqual([]);
  expect(events.filter(({ type }) => type === "failed")).toEqual([]);
}, 120_000);

test.each([
  ["the last checkpoint", ["checkpointIntervalSteps=10"], 10],
  ["the beginning, where there is no checkpoint", [], 0],
])(
  "all workers are killed at once: a new one goes on from %s, and the coordinator is not restarted",
  async (_, set, interval) => {
    let pid = 0;
    let lostStep = 0;
    const scenario = { workers: { a: {}, b: {} }, seed: 8, set };
    const { violations, events, summary } = await disturbedRun(scenario, async (group) => {
      pid = group.coordinatorPid;
      await group.waitForStep(25);
      for (const name of ["a", "b"]) group.signal(name, "SIGKILL");
      const { awaited } = await group.waitForEvent("waiting", { reason: "may come back with it" });
      expect(awaited).toHaveLength(2);
      lostStep = group.step;
      await group.addWorker("c");
      await group.waitForMembers(["c"]);
      expect(group.coordinatorPid).toBe(pid);
    });
    expect(violations).toEqual([]);
    expect(summary.worldSize).toBe(1);
    const { step, lostSteps } = events.find(({ type }) => type === "resumed")!;
    expect(step % Math.max(1, interval)).toBe(0);
    expect(step > 0).toBe(interval > 0);
    expect(step + Number(lostSteps)).toBe(lostStep);
  },
  120_000,
);
