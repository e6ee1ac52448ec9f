import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { cleanUp, readLines, readSummary, startLockstep, temporaryFolder } from "./lockstep-process.js";

afterEach(cleanUp);

/** A coordinator and two workers of their own, in the middle of a long run. */
async function trainingPair(out: string) {
  const env = { ...process.env, LOCKSTEP_TOKEN: "a-token-of-the-test" };
  const job = ["tests/e2e/jobs/tiny", "--port", "0", "--min-workers", "2", "--set", "totalSteps=1000000"];
  const coordinator = startLockstep(["coordinator", ...job, "--out", out], { env });
  const [url] = await coordinator.sees(/ws:\/\/127\.0\.0\.1:\d+/);
  const survivor = startLockstep(["worker", url, "--name", "survivor"], { env });
  const victim = startLockstep(["worker", url, "--name", "victim"], { env });
  await coordinator.sees(/^step +\d/m);
  return { coordinator, survivor, victim };
}

/** `lockstep run` with two workers, in the middle of a long run. */
async function longLocalRun(out: string) {
  const flags = ["--workers", "2", "--out", out, "--set", "totalSteps=1000000"];
  const run = startLockstep(["run", "tests/e2e/jobs/tiny", ...flags]);
  await run.sees(/^step +\d/m);
  return run;
}

function expectCleanEnd(out: string): void {
  const summary = readSummary(out);
  expect(summary).toMatchObject({ status: "failed", error: { message: expect.stringContaining("victim") } });
  const lastStep = readLines(out, "metrics.jsonl").at(-1)!.step as number;
  expect(summary.steps).toBe(lastStep);
  expect(readdirSync(join(out, "checkpoints"))).toEqual([`step-${String(lastStep).padStart(6, "0")}`]);
}

test("a worker killed with SIGKILL ends the run within two seconds, with status 1 and a checkpoint", async () => {
  const out = join(temporaryFolder(), "run");
  const { coordinator, survivor, victim } = await trainingPair(out);
  const killedMs = Date.now();
  victim.child.kill("SIGKILL");
  const { status, stderr } = await coordinator.ended;
  const tookMs = Date.now() - killedMs;
  const { status: survivorStatus } = await survivor.ended;

  expect(status).toBe(1);
  expect(stderr).toContain("victim");
  expect(survivorStatus).toBe(1);
  expect(tookMs).toBeLessThan(2_000);
  expectCleanEnd(out);
}, 90_000);

test("a frozen worker is lost after its silence, and nothing waits for it at the end", async () => {
  const out = join(temporaryFolder(), "run");
  const { coordinator, survivor, victim } = await trainingPair(out);
  const frozenMs = Date.now();
  victim.child.kill("SIGSTOP");
  const { status, stderr } = await coordinator.ended;
  const tookMs = Date.now() - frozenMs;
  victim.child.kill("SIGKILL");

  expect(status).toBe(1);
  expect(stderr).toMatch(/victim.*said nothing for 10000 ms \(heartbeatTimeoutMs\)/);
  expect((await survivor.ended).status).toBe(1);
  expect(tookMs).toBeGreaterThan(8_000);
  expect(tookMs).toBeLessThan(15_000);
  expectCleanEnd(out);
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
  const children = execFileSync("ps", ["-o", "pid=", "--ppid", String(run.child.pid)], { encoding: "utf8" });
  const pids = children
    .split("\n")
    .map(Number)
    .filter((pid) => pid > 0);
  expect(pids.length).toBeGreaterThanOrEqual(2);
  run.child.kill("SIGKILL");
  await run.ended;

  const isAlive = (pid: number) =>
    existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  const deadlineMs = Date.now() + 5_000;
  while (pids.some(isAlive) && Date.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(pids.filter(isAlive)).toEqual([]);
}, 60_000);
