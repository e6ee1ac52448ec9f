/** @file `lockstep profile` on WebGPU: its launches are the backend's, its trace has both tracks. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { cleanUp, runLockstep, temporaryFolder } from "../e2e/lockstep-process.js";

const isRequired = process.env.LOCKSTEP_REQUIRE_GPU === "1";
const isSoftware = process.env.VK_DRIVER_FILES !== undefined;
const digits = fileURLToPath(new URL("../../examples/07-digits", import.meta.url));
const charGpt = fileURLToPath(new URL("../../examples/02-char-gpt", import.meta.url));
const small = ["--set", "globalBatchSize=8", "--set", "microBatchSize=4"];

afterAll(cleanUp);

interface Profile {
  readonly timeSource: string;
  readonly isSoftware: boolean;
  readonly numMicroBatches: number;
  readonly plainStep: { readonly recording: { readonly numLaunches: number; readonly numSubmits: number } };
  readonly replayedStep: Profile["plainStep"];
  readonly peak: { readonly bytesPerSecond: number; readonly flopsPerSecond: number };
  readonly memory: { readonly usedBytes: number };
  readonly trace: string;
  readonly summary: {
    readonly numLaunches: number;
    readonly numUntimed: number;
    readonly totalMs: number;
    readonly lines: readonly { readonly name: string; readonly totalMs: number; readonly numLaunches: number }[];
  };
}

describe.skipIf(!isRequired)("lockstep profile on WebGPU", () => {
  test("tells of every launch of a step, its time, and of the device's peak", async () => {
    const cwd = temporaryFolder();
    const flags = ["--backend", "webgpu", "--steps", "2", "--json", "--out", join(cwd, "t.json"), ...small];
    const { status, stdout } = await runLockstep(["profile", digits, ...flags]);
    expect(status).toBe(0);
    const profile = JSON.parse(stdout) as Profile;
    const { plainStep, summary, peak, memory } = profile;
    expect(profile).toMatchObject({ timeSource: "timestamps", isSoftware, numMicroBatches: 2 });
    const { numLaunches } = plainStep.recording;
    expect(numLaunches).toBeGreaterThan(100);
    expect(summary.numLaunches).toBe(2 * numLaunches);
    expect(profile.replayedStep.recording.numLaunches).toBe(numLaunches);
    expect(profile.replayedStep.recording.numSubmits).toBeLessThanOrEqual(plainStep.recording.numSubmits);
    expect(summary.lines.reduce((sum, line) => sum + line.numLaunches, 0)).toBe(summary.numLaunches);
    expect(summary.lines.reduce((sum, line) => sum + line.totalMs, 0)).toBeCloseTo(summary.totalMs, 6);
    expect(summary.numUntimed).toBe(0);
    for (const rate of [peak.bytesPerSecond, peak.flopsPerSecond]) expect(rate).toBeGreaterThan(1e8);
    expect(memory.usedBytes).toBeGreaterThan(0);

    const { traceEvents } = JSON.parse(readFileSync(profile.trace, "utf8")) as {
      traceEvents: { cat?: string; name: string; tid: number; args?: { name?: string } }[];
    };
    expect(traceEvents.filter(({ cat }) => cat === "kernel").length).toBe(summary.numLaunches);
    const tracks = traceEvents.filter(({ name }) => name === "thread_name").map(({ args }) => args?.name);
    expect(tracks).toEqual(["JavaScript", "GPU"]);
    const spans = new Set(traceEvents.filter(({ cat }) => cat === "span").map(({ name }) => name));
    // Five steps came before: two op by op, then one that is recorded and two that are replayed.
    const parts = ["micro-batch 0", "record", "forward", "wait", "micro-batch 1"];
    expect([...spans]).toEqual(["step 6", ...parts, "step 7"]);
  }, 120_000);

  test("with --update device has the optimizer's kernels, and their sums and hashes", async () => {
    const cwd = temporaryFolder();
    const flags = ["--backend", "webgpu", "--steps", "1", "--json", "--out", join(cwd, "t.json"), ...small];
    const { status, stdout } = await runLockstep(["profile", charGpt, "--update", "device", ...flags]);
    expect(status).toBe(0);
    const { summary, plainStep, replayedStep } = JSON.parse(stdout) as Profile;
    expect(summary.numLaunches).toBe(plainStep.recording.numLaunches);
    expect(summary.numLaunches).toBe(replayedStep.recording.numLaunches);
    const names = summary.lines.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["elementwise adamDecoupled", "findNonFinite"]));
    expect(names.some((name) => name.startsWith("hash"))).toBe(true);
    expect(names).not.toContain("(no op)");
    // Of a model with running statistics they move there, too.
    const other = await runLockstep(["profile", digits, "--update", "device", ...flags]);
    const moved = (JSON.parse(other.stdout) as Profile).summary.lines.map(({ name }) => name);
    expect(moved).toEqual(expect.arrayContaining(["elementwise runningStatistics"]));
    const refused = await runLockstep(["profile", digits, "--update", "device", "--backend", "cpu"]);
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining("E_USAGE_UPDATE")]);
  }, 120_000);

  test.runIf(isSoftware)(
    "says that the kernel times of a driver on the CPU mean nothing, and prints them",
    async () => {
      const out = join(temporaryFolder(), "t.json");
      const { stdout } = await runLockstep([
        "profile",
        digits,
        "--backend",
        "webgpu",
        "--steps",
        "1",
        "--out",
        out,
        ...small,
      ]);
      expect(stdout).toMatch(/this adapter computes on the CPU: its kernel times mean nothing for a GPU/);
      expect(stdout).toMatch(
        /^replayed it takes [\d.]+ ms: \d+ launches in \d+ submits, [\d.]+ ms of JavaScript, [\d.]+ us a launch/m,
      );
      expect(stdout).toMatch(/^matmul +\d kernels/m);
    },
    120_000,
  );
});
