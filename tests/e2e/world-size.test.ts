import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { cleanUp, readLines, readSummary, runLockstep, temporaryFolder } from "./lockstep-process.js";

afterEach(cleanUp);

const job = "tests/e2e/jobs/tiny";

async function train(folder: string, name: string, ...flags: string[]): Promise<string> {
  const out = join(folder, name);
  const { status, stderr } = await runLockstep(["run", job, "--seed", "7", "--out", out, "--quiet", ...flags]);
  expect(`${status} ${stderr}`).toBe("0 ");
  return out;
}

test("L1: one, two and four workers, and two threads, end with the same parameters", async () => {
  const folder = temporaryFolder();
  const one = readSummary(await train(folder, "w1", "--workers", "1", "--threads", "1"));
  const two = readSummary(await train(folder, "w2", "--workers", "2", "--threads", "2"));
  const four = readSummary(await train(folder, "w4", "--workers", "4", "--threads", "1"));

  expect(one).toMatchObject({ schema: 1, status: "completed", steps: 8, worldSize: 1 });
  expect(two).toMatchObject({ status: "completed", worldSize: 2 });
  expect(one.paramsSha256).toMatch(/^[0-9a-f]{64}$/);
  expect([two.paramsSha256, four.paramsSha256]).toEqual([one.paramsSha256, one.paramsSha256]);
  expect([two.trainLoss, two.evalLoss]).toEqual([one.trainLoss, one.evalLoss]);
  expect(one.trainLoss).toBeGreaterThan(0);
  expect(one.bytesSentPerWorkerPerStep).toBe(0);
  expect(two.bytesSentPerWorkerPerStep).toBeGreaterThan(0);
}, 120_000);

test("L1 holds in the fused class too, with bits of its own, and a resumed run keeps its class", async () => {
  const folder = temporaryFolder();
  const fused = ["--numeric", "fused", "--steps", "4"];
  const one = readSummary(await train(folder, "f1", "--workers", "1", ...fused));
  const two = readSummary(await train(folder, "f2", "--workers", "2", ...fused));
  const strict = readSummary(await train(folder, "s", "--workers", "1", "--steps", "4"));
  expect(two.paramsSha256).toBe(one.paramsSha256);
  expect(one.paramsSha256).not.toBe(strict.paramsSha256);

  const broken = await train(folder, "f3", "--workers", "1", "--numeric", "fused", "--steps", "2");
  const resumed = await runLockstep(["run", job, "--resume", broken, "--workers", "2", "--steps", "4", "--quiet"]);
  expect(resumed.status).toBe(0);
  expect(readSummary(broken)).toMatchObject({ steps: 4, numericClasses: ["fused"], paramsSha256: one.paramsSha256 });
}, 120_000);

test("another seed gives other parameters", async () => {
  const folder = temporaryFolder();
  const seven = readSummary(await train(folder, "s7", "--steps", "2"));
  const out = join(folder, "s8");
  await runLockstep(["run", job, "--seed", "8", "--out", out, "--quiet", "--steps", "2"]);
  expect(readSummary(out).paramsSha256).not.toBe(seven.paramsSha256);
}, 60_000);

test("L4: stopped at step 3 and resumed on another number of workers, a run ends with the same bits", async () => {
  const folder = temporaryFolder();
  const straight = readSummary(await train(folder, "straight", "--workers", "2"));
  const out = await train(folder, "broken", "--workers", "1", "--steps", "3");
  expect(readSummary(out)).toMatchObject({ status: "completed", steps: 3 });

  const { status } = await runLockstep(["run", job, "--resume", out, "--workers", "3", "--quiet"]);
  expect(status).toBe(0);
  expect(readSummary(out)).toMatchObject({ steps: 8, worldSize: 3, paramsSha256: straight.paramsSha256 });
  expect(readLines(out, "metrics.jsonl").map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
}, 120_000);

test("a run directory holds what the contract says", async () => {
  const out = await train(temporaryFolder(), "whole", "--workers", "2", "--set", "checkpointIntervalSteps=4");
  expect(readdirSync(join(out, "checkpoints")).sort()).toEqual(["step-000004", "step-000008"]);
  expect(readdirSync(join(out, "checkpoints", "step-000008")).sort()).toEqual([
    "manifest.json",
    "model.safetensors",
    "optimizer.safetensors",
    "trainer.json",
  ]);
  const [first] = readLines(out, "metrics.jsonl");
  expect(Object.keys(first!)).toEqual(
    expect.arrayContaining(
      "step loss learningRate gradNorm samplesPerSec stepMs computeMs commMs worldSize generation bytesSent".split(" "),
    ),
  );
  const events = readLines(out, "events.jsonl");
  expect(events.map(({ type }) => type)).toEqual(
    expect.arrayContaining(["joined", "generation", "commit", "checkpoint", "completed"]),
  );
  expect(events.filter(({ reason }) => typeof reason !== "string" || reason === "")).toEqual([]);
  expect(existsSync(join(out, "job.mjs"))).toBe(true);
}, 60_000);

test("evaluate and inspect read the run that was made", async () => {
  const out = await train(temporaryFolder(), "used");
  const evaluated = await runLockstep(["evaluate", out, "--json"]);
  expect(JSON.parse(evaluated.stdout)).toEqual({ step: 8, evalLoss: readSummary(out).evalLoss });

  const inspected = JSON.parse((await runLockstep(["inspect", out, "--json"])).stdout) as Record<string, unknown>;
  expect(inspected).toMatchObject({ kind: "run", checkpoints: ["step-000008"], run: { name: "tiny", seed: 7 } });
  const checkpoint = await runLockstep(["inspect", join(out, "checkpoints", "step-000008")]);
  expect(checkpoint.stdout).toContain("fc1.weight  F32    [16, 8]");
}, 60_000);
