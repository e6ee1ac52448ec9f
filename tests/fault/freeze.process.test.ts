import { afterEach, expect, test } from "vitest";
import { cleanUp } from "../e2e/lockstep-process.js";
import { disturbedRun, stepMs } from "./lib/disturbed-run.js";
import { pauseIntoStep } from "./lib/wait-until.js";

afterEach(cleanUp);

test("a frozen worker is suspected, evicted, and taken back when it goes on (SIGSTOP, SIGCONT)", async () => {
  const scenario = { workers: { a: {}, b: {}, c: {} }, seed: 1, totalSteps: 400 };
  const { violations, events, summary } = await disturbedRun(scenario, async (group, random) => {
    await group.waitForProgress(5);
    await pauseIntoStep(random, stepMs);
    const { length: from } = group.events();
    group.signal("b", "SIGSTOP");
    await group.waitForMembers(["a", "c"]);
    const reasons = group.events().slice(from);
    expect(reasons.some((event) => event.type === "suspect" && event.name === "b")).toBe(true);
    group.signal("b", "SIGCONT");
    await group.waitForMembers(["a", "b", "c"]);
  });
  expect(violations).toEqual([]);
  expect(summary.worldSize).toBe(3);
  // It keeps its identity: every generation that has it has the same workerId.
  const ids = events
    .filter(({ type }) => type === "generation")
    .flatMap(({ members }) => members as { name: string; workerId: string }[])
    .filter(({ name }) => name === "b")
    .map(({ workerId }) => workerId);
  expect(new Set(ids).size).toBe(1);
}, 120_000);

test("all workers but one are frozen at once: the one goes on alone", async () => {
  const scenario = { workers: { a: {}, b: {}, c: {} }, seed: 2, totalSteps: 400 };
  const { violations } = await disturbedRun(scenario, async (group) => {
    await group.waitForProgress(5);
    group.signal("a", "SIGSTOP");
    group.signal("c", "SIGSTOP");
    await group.waitForMembers(["b"]);
    group.signal("a", "SIGCONT");
    group.signal("c", "SIGCONT");
    await group.waitForMembers(["a", "b", "c"]);
  });
  expect(violations).toEqual([]);
}, 120_000);
