import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { cleanUp, runLockstep, temporaryFolder } from "../e2e/lockstep-process.js";
import { findViolations, undisturbed } from "./lib/run-checks.js";

afterEach(cleanUp);

test("lockstep run --chaos heals in front of people, with the bits of the undisturbed run", async () => {
  const folder = temporaryFolder();
  const job = { job: "tests/e2e/jobs/steady", seed: 7, totalSteps: 300 };
  const expected = await undisturbed(job, folder);
  const out = join(folder, "run");
  const flags = ["--workers", "3", "--seed", "7", "--set", "totalSteps=300", "--out", out];
  const { status, stdout } = await runLockstep(["run", job.job, ...flags, "--chaos", "7"], { limitMs: 170_000 });
  expect(status).toBe(0);
  expect(findViolations(out, expected)).toEqual([]);
  const acts = [...stdout.matchAll(/^chaos after step \d+: (\w+)/gm)].map(([, verb]) => verb);
  expect(acts).toEqual(expect.arrayContaining(["kills", "freezes", "starts"]));
}, 180_000);
