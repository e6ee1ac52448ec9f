import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
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
  const farTemp = join(folder, "far-temp");
  mkdirSync(farTemp);
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
    env: { ...copy.env, TMPDIR: farTemp, LOCKSTEP_TOKEN: token },
  });
  const results = await Promise.all([coordinator.ended, near.ended, far.ended]);

  expect(results.map(({ status, stderr }) => `${status} ${stderr}`)).toEqual(["0 ", "0 ", "0 "]);
  expect(readSummary(out)).toMatchObject({ status: "completed", worldSize: 2, paramsSha256: await alone(folder) });

  // Everything the far worker had of the job came over the network: its own cache holds the bundle.
  const jobSha256 = (JSON.parse(readFileSync(join(out, "config.json"), "utf8")) as { jobSha256: string }).jobSha256;
  const cached = [copy.env.HOME!, farTemp].flatMap((place) => readdirSync(place, { recursive: true }).map(String));
  expect(cached.filter((path) => path.endsWith(jobSha256))).toHaveLength(1);
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

test("a pair whose dials are refused, though both listen, uses the relay as well", async () => {
  const folder = temporaryFolder();
  const out = join(folder, "run");
  const coordinator = startLockstep(
    ["coordinator", job, "--port", "0", "--min-workers", "2", "--seed", "7", "--out", out],
    { env },
  );
  const [url, port] = await coordinator.sees(/ws:\/\/127\.0\.0\.1:(\d+)/);
  const blocked = pathToFileURL(join(import.meta.dirname, "block-peer-dials.mjs")).href;
  const blockedEnv = { ...env, OPEN_PORT: port, NODE_OPTIONS: `--import ${blocked}` };
  const workers = ["a", "b"].map((name) => startLockstep(["worker", url, "--name", name], { env: blockedEnv }));
  const results = await Promise.all([coordinator, ...workers].map(({ ended }) => ended));

  expect(results.map(({ status, stderr }) => `${status} ${stderr}`)).toEqual(["0 ", "0 ", "0 "]);
  expect(readSummary(out)).toMatchObject({ worldSize: 2, paramsSha256: await alone(folder) });
  const links = readLines(out, "events.jsonl").filter(({ type }) => type === "links");
  expect(links).toHaveLength(1);
  expect(String(links[0]!.reason)).toMatch(/relay.*ECONNREFUSED|ECONNREFUSED.*relay/);
}, 120_000);
