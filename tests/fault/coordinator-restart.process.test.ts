import { afterEach, expect, test } from "vitest";
import { cleanUp } from "../e2e/lockstep-process.js";
import { disturbedRun, stepMs } from "./lib/disturbed-run.js";
import { pauseIntoStep } from "./lib/wait-until.js";

afterEach(cleanUp);

const workers = { a: {}, b: {}, c: {} };

test("a coordinator killed -9 and restarted with --resume takes its workers back and loses no step", async () => {
  let pids: readonly number[] = [];
  const { violations, summary } = await disturbedRun({ workers, seed: 1, totalSteps: 200 }, async (group, random) => {
    await group.waitForProgress(10);
    await pauseIntoStep(random, stepMs);
    pids = [...group.workers.values()].map(({ pid }) => pid);
    await group.killCoordinator();
    const lost = group.step;
    await group.restartCoordinator();
    await group.waitForStep(lost + 3);
    await group.waitForMembers(["a", "b", "c"]);
    // The same processes: nobody was started anew.
    expect([...group.workers.values()].map(({ pid }) => pid)).toEqual(pids);
    for (const { process } of group.workers.values()) expect(process.child.exitCode).toBe(null);
  });
  expect(violations).toEqual([]);
  expect(summary.worldSize).toBe(3);
}, 120_000);

test("a worker lost while the coordinator is away is not waited for for ever", async () => {
  const { violations } = await disturbedRun({ workers, seed: 2, totalSteps: 200 }, async (group) => {
    await group.waitForProgress(10);
    await group.killCoordinator();
    group.signal("b", "SIGKILL");
    await group.restartCoordinator();
    await group.waitForMembers(["a", "c"], 60_000);
  });
  expect(violations).toEqual([]);
}, 120_000);

test("the coordinator dies twice", async () => {
  const { violations } = await disturbedRun({ workers, seed: 3, totalSteps: 200 }, async (group, random) => {
    for (let round = 0; round < 2; round++) {
      await group.waitForProgress(5);
      await pauseIntoStep(random, stepMs);
      await group.killCoordinator();
      await group.restartCoordinator();
      await group.waitForMembers(["a", "b", "c"]);
    }
  });
  expect(violations).toEqual([]);
}, 120_000);
