/** @file `npm run bench`: measures, prints a table, compares with the committed baseline. What it takes: `usage` below. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { BackendError } from "@lockstep/core";
import { readCommandLine } from "../../tools/command-line.mjs";
import { type BenchContext, type BenchResult, type BenchSuite, resultOf } from "./bench-row.js";
import { formatTable } from "./table.js";
import { findTorchPython } from "./torch-peer.js";

const suites: Readonly<Record<string, () => Promise<BenchSuite>>> = {
  arrays: async () => (await import("./arrays.js")).arrays,
  gemm: async () => (await import("./gemm.js")).gemm,
  "train-step": async () => (await import("./train-step.js")).trainStep,
  "all-reduce": async () => (await import("./all-reduce.js")).allReduce,
  scaling: async () => (await import("./scaling.js")).scaling,
  recovery: async () => (await import("./recovery.js")).recovery,
  webgpu: async () => (await import("./webgpu.js")).webgpu,
  "webgpu-train": async () => (await import("./webgpu-train.js")).webgpuTrain,
  "webgpu-gemm": async () => (await import("./webgpu-gemm.js")).webgpuGemm,
};

export interface BenchFile {
  readonly machine: string;
  readonly node: string;
  readonly commit: string;
  readonly rows: readonly BenchResult[];
}

/** Suites that take many minutes, or need what is not installed, run only when they are named. */
const onlyWhenNamed = ["recovery", "webgpu", "webgpu-gemm", "webgpu-train"];

const usage = `npm run bench -- [SUITE...] [OPTION...]

Measures, prints a table and compares it with benchmarks/baselines. Nothing else should run meanwhile.

SUITE          one of ${Object.keys(suites).join(", ")};
               default all but recovery, which takes many minutes, and the webgpu suites, which need npm install webgpu@0.6.2
--runs N       runs of each measurement, ours and the peer's in turn; default 5
--only A,B     only these models of a suite, or sizes of webgpu-gemm
--peak TFLOPS  webgpu-gemm: the card's f32 peak, as its maker gives it; adds the share of it that was reached
--faults N     recovery: kills to measure; default 20
--full         recovery: 100 kills
--json FILE    writes the results there
--accept       makes the results the baseline
--help         this`;

const baselineFile = new URL("../baselines/baseline.json", import.meta.url);

async function main(): Promise<number> {
  const given = readCommandLine({
    name: "bench",
    usage,
    allowPositionals: true,
    options: {
      runs: { type: "string", default: "5" },
      only: { type: "string" },
      faults: { type: "string" },
      peak: { type: "string" },
      full: { type: "boolean", default: false },
      json: { type: "string" },
      accept: { type: "boolean" },
    },
  });
  if (typeof given === "number") return given;
  const { values, positionals } = given;
  const problem = problemOf(positionals, values);
  if (problem !== undefined) {
    console.error(`bench: ${problem}`);
    return 2;
  }
  const context: BenchContext = {
    runs: Number(values.runs),
    isFull: values.full,
    faults: values.faults === undefined ? undefined : Number(values.faults),
    only: values.only?.split(",") ?? [],
    peakTflops: values.peak === undefined ? undefined : Number(values.peak),
    nowMs: () => performance.now(),
    log: (line) => console.error(line),
  };
  if (findTorchPython() === undefined)
    console.error("bench: no python3 here imports torch, so the PyTorch columns are empty.");
  const results: BenchResult[] = [];
  const all = Object.keys(suites).filter((name) => !onlyWhenNamed.includes(name));
  for (const name of positionals.length > 0 ? positionals : all) {
    const suite = await suites[name]?.();
    try {
      for (const row of (await suite?.(context)) ?? []) results.push(resultOf(row));
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      console.error(`bench: ${error.message}`);
      return 1;
    }
  }
  const file: BenchFile = {
    machine: `${cpus()[0]?.model ?? "unknown"}, ${cpus().length} cores`,
    node: process.version,
    commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim(),
    rows: results,
  };
  console.log(formatTable(results));
  printChange(results);
  if (values.json) writeFileSync(values.json, `${JSON.stringify(file, null, 2)}\n`);
  if (values.accept)
    writeFileSync(baselineFile, `${JSON.stringify(withOthers(file, values.only !== undefined), null, 2)}\n`);
  return 0;
}

/** What is wrong with what was asked for. */
function problemOf(
  names: readonly string[],
  {
    runs,
    faults,
    peak,
  }: { readonly runs: string; readonly faults?: string | undefined; readonly peak?: string | undefined },
): string | undefined {
  const unknown = names.find((name) => !Object.hasOwn(suites, name));
  if (unknown !== undefined) return `there is no suite "${unknown}"; the suites are ${Object.keys(suites).join(", ")}.`;
  const isCount = (value: string) => Number.isInteger(Number(value)) && Number(value) >= 1;
  if (!isCount(runs)) return `--runs is ${runs}; it must be a whole number from 1.`;
  if (faults !== undefined && !isCount(faults)) return `--faults is ${faults}; it must be a whole number from 1.`;
  if (peak !== undefined && !(Number(peak) > 0)) return `--peak is ${peak}; it must be a number of TFLOPS above 0.`;
  return undefined;
}

/** The results, and of the present baseline what was not measured now: other suites, and with --only other models of these. */
function withOthers(file: BenchFile, isPart: boolean): BenchFile {
  if (!existsSync(baselineFile)) return file;
  const baseline = JSON.parse(readFileSync(baselineFile, "utf8")) as BenchFile;
  const keyOf = ({ suite, name }: BenchResult): string => (isPart ? `${suite} ${name}` : suite);
  const measured = new Set(file.rows.map(keyOf));
  return { ...file, rows: [...baseline.rows.filter((row) => !measured.has(keyOf(row))), ...file.rows] };
}

/** One line for each figure whose ratio to a peer (or, without peer, whose median) left the baseline by more than 15 %. */
function printChange(results: readonly BenchResult[]): void {
  if (!existsSync(baselineFile)) return;
  const baseline = JSON.parse(readFileSync(baselineFile, "utf8")) as BenchFile;
  for (const now of results) {
    const then = baseline.rows.find((r) => r.suite === now.suite && r.name === now.name && r.metric === now.metric);
    if (!then) continue;
    const peer = Object.keys(now.ratio).find((name) => then.ratio[name] !== undefined);
    const change = peer ? (now.ratio[peer] ?? 1) / (then.ratio[peer] ?? 1) : now.median / then.median;
    if (Math.abs(change - 1) <= 0.15) continue;
    console.log(
      `baseline: ${now.suite} ${now.name} ${now.metric}: ${change.toFixed(2)} x of ${baseline.commit}${peer ? ` (ratio to ${peer})` : ""}`,
    );
  }
}

process.exitCode = await main();
