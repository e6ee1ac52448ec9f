import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createSampler } from "@lockstep/data";
import { controlCodec, controlPath, PROTOCOL_VERSION } from "@lockstep/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import {
  cleanUp,
  type Ended,
  readSummary,
  root,
  runLockstep,
  startLockstep,
  temporaryFolder,
} from "./lockstep-process.js";

afterEach(cleanUp);

const tiny = "tests/e2e/jobs/tiny";
const text = "tests/e2e/jobs/text";

/** One message, in the form `where: what; what must be. What to do. (CODE)`, and nothing else on stderr. */
function expectOneMessage({ stderr }: Ended, code: string, ...parts: string[]): void {
  const lines = stderr.trimEnd().split("\n");
  expect(lines, stderr).toHaveLength(1);
  expect(lines[0]).toMatch(/^error: .+: .+; .+\. .+ \(E_[A-Z0-9_]+\)$/);
  expect(lines[0]).toContain(`(${code})`);
  for (const part of parts) expect(lines[0]).toContain(part);
}

describe("what is wrong before anything starts ends with 2 and writes nothing", () => {
  const cases: readonly [what: string, args: readonly string[], code: string, parts: readonly string[]][] = [
    ["an unknown job file", ["no/such/job.ts"], "E_JOB_NOT_FOUND", ["no/such/job.ts"]],
    ["an unknown config key", [tiny, "--set", "hidenDim=3"], "E_CONFIG_KEY", ["hidenDim", 'Did you mean "hiddenDim"?']],
    ["a config value of the wrong type", [tiny, "--set", "hiddenDim=wide"], "E_CONFIG_VALUE", ["hiddenDim", "wide"]],
    [
      "a global batch that is not divisible",
      [tiny, "--set", "globalBatchSize=18"],
      "E_CONFIG_BATCH",
      ["18", "16 or 20"],
    ],
    ["more workers than micro-batches", [tiny, "--workers", "5"], "E_USAGE_WORKERS", ["--workers is 5", "only 4"]],
    [
      "a weights file that is not there",
      [tiny, "--init-from", "none.safetensors"],
      "E_USAGE_INIT_FROM",
      ["none.safetensors"],
    ],
    ["a resume without a run", [tiny, "--resume", "no/run"], "E_USAGE_RESUME", ["no/run"]],
  ];

  test.each(cases)("%s", async (_what, args, code, parts) => {
    const out = join(temporaryFolder(), "run");
    const flags = args.includes("--resume") ? [] : ["--out", out];
    const ended = await runLockstep(["run", ...args, ...flags]);
    expectOneMessage(ended, code, ...parts);
    expect(ended.status).toBe(2);
    expect(existsSync(out)).toBe(false);
  });

  test("an output directory in use", async () => {
    const out = temporaryFolder();
    writeFileSync(join(out, "thesis.txt"), "do not touch");
    const ended = await runLockstep(["run", tiny, "--out", out]);
    expectOneMessage(ended, "E_OUT_NOT_EMPTY", out);
    expect(ended.status).toBe(2);
    expect(readdirSync(out)).toEqual(["thesis.txt"]);
  });

  test("a port in use", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    const out = join(temporaryFolder(), "run");
    const ended = await runLockstep(["coordinator", tiny, "--port", String(port), "--out", out]);
    server.close();
    expectOneMessage(ended, "E_PORT_IN_USE", String(port));
    expect(ended.status).toBe(2);
    expect(existsSync(out)).toBe(false);
  });

  test.each([
    ["a module without a default export", "export const job = 1;\n", "E_JOB"],
    ["a module that exports something else", "export default { epochs: 3 };\n", "E_JOB"],
    ["a module that does not parse", "export default {;\n", "E_JOB_BUNDLE"],
    ["a module that throws", 'throw new Error("not today");\n', "E_JOB_LOAD"],
  ])("%s", async (_what, source, code) => {
    const folder = temporaryFolder();
    const out = join(folder, "run");
    writeFileSync(join(folder, "job.ts"), source);
    const ended = await runLockstep(["run", folder, "--out", out]);
    expectOneMessage(ended, code);
    expect(ended.status).toBe(2);
    expect(existsSync(out)).toBe(false);
  });
});

test("a resumed run refuses other code and other data than it began with", async () => {
  const folder = join(temporaryFolder(), "text");
  cpSync(join(root, text), folder, { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const out = join(temporaryFolder(), "run");
  expect((await runLockstep(["run", folder, "--steps", "1", "--out", out, "--quiet"])).status).toBe(0);

  const job = readFileSync(join(folder, "job.ts"), "utf8");
  writeFileSync(join(folder, "job.ts"), job.replace("1e-2", "2e-2"));
  const otherCode = await runLockstep(["run", folder, "--resume", out]);
  expectOneMessage(otherCode, "E_USAGE_RESUME", "the job's code");
  writeFileSync(join(folder, "job.ts"), job);
  appendFileSync(join(folder, "long.txt"), "one more line\n");
  const otherData = await runLockstep(["run", folder, "--resume", out]);
  expectOneMessage(otherData, "E_USAGE_RESUME", 'file "text/long.txt"');
  expect([otherCode.status, otherData.status]).toEqual([2, 2]);
}, 60_000);

describe("what goes wrong in the job ends with 1, and summary.json says the same", () => {
  const cases: readonly [what: string, args: readonly string[], code: string, parts: readonly string[]][] = [
    ["Math.random in a job", [tiny, "--workers", "2", "--set", "fault=random"], "E_NOT_DETERMINISTIC", ["tiny"]],
    [
      "a job that differs from process to process",
      [tiny, "--workers", "2", "--set", "fault=process"],
      "E_PROBE",
      ["local-"],
    ],
    [
      "a job that does not fit in memory",
      [tiny, "--set", "fault=huge"],
      "E_MEMORY_PLAN",
      ["parameters", "4294967296", "MiB"],
    ],
    ["an empty text", [text, "--set", "file=empty.txt"], "E_TEXT_EMPTY", ["is empty"]],
    ["a tiny text", [text, "--set", "file=tiny.txt"], "E_TEXT_TOO_SHORT", ["has 43 tokens", "at least 65"]],
    ["a token out of the vocabulary", [text, "--set", "vocabSize=5"], "E_TOKEN_RANGE", ["in 0..4"]],
  ];

  test.each(cases)("%s", async (_what, args, code, parts) => {
    const out = join(temporaryFolder(), "run");
    const ended = await runLockstep(["run", ...args, "--out", out, "--quiet", "--seed", "1"]);
    expect(ended.status, ended.stderr).toBe(1);
    expect(ended.stderr).toContain(`(${code})`);
    for (const part of parts) expect(ended.stderr).toContain(part);
    const summary = readSummary(out);
    expect(summary).toMatchObject({ status: "failed", steps: 0, error: { code } });
    expect(ended.stderr).toContain(summary.error!.message);
  });

  test("a loss that is NaN at step 3 leaves the checkpoint of step 2", async () => {
    const sampler = createSampler({ seed: 1, size: 64, globalBatchSize: 16, microBatchSize: 4 });
    const nanIndex = sampler.microBatch(2, 3)[0]!.index; // step 3, its last micro-batch
    const out = join(temporaryFolder(), "run");
    const flags = ["--workers", "2", "--seed", "1", "--set", "fault=nan", "--set", `nanIndex=${nanIndex}`];
    const ended = await runLockstep(["run", tiny, ...flags, "--out", out, "--quiet"]);
    expect(ended.status).toBe(1);
    expectOneMessage(ended, "E_NOT_FINITE", "step 3", "NaN");
    expect(readSummary(out)).toMatchObject({ status: "failed", steps: 2, error: { code: "E_NOT_FINITE" } });
    expect(readdirSync(join(out, "checkpoints"))).toEqual(["step-000002"]);
  });

  test("weights of another architecture", async () => {
    const folder = temporaryFolder();
    await runLockstep(["run", tiny, "--steps", "1", "--out", join(folder, "narrow"), "--quiet"]);
    const args = [
      "--init-from",
      join(folder, "narrow"),
      "--set",
      "hiddenDim=32",
      "--out",
      join(folder, "wide"),
      "--quiet",
    ];
    const ended = await runLockstep(["run", tiny, ...args]);
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain("(E_CHECKPOINT)");
    expect(ended.stderr).toMatch(/fc1\.weight.*\[16,\s?8\].*\[32,\s?8\]|fc1\.weight.*\[32,\s?8\].*\[16,\s?8\]/);
  });

  test("a checkpoint with a flipped byte", async () => {
    const out = join(temporaryFolder(), "run");
    await runLockstep(["run", tiny, "--steps", "2", "--out", out, "--quiet"]);
    const path = join(out, "checkpoints", "step-000002", "model.safetensors");
    const bytes = readFileSync(path);
    bytes[bytes.length - 3] = bytes[bytes.length - 3]! ^ 1;
    writeFileSync(path, bytes);
    const ended = await runLockstep(["run", tiny, "--resume", out, "--quiet"]);
    expectOneMessage(ended, "E_CHECKPOINT", "model.safetensors", "sha256");
    expectOneMessage(await runLockstep(["evaluate", out]), "E_CHECKPOINT", "model.safetensors", "sha256");
  });
});

describe("who may not join", () => {
  const token = "a-token-of-the-test";
  const env = { ...process.env, LOCKSTEP_TOKEN: token };

  function startCoordinator(...flags: string[]) {
    const out = join(temporaryFolder(), "run");
    mkdirSync(out);
    return startLockstep(["coordinator", tiny, "--port", "0", "--out", out, ...flags], { env });
  }

  test("a worker with a wrong token is refused, and the coordinator waits on", async () => {
    const coordinator = startCoordinator("--join-timeout", "30");
    const [url] = await coordinator.sees(/ws:\/\/127\.0\.0\.1:\d+/);
    const refused = await runLockstep(["worker", url], { env: { ...env, LOCKSTEP_TOKEN: "another-token" } });
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/token/);
    expect(refused.stderr).not.toContain("another-token");
    const welcome = await runLockstep(["worker", url], { env });
    expect(welcome.status).toBe(0);
    expect((await coordinator.ended).status).toBe(0);
  });

  test("a peer of another protocol version is told both versions", async () => {
    const coordinator = startCoordinator("--join-timeout", "30");
    const [url] = await coordinator.sees(/ws:\/\/127\.0\.0\.1:\d+/);
    const other = PROTOCOL_VERSION + 1;
    const hello = controlCodec.encodeControl("hello", {
      protocolVersion: other,
      numericsVersion: 1,
      lockstepVersion: "9.0.0",
      workerId: "w-00000000",
      name: "from the future",
      numericClasses: ["strict"],
      threads: 1,
      listenUrls: [],
      canDial: true,
      platform: "test",
      held: null,
    });
    new DataView(hello.buffer, hello.byteOffset).setUint16(2, other, true); // the version of the frame
    const socket = new WebSocket(`${url}${controlPath}`, { headers: { authorization: `Bearer ${token}` } });
    socket.on("open", () => socket.send(hello));
    const outcome = await new Promise<string>((resolve, reject) => {
      socket.on("error", reject);
      socket.on("close", (code, reason) => resolve(`${code} ${reason.toString()}`));
    });
    expect(outcome).toMatch(new RegExp(`\\b${other}\\b`));
    expect(outcome).toMatch(new RegExp(`\\b${PROTOCOL_VERSION}\\b`));
    coordinator.child.kill("SIGINT");
    await coordinator.ended;
  });

  test("too few workers before --join-timeout end with 3", async () => {
    const coordinator = startCoordinator("--min-workers", "2", "--join-timeout", "1");
    const ended = await coordinator.ended;
    expect(ended.status).toBe(3);
    expect(ended.stderr).toMatch(/E_JOIN_TIMEOUT/);
  });
});
