import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { installCopy } from "./installed-copy.js";
import { cleanUp, readLines, readSummary, runLockstep, startLockstep, temporaryFolder } from "./lockstep-process.js";

afterEach(cleanUp);

const token = "a-token-of-the-test";
const env = { ...process.env, LOCKSTEP_TOKEN: token };
const job = "tests/e2e/jobs/tiny";

async function alone(folder: string): Promise<string> {
  const out = join(folder, "alone");
  await runLockstep(["run", job, "--seed", "7", "--out", out, "--quiet"]);
  return readSummary(out).paramsSha256;
}

test("a second machine needs only the installed command, the URL and the token", async () => {
  const folder = temporaryFolder();
  const copy = installCopy(folder);
  const out = join(folder, "run");
  const coordinator = startLockstep(
    ["coordinator", job, "--port", "0", "--min-workers", "2", "--seed", "7", "--out", out],
    { env },
  );
  const [url] = await coordinator.sees(/ws:\/\/127\.0\.0\.1:\d+/);
  const near = startLockstep(["worker", url], { env });
  const far = startLockstep(["worker", url, "--name", "far"], {
    cwd: copy.folder,
    bin: copy.bin,
    env: { ...copy.env, LOCKSTEP_TOKEN: token },
  });
  const results = await Promise.all([coordinator.ended, near.ended, far.ended]);

  expect(results.map(({ status, stderr }) => `${status} ${stderr}`)).toEqual(["0 ", "0 ", "0 "]);
  expect(readSummary(out)).toMatchObject({ status: "completed", worldSize: 2, paramsSha256: await alone(folder) });
  expect(readdirSync(copy.env.HOME!).filter((name) => !name.startsWith(".npm"))).toEqual([]);
}, 240_000);

test("a pair without a direct link exchanges through the coordinator, with the same bits", async () => {
  const folder = temporaryFolder();
  const out = join(folder, "run");
  const coordinator = startLockstep(
    ["coordinator", job, "--port", "0", "--min-workers", "2", "--seed", "7", "--out", out],
    { env },
  );
  const [url] = await coordinator.sees(/ws:\/\/127\.0\.0\.1:\d+/);
  const workers = ["a", "b"].map((name) => startLockstep(["worker", url, "--name", name, "--listen", "none"], { env }));
  const results = await Promise.all([coordinator, ...workers].map(({ ended }) => ended));

  expect(results.map(({ status, stderr }) => `${status} ${stderr}`)).toEqual(["0 ", "0 ", "0 "]);
  expect(readSummary(out)).toMatchObject({ worldSize: 2, paramsSha256: await alone(folder) });
  const reasons = readLines(out, "events.jsonl").map(({ reason }) => String(reason));
  expect(reasons.filter((reason) => /relay/.test(reason))).not.toEqual([]);
}, 120_000);
