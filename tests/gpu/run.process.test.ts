/** @file Runs whose gradients come from WebGPU: alone, beside a CPU worker, refused by a numeric class, killed and resumed on a CPU. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { cleanUp, readLines, readSummary, runLockstep, temporaryFolder } from "../e2e/lockstep-process.js";

const isRequired = process.env.LOCKSTEP_REQUIRE_GPU === "1";
/** Both drivers that are installed for tests are named there. */
const { VK_DRIVER_FILES: driver } = process.env;
const isSlowest = driver?.includes("swiftshader") === true;
const isSoftware = driver !== undefined;
const digits = fileURLToPath(new URL("../../examples/07-digits", import.meta.url));
const charGpt = fileURLToPath(new URL("../../examples/02-char-gpt", import.meta.url));
const quick = ["--threads", "1", "--quiet", "--set", "evalIntervalSteps=0"];

afterAll(cleanUp);

interface Line {
  readonly step: number;
  readonly loss: number;
}

describe.skipIf(!isRequired)("lockstep run on WebGPU", () => {
  const run = async (job: string, ...flags: string[]): Promise<string> => {
    const out = join(temporaryFolder(), "run");
    const { status, stderr } = await runLockstep(["run", job, "--out", out, ...quick, ...flags]);
    expect(`${status} ${stderr.includes("error")}`).toBe("0 false");
    return out;
  };
  const lossesOf = (out: string): number[] =>
    (readLines(out, "metrics.jsonl") as unknown as Line[]).map(({ loss }) => loss);

  // Beside the slowest driver it takes more than a minute.
  test.skipIf(isSlowest)(
    "twenty steps of the GPT follow the CPU's, step by step",
    async () => {
      const small = ["--steps", "20", "--set", "globalBatchSize=4", "--set", "microBatchSize=2"];
      const [cpu, gpu] = [await run(charGpt, ...small), await run(charGpt, ...small, "--backend", "webgpu")];
      const [expected, found] = [lossesOf(cpu), lossesOf(gpu)];
      expect(found.length).toBe(20);
      // f32 on both sides: the first step differs by rounding alone, and training makes the difference grow.
      for (const [i, loss] of found.entries()) {
        expect(Math.abs(loss / expected[i]! - 1)).toBeLessThan(i === 0 ? 1e-5 : 2e-3);
      }
      expect(found.at(-1)).toBeLessThan(found[0]!);
      expect(readSummary(gpu).numericClasses).toEqual([expect.stringMatching(/^webgpu:/)]);
    },
    300_000,
  );

  test("L2 a CPU and a GPU worker hold the same bits after every step", async () => {
    const out = await run(digits, "--workers", "2", "--backend", "cpu,webgpu", "--steps", "12");
    const commits = readLines(out, "events.jsonl").filter(({ type }) => type === "commit");
    expect(commits.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    for (const { reason } of commits) expect(reason).toMatch(/2 workers hold the same gradient/);
    const notices = readLines(out, "events.jsonl").filter(({ type }) => type === "notice");
    expect(notices.map(({ reason }) => String(reason)).join()).toMatch(/L1 is off/);
    expect(readSummary(out).numericClasses).toEqual(["strict", expect.stringMatching(/^webgpu:/)]);
  }, 120_000);

  test("steps that are replayed give the bits of steps run op by op", async () => {
    const flags = ["--backend", "webgpu", "--steps", "6"];
    const [replayed, eager] = [await run(digits, ...flags), await run(digits, ...flags, "--no-record")];
    expect(readSummary(replayed).paramsSha256).toBe(readSummary(eager).paramsSha256);
    const notices = readLines(replayed, "events.jsonl").map(({ reason }) => String(reason));
    expect(notices.filter((reason) => reason.includes("not replayed"))).toEqual([]);
  }, 120_000);

  test("steps that the GPU takes itself are those of a run whose updates are the CPU's, within rounding, and can be resumed", async () => {
    const flags = ["--backend", "webgpu", "--set", "evalIntervalSteps=3"];
    const [cpu, device] = [
      await run(digits, ...flags, "--steps", "8"),
      await run(digits, ...flags, "--steps", "6", "--update", "device"),
    ];
    const [expected, found] = [lossesOf(cpu), lossesOf(device)];
    for (const [i, loss] of found.entries()) expect(Math.abs(loss / expected[i]! - 1)).toBeLessThan(1e-4);
    const commitsOf = (out: string) => readLines(out, "events.jsonl").filter(({ type }) => type === "commit");
    expect(commitsOf(device).length).toBe(6);
    // The first gradient is the same; that it was hashed where it lies, and by blocks, shows that it stayed there.
    expect(lossesOf(device)[0]).toBe(lossesOf(cpu)[0]);
    expect(commitsOf(device)[0]!.gradientHash).not.toBe(commitsOf(cpu)[0]!.gradientHash);
    const { status } = await runLockstep([
      "run",
      digits,
      "--resume",
      device,
      "--quiet",
      "--steps",
      "8",
      ...flags.slice(0, 2),
    ]);
    expect(status).toBe(0);
    const all = lossesOf(device);
    expect(all.length).toBe(8);
    expect(Math.abs(all[7]! / expected[7]! - 1)).toBeLessThan(1e-3);
    const lines = readLines(device, "metrics.jsonl") as unknown as (Line & { readonly gradNorm: number })[];
    expect(lines.slice(0, 6).every(({ gradNorm }) => gradNorm > 0)).toBe(true);
  }, 180_000);

  test("L4 what a GPU began goes on without one", async () => {
    const out = await run(digits, "--backend", "webgpu", "--steps", "4");
    const { status } = await runLockstep(["run", digits, "--resume", out, ...quick, "--steps", "8"]);
    expect(status).toBe(0);
    expect(lossesOf(out).length).toBe(8);
  }, 120_000);

  test.runIf(isSoftware)(
    "auto takes no driver that computes on the CPU",
    async () => {
      const out = await run(digits, "--backend", "auto", "--steps", "2");
      expect(readSummary(out).numericClasses).toEqual(["strict"]);
    },
    60_000,
  );

  test("--numeric refuses a GPU, with the reason and nothing written", async () => {
    const out = join(temporaryFolder(), "run");
    const flags = ["--out", out, "--backend", "webgpu", "--numeric", "strict"];
    const { status, stderr } = await runLockstep(["run", digits, ...flags]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/there can be one of the two/);
    expect(() => readSummary(out)).toThrow();
  });
});
