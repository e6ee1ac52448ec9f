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
