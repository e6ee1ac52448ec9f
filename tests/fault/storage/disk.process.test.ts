/** A disk that is full for a while: the coordinator's process may not make files longer than so much, by the kernel's word. */
import { execFileSync } from "node:child_process";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { verifyCheckpoint } from "@lockstep/coordinator/node";
import { afterEach, expect, test } from "vitest";
import { cleanUp } from "../../e2e/lockstep-process.js";
import { disturbedRun } from "../lib/disturbed-run.js";
import type { TrainingGroup } from "../lib/training-group.js";
import { pause } from "../lib/wait-until.js";

afterEach(cleanUp);

const hasFileLimits = process.platform === "linux";
const workers = { a: {}, b: {} };

/** @param bytes that a file may have from now on. */
function limitFiles(group: TrainingGroup, bytes: number | "unlimited"): void {
  execFileSync("prlimit", ["--pid", String(group.coordinatorPid), `--fsize=${bytes}:unlimited`]);
}

/** The newest checkpoint on disk is whole. @returns its step. */
async function newestCheckpoint(group: TrainingGroup): Promise<number> {
  const { step } = group.events().findLast(({ type }) => type === "checkpoint")!;
  const folder = join(group.out, "checkpoints", `step-${String(stepOf(group)).padStart(6, "0")}`);
  expect((await verifyCheckpoint(folder)).step).toBe(stepOf(group));
  return step;
}

/** Of the last checkpoint that was said to be written. */
function stepOf(group: TrainingGroup): number {
  const { reason } = group.events().findLast(({ type }) => type === "checkpoint")!;
  return Number(/of step (\d+)/.exec(String(reason))![1]);
}

test.skipIf(!hasFileLimits)(
  "no room for a checkpoint is told with its reason, the run goes on, and the older one can be used",
  async () => {
    let failure = "";
    const set = ["checkpointIntervalSteps=10", "width=200"];
    const { violations, events } = await disturbedRun({ workers, set, totalSteps: 120 }, async (group) => {
      await group.waitForEvent("checkpoint");
      // Lines fit, states do not.
      limitFiles(group, 150_000);
      failure = String((await group.waitForEvent("checkpointFailed")).reason);
      await newestCheckpoint(group);
      const { length: from } = group.events();
      await group.waitForProgress(3);
      limitFiles(group, "unlimited");
      await group.waitForEvent("checkpoint", { from });
      await newestCheckpoint(group);
    });
    expect(failure).toMatch(/checkpoint of step \d+ was not written: .*(EFBIG|took \d+ of \d+ bytes)/);
    expect(failure).toContain("the run goes on");
    expect(violations).toEqual([]);
    expect(events.findLast(({ type }) => type === "checkpoint")!.step).toBe(120);
  },
  120_000,
);

test.skipIf(!hasFileLimits)(
  "no room for anything: metrics and events of that time are written when there is room again, none is lost or torn",
  async () => {
    let span: readonly [number, number] = [0, 0];
    const set = ["checkpointIntervalSteps=10"];
    const { violations, events, output } = await disturbedRun({ workers, set, totalSteps: 200 }, async (group) => {
      await group.waitForEvent("checkpoint");
      limitFiles(group, 0);
      span = [Date.now(), Date.now() + 1_500];
      await pause(1_500);
      limitFiles(group, "unlimited");
      await group.waitForProgress(3);
    });
    expect(violations).toEqual([]);
    const [fromMs, toMs] = span;
    const during = events.filter(({ time }) => Date.parse(String(time)) > fromMs && Date.parse(String(time)) < toMs);
    expect(during.filter(({ type }) => type === "commit").length).toBeGreaterThan(3);
    expect(during.map(({ type }) => type)).toContain("checkpointFailed");
    expect(output).toContain("events.jsonl could not be written: EFBIG");
    expect(output).toContain("events.jsonl can be written again, and has all its lines");
  },
  120_000,
);

test("a folder that cannot be written at all: each checkpoint's failure is told, and the run goes on when it can", async () => {
  const set = ["checkpointIntervalSteps=10"];
  let stored = 0;
  const { violations, events } = await disturbedRun({ workers, set, totalSteps: 200 }, async (group) => {
    await group.waitForEvent("checkpoint");
    stored = stepOf(group);
    const folder = join(group.out, "checkpoints");
    renameSync(folder, `${folder}-away`);
    writeFileSync(folder, "a file where the folder should be");
    const { length: from } = group.events();
    await group.waitForEvent("checkpointFailed", { from });
    await group.waitForProgress(3);
    rmSync(folder);
    renameSync(`${folder}-away`, folder);
    await newestCheckpoint(group);
    await group.waitForEvent("checkpoint", { from: group.events().length });
  });
  expect(violations).toEqual([]);
  const failures = events.filter(({ type }) => type === "checkpointFailed");
  expect(failures.length).toBeGreaterThan(0);
  for (const { reason } of failures) expect(String(reason)).toMatch(/(ENOTDIR|EEXIST).*the run goes on/);
  expect(stored).toBeGreaterThan(0);
}, 120_000);
