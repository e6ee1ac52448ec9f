import { afterEach, expect, test } from "vitest";
import { cleanUp } from "../e2e/lockstep-process.js";
import { disturbedRun } from "./lib/disturbed-run.js";

afterEach(cleanUp);

test("a worker that comes late takes part, and the others do not wait for it", async () => {
  let commitsMeanwhile = 0;
  const { violations, summary } = await disturbedRun({ workers: { a: {}, b: {} } }, async (group) => {
    await group.waitForProgress(5);
    const before = group.step;
    await group.addWorker("late");
    await group.waitForMembers(["a", "b", "late"]);
    commitsMeanwhile = group.step - before;
  });
  expect(violations).toEqual([]);
  expect(summary.worldSize).toBe(3);
  expect(commitsMeanwhile).toBeGreaterThan(3);
}, 120_000);

test("a worker that is killed while it joins disturbs nobody", async () => {
  const { violations, summary, events } = await disturbedRun({ workers: { a: {}, b: {} } }, async (group) => {
    await group.waitForProgress(5);
    const { length: from } = group.events();
    await group.addWorker("late");
    await group.waitForEvent("joined", { from });
    group.signal("late", "SIGKILL");
    await group.waitForEvent("left", { from });
    await group.waitForProgress(3);
  });
  expect(violations).toEqual([]);
  expect(summary.worldSize).toBe(2);
  expect(events.filter(({ type }) => type === "left").map(({ name }) => name)).toEqual(["late"]);
}, 120_000);
