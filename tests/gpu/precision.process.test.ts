/** @file Runs with --precision f16: beside f32, with overflows that are planted for real, in a mixed fleet, resumed; refused where there is no f16. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { cleanUp, readLines, readSummary, runLockstep, temporaryFolder } from "../e2e/lockstep-process.js";

const isRequired = process.env.LOCKSTEP_REQUIRE_GPU === "1";
const digits = fileURLToPath(new URL("../../examples/07-digits", import.meta.url));
const charGpt = fileURLToPath(new URL("../../examples/02-char-gpt", import.meta.url));
const quick = ["--threads", "1", "--quiet", "--set", "evalIntervalSteps=0"];
/** One micro-batch a step, so that a step has one scale. */
const whole = ["--set", "globalBatchSize=64", "--set", "microBatchSize=64"];
const half = ["--backend", "webgpu", "--precision", "f16"];

afterAll(cleanUp);

const run = async (job: string, ...flags: string[]): Promise<string> => {
  const out = join(temporaryFolder(), "run");
  const { status, stderr } = await runLockstep(["run", job, "--out", out, ...quick, ...flags], { limitMs: 240_000 });
  expect(`${status} ${stderr.includes("error")}`).toBe("0 false");
  return out;
};
const lossesOf = (out: string): number[] => readLines(out, "metrics.jsonl").map(({ loss }) => Number(loss));
const eventsOf = (out: string, type: string) => readLines(out, "events.jsonl").filter((line) => line.type === type);

/** What `doctor` says of 16 bits on this machine's adapter. */
const canStoreHalves = isRequired && (await doctorSays()).includes("; --precision f16 works;");

async function doctorSays(): Promise<string> {
  const { stdout } = await runLockstep(["doctor", "--json"]);
  const { findings } = JSON.parse(stdout) as { findings: { name: string; found: string }[] };
  return findings.find(({ name }) => name === "WebGPU")!.found;
}

describe.skipIf(!isRequired)("lockstep run --precision f16", () => {
  if (!canStoreHalves) {
    test("--precision f16 is refused where the adapter has no shader-f16, with what to do and nothing written", async () => {
      const out = join(temporaryFolder(), "run");
      const { status, stderr } = await runLockstep(["run", digits, "--out", out, ...half]);
      expect(status).toBe(2);
      expect(stderr).toMatch(/has no shader-f16; .*--precision f32.*\(E_NO_F16\)/s);
      expect(() => readSummary(out)).toThrow();
      expect(await doctorSays()).toContain("no --precision f16 (no shader-f16)");
    }, 60_000);
    return;
  }

  test("twenty steps of the GPT follow those of f32 on the CPU", async () => {
    const small = ["--steps", "20", "--set", "globalBatchSize=4", "--set", "microBatchSize=2"];
    const [cpu, gpu] = [await run(charGpt, ...small), await run(charGpt, ...small, ...half)];
    const [expected, found] = [lossesOf(cpu), lossesOf(gpu)];
    expect(found.length).toBe(20);
    // A loss is a mean over logits that were stored with 11 digits: 2^-11 is the most by which the first step may differ. Training makes
    // differences grow; twenty steps of it stay within ten such roundings.
    for (const [i, loss] of found.entries()) {
      expect(Math.abs(loss / expected[i]! - 1)).toBeLessThan(i === 0 ? 2 ** -11 : 10 * 2 ** -11);
    }
    expect(found.at(-1)).toBeLessThan(found[0]!);
    expect(readSummary(gpu).numericClasses).toEqual([expect.stringMatching(/^webgpu:.+:f16$/)]);
  }, 300_000);

  test("L3 L6 a step whose gradients overflow is computed again until they do not, with a line each, to the bits of the lower scale", async () => {
    const steps = ["--steps", "4", ...whole, ...half];
    const planted = await run(digits, ...steps, "--loss-scale", String(2 ** 24));
    const first = eventsOf(planted, "overflow").filter(({ ofStep }) => ofStep === 1);
    // The plant fired: at 2^24 the loss's own gradients are beyond 65,504.
    expect(first.length).toBeGreaterThan(4);
    expect(first.map(({ lossScale, nextLossScale }) => [lossScale, nextLossScale])).toEqual(
      first.map((_, i) => [2 ** (24 - i), 2 ** (23 - i)]),
    );
    expect(first[0]).toMatchObject({ microBatch: 0, workerId: expect.any(String) });
    const lowest = Number(first.at(-1)!.nextLossScale);
    const lower = await run(digits, ...steps, "--loss-scale", String(lowest));
    expect(eventsOf(lower, "overflow").filter(({ ofStep }) => ofStep === 1)).toEqual([]);
    expect(lossesOf(lower).length).toBe(4);
    expect(lossesOf(lower)).toEqual(lossesOf(planted));
    const [a, b] = [readSummary(planted), readSummary(lower)];
    expect(a).toMatchObject({ paramsSha256: b.paramsSha256, samplesSeen: 4 * 64 });
  }, 300_000);

  test("L2 a CPU in f32 and a GPU in 16 bits hold the same bits after every step", async () => {
    const fleet = ["--workers", "2", "--backend", "cpu,webgpu", "--precision", "f16"];
    const out = await run(digits, ...fleet, "--steps", "6");
    const commits = eventsOf(out, "commit");
    expect(commits.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    for (const { reason } of commits) expect(reason).toMatch(/2 workers hold the same gradient/);
    expect(readSummary(out).numericClasses).toEqual(["strict", expect.stringMatching(/^webgpu:.+:f16$/)]);
  }, 300_000);

  test("L4 a run goes on with the scale it had, to the bits of one that was never stopped", async () => {
    const flags = [...whole, ...half, "--loss-scale", "65536"];
    const [straight, stopped] = [
      await run(digits, "--steps", "4", ...flags),
      await run(digits, "--steps", "2", ...flags),
    ];
    const again = await runLockstep(["run", digits, "--resume", stopped, ...quick, "--steps", "4", ...half]);
    expect(again.status).toBe(0);
    const scalesOf = (out: string) => readLines(out, "journal.jsonl").filter(({ kind }) => kind === "lossScale");
    expect(scalesOf(stopped).map(({ step, lossScale }) => [step, lossScale])).toEqual(
      scalesOf(straight).map(({ step, lossScale }) => [step, lossScale]),
    );
    expect(scalesOf(stopped).length).toBeGreaterThan(0);
    expect(readSummary(stopped).paramsSha256).toBe(readSummary(straight).paramsSha256);
  }, 300_000);
});
