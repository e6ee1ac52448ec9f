import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { cleanUp, readSummary, startLockstep, temporaryFolder } from "./lockstep-process.js";

afterEach(cleanUp);

/** `lockstep run` with two workers, in the middle of a long run. */
async function longLocalRun(out: string) {
  const flags = ["--workers", "2", "--out", out, "--set", "totalSteps=1000000"];
  const run = startLockstep(["run", "tests/e2e/jobs/tiny", ...flags]);
  await run.sees(/^step +\d/m);
  return run;
}

function childrenOf(pid: number): number[] {
  const children = execFileSync("ps", ["-o", "pid=", "--ppid", String(pid)], { encoding: "utf8" });
  return children
    .split("\n")
    .map(Number)
    .filter((child) => child > 0);
}

test("a run whose last worker is killed ends with status 1 and names it; what was trained before is in its checkpoints", async () => {
  const out = join(temporaryFolder(), "run");
  const flags = ["--workers", "1", "--out", out, "--set", "totalSteps=1000000", "--set", "checkpointIntervalSteps=50"];
  const run = startLockstep(["run", "tests/e2e/jobs/tiny", ...flags]);
  await run.sees(/checkpoint of step \d+ is written/);
  const [child] = childrenOf(run.child.pid!);
  process.kill(child!, "SIGKILL");
  const { status, stderr } = await run.ended;

  expect(status).toBe(1);
  expect(stderr).toContain("local-0");
  expect(readSummary(out)).toMatchObject({ status: "failed", error: { code: "E_WORKER_LOST" } });
  expect(readdirSync(join(out, "checkpoints"))).toContain("step-000050");
}, 90_000);

test("Ctrl-C stops after the current step with a checkpoint and status 130, and the workers are gone", async () => {
  const out = join(temporaryFolder(), "run");
  const run = await longLocalRun(out);
  run.child.kill("SIGINT");
  const { status } = await run.ended;

  expect(status).toBe(130);
  const { steps, status: outcome } = readSummary(out);
  expect(outcome).toBe("interrupted");
  expect(readdirSync(join(out, "checkpoints"))).toEqual([`step-${String(steps).padStart(6, "0")}`]);
}, 90_000);

test("the workers of a run that is killed with SIGKILL are gone within five seconds", async () => {
  const out = join(temporaryFolder(), "run");
  const run = await longLocalRun(out);
  const pids = childrenOf(run.child.pid!);
  expect(pids.length).toBeGreaterThanOrEqual(2);
  run.child.kill("SIGKILL");
  await run.ended;

  const isAlive = (pid: number) =>
    existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  const deadlineMs = Date.now() + 5_000;
  while (pids.some(isAlive) && Date.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(pids.filter(isAlive)).toEqual([]);
}, 60_000);
