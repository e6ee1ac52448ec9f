/** @file `lockstep profile` on the CPU: what it prints, the trace that it writes, what it refuses. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { cleanUp, root, runLockstep, temporaryFolder } from "./lockstep-process.js";

afterEach(cleanUp);

const tiny = join(root, "tests", "e2e", "jobs", "tiny");

interface Line {
  readonly name: string;
  readonly count: number;
  readonly totalMs: number;
  readonly flops: number;
  readonly readBytes: number;
}

describe("lockstep profile on the CPU", () => {
  test("prints every op with its work, and writes a trace of the steps it watched", async () => {
    const cwd = temporaryFolder();
    const flags = ["--backend", "cpu", "--threads", "1", "--steps", "3", "--json"];
    const { status, stdout, stderr } = await runLockstep(["profile", tiny, ...flags], { cwd });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const profile = JSON.parse(stdout) as Record<string, never> & { summary: { lines: Line[]; totalMs: number } };
    const trace = join(cwd, `${profile.job}.trace.json`);
    expect(profile).toMatchObject({ backend: "cpu", timeSource: "calls", numSteps: 3, numMicroBatches: 4, trace });
    expect(readdirSync(cwd)).toEqual([`${profile.job}.trace.json`]);
    const { lines, totalMs } = profile.summary;
    expect(lines.reduce((sum, line) => sum + line.totalMs, 0)).toBeCloseTo(totalMs, 6);
    const matmul = lines.find(({ name }) => name === "matmul")!;
    // Every micro-batch does the same.
    expect(matmul.count % 12).toBe(0);
    expect(matmul.flops).toBeGreaterThan(0);

    const { traceEvents } = JSON.parse(readFileSync(trace, "utf8")) as {
      traceEvents: { name: string; cat?: string; ts: number; dur: number }[];
    };
    const steps = traceEvents.filter(({ cat }) => cat === "span");
    // Two steps came before those that were watched.
    expect(steps.map(({ name }) => name)).toEqual(["step 3", "step 4", "step 5"]);
    const ops = traceEvents.filter(({ cat }) => cat === "op");
    expect(ops.length).toBe(lines.reduce((sum, { count }) => sum + count, 0));
    for (const { ts, dur } of ops) {
      const inside = steps.filter((step) => step.ts <= ts && ts + dur <= step.ts + step.dur + 1e-3);
      expect(inside.length).toBe(1);
    }
  });

  test("prints a table by default, the longest op first, with the machine's own peak", async () => {
    const cwd = temporaryFolder();
    const flags = ["--backend", "cpu", "--threads", "1", "--steps", "1", "--out", "here.json"];
    const { status, stdout } = await runLockstep(["profile", tiny, ...flags], { cwd });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^job "\S+" on cpu: 1 thread of WebAssembly\n/);
    expect(stdout).toMatch(/1 step of 4 micro-batches, after others that are not in the table: forward and backward/);
    expect(stdout).toMatch(/peak measured here: [\d.]+ GB\/s \(a copy\), [\d.]+ GFLOPS/);
    expect(stdout).toMatch(/^op +kernel +calls +total ms +median us +share +read +written +GB\/s/m);
    expect(stdout).toMatch(/^matmul .*%$/m);
    expect(existsSync(join(cwd, "here.json"))).toBe(true);
  });

  test.each([
    ["no steps", [tiny, "--steps", "0"], "it must be a whole number, 1 or more"],
    ["an unknown job", ["no/such/job.ts"], "(E_JOB_NOT_FOUND)"],
    ["an unknown backend", [tiny, "--backend", "cuda"], "Allowed choices are webgpu, cpu, auto"],
    ["a trace in a folder that is not there", [tiny, "--backend", "cpu", "--out", "no/such/t.json"], "(E_USAGE_OUT)"],
    ["a trace that is a folder", [tiny, "--backend", "cpu", "--out", "."], "it is a folder"],
  ] as const)("%s ends with 2 and writes nothing", async (_, args, message) => {
    const cwd = temporaryFolder();
    const { status, stdout, stderr } = await runLockstep(["profile", ...args], { cwd });
    expect(stderr).toContain(message);
    expect([status, stdout, readdirSync(cwd)]).toEqual([2, "", []]);
  });

  test("no adapter ends with 2 where a GPU was asked for, and takes the CPU with a line where it was not", async () => {
    const cwd = temporaryFolder();
    const env = { ...process.env, VK_DRIVER_FILES: "/nowhere/icd.json", VK_ICD_FILENAMES: "/nowhere/icd.json" };
    const asked = await runLockstep(["profile", tiny, "--backend", "webgpu"], { cwd, env });
    expect(asked.status).toBe(2);
    // Without the npm package there is nothing that could look for one.
    expect(asked.stderr).toMatch(/^error: --backend webgpu: webgpu: .+\((E_NO_ADAPTER|E_NO_WEBGPU)\)$/m);
    expect(readdirSync(cwd)).toEqual([]);
    const { status, stderr, stdout } = await runLockstep(["profile", tiny, "--steps", "1", "--threads", "1"], {
      cwd,
      env,
    });
    expect(stderr).toMatch(/^--backend auto profiles the CPU: webgpu: /m);
    expect(stdout).toMatch(/ on cpu: /);
    expect(status).toBe(0);
  });
});
