import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCpuBackend } from "@lockstep/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tinyMlpJob } from "../engine/tiny-jobs.testkit.js";
import { TrainingEngine } from "../engine/training-engine.js";
import { createJobFiles } from "../job/job-files.js";
import { parseJobConfig } from "../job/parse-config.js";
import { checkJob } from "./check-job.js";
import { sha256 } from "./engine-spec.js";
import { loadRunForInference } from "./load-run.js";
import { readCheckpointFiles, readRunDirectory } from "./run-directory.js";

let runDir: string;
beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), "lockstep-run-"));
});
afterEach(() => rmSync(runDir, { recursive: true, force: true }));

const testkit = new URL("../engine/tiny-jobs.testkit.ts", import.meta.url).href;
const tinyBundle = `export { tinyMlpJob as default } from ${JSON.stringify(testkit)};`;

function writeRun(bundle = tinyBundle): void {
  const config = {
    schema: 1,
    name: "tiny-mlp",
    seed: 7,
    numeric: "strict",
    config: parseJobConfig(tinyMlpJob),
    files: [],
  };
  writeFileSync(join(runDir, "config.json"), JSON.stringify(config));
  writeFileSync(join(runDir, "job.mjs"), bundle);
}

/** A checkpoint of the initial state, as a coordinator would write it. */
function writeCheckpoint(step: number): string {
  const engine = new TrainingEngine({
    job: tinyMlpJob,
    config: parseJobConfig(tinyMlpJob),
    seed: 7,
    workerId: "w0",
    files: createJobFiles([]),
    backend: createCpuBackend(),
    nowMs: () => 0,
    sha256,
    maxBytes: 2 ** 32,
  });
  engine.prepare();
  const dir = join(runDir, "checkpoints", `step-${String(step).padStart(6, "0")}`);
  mkdirSync(dir, { recursive: true });
  const files = engine.exportState().files.map(({ name, bytes }) => {
    writeFileSync(join(dir, name), bytes);
    return { name, sha256: createHash("sha256").update(bytes).digest("hex"), byteLength: bytes.byteLength };
  });
  writeFileSync(join(dir, "manifest.json"), JSON.stringify({ schema: 1, step, files }));
  return dir;
}

const options = () => ({ resolveRoom: (specifier: string) => specifier, tempDir: join(runDir, "job") });

describe("a run directory", () => {
  test("that is none says what is missing", () => {
    expect(() => readRunDirectory(runDir)).toThrow(
      expect.objectContaining({ code: "E_RUN_DIRECTORY", message: expect.stringContaining("no config.json") }),
    );
    writeRun();
    expect(readRunDirectory(runDir)).toMatchObject({ name: "tiny-mlp", seed: 7, numeric: "strict" });
    expect(() => readCheckpointFiles(runDir)).toThrow(expect.objectContaining({ code: "E_RUN_DIRECTORY" }));
  });

  test("gives the files of its last checkpoint, and refuses one with a flipped byte", () => {
    writeRun();
    writeCheckpoint(2);
    const dir = writeCheckpoint(10);
    expect(readCheckpointFiles(runDir)).toMatchObject({ step: 10, dir });
    const path = join(dir, "model.safetensors");
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
    expect(() => readCheckpointFiles(runDir)).toThrow(
      expect.objectContaining({ code: "E_CHECKPOINT", fields: expect.objectContaining({ file: path }) }),
    );
    rmSync(path);
    expect(() => readCheckpointFiles(runDir)).toThrow(
      expect.objectContaining({ code: "E_CHECKPOINT", message: expect.stringContaining("is not there") }),
    );
    expect(readCheckpointFiles(runDir, join(runDir, "checkpoints", "step-000002")).step).toBe(2);
  });
});

describe("loadRunForInference", () => {
  test("evaluates as the run did, whatever the configuration was changed to that does not matter", async () => {
    writeRun();
    writeCheckpoint(2);
    const run = await loadRunForInference(runDir, options());
    const again = await loadRunForInference(runDir, { ...options(), set: { totalSteps: "99" } });
    expect(run.step).toBe(2);
    expect(again.config.totalSteps).toBe(99);
    expect(run.evaluate().numMicroBatches).toBe(3);
    expect(run.evaluate()).toEqual(again.evaluate());
    expect(run.run(() => run.model.parameters().length)).toBe(4);
  });
});

describe("checkJob", () => {
  test("finds a job deterministic and gives its memory plan", async () => {
    writeRun();
    const check = await checkJob({ runDir, ...options() });
    expect(check).toMatchObject({ deterministic: true, fits: true });
    expect(check.memoryPlan?.rows.map(({ what }) => what)).toContain("optimizer state");
  });

  test("names what differs when data changes from build to build, which one build alone cannot show", async () => {
    writeRun(`
      import { tinyMlpJob } from ${JSON.stringify(testkit)};
      export default { ...tinyMlpJob, data: (config, files) => {
        const { train } = tinyMlpJob.data(config, files);
        const offset = (globalThis.numBuilds = (globalThis.numBuilds ?? 0) + 1);
        return { train: { size: train.size, batch: (samples) => train.batch(samples.map((s) => ({ epoch: 0, index: s.index + offset }))) } };
      } };`);
    const check = await checkJob({ runDir, ...options() });
    expect(check).toMatchObject({ deterministic: false, firstDifference: "the loss" });
  });

  test("says how much is missing when the job does not fit", async () => {
    writeRun();
    const check = await checkJob({ runDir, ...options(), maxBytes: 100 });
    expect(check).toMatchObject({ fits: false, message: expect.stringContaining("of 0.0 MiB") });
  });
});
