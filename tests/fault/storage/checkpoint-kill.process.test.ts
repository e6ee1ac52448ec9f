import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { verifyCheckpoint } from "@lockstep/coordinator/node";
import { afterEach, expect, test } from "vitest";
import { cleanUp, temporaryFolder } from "../../e2e/lockstep-process.js";
import { findViolations, undisturbed } from "../lib/run-checks.js";
import { TrainingGroup } from "../lib/training-group.js";

afterEach(cleanUp);

/** A save makes some seven changes, the removal of an old checkpoint three more. */
const places = [1, 4, 5, 8, 11, 14, 17];

test("a coordinator killed -9 in the middle of saving or removing a checkpoint is resumed, at whatever write it died", async () => {
  const folder = temporaryFolder();
  const set = ["checkpointIntervalSteps=4", "keepCheckpoints=2"];
  const job = { job: "tests/e2e/jobs/steady", seed: 7, totalSteps: 150, set };
  const expected = await undisturbed(job, folder);
  const [first, ...rest] = places;
  const group = await TrainingGroup.start({
    ...job,
    out: join(folder, "run"),
    minWorkers: 1,
    limitMs: 300_000,
    killAtWrite: first!,
  });
  try {
    await group.addWorker("a");
    for (const place of [...rest, undefined]) {
      // It dies by its own hand, at the write that was named.
      expect(await group.coordinatorEnd()).toBe("SIGKILL");
      await group.restartCoordinator({ killAtWrite: place });
      const { checkpointsDir } = group;
      const names = existsSync(checkpointsDir) ? readdirSync(checkpointsDir) : [];
      // What a crash left is mended before anybody can join, and each checkpoint is whole.
      expect(names.filter((name) => name.startsWith("."))).toEqual([]);
      for (const name of names) await verifyCheckpoint(join(checkpointsDir, name));
    }
    await group.finish();
    expect(findViolations(group.out, expected)).toEqual([]);
    expect(readdirSync(group.checkpointsDir).filter((name) => name.startsWith("step-"))).toHaveLength(2);
  } finally {
    await group.dispose();
  }
}, 300_000);
