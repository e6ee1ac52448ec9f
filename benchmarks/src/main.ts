/**
 * @file `npm run bench -- [SUITE...] [--only NAME,...] [--runs N] [--json FILE] [--accept]`: measures, prints a table, compares with the
 * committed baseline; --accept makes the results the baseline.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
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
};

export interface BenchFile {
  readonly machine: string;
  readonly node: string;
  readonly commit: string;
  readonly rows: readonly BenchResult[];
}

/** Suites that take many minutes run only when they are named. */
const onlyWhenNamed = ["recovery"];

const baselineFile = new URL("../baselines/baseline.json", import.meta.url);

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "string" },
      runs: { type: "string", default: "5" },
      accept: { type: "boolean" },
      full: { type: "boolean", default: false },
      faults: { type: "string" },
      only: { type: "string" },
    },
  });
  const runs = Number(values.runs);
  const faults = values.faults === undefined ? undefined : Number(values.faults);
  const isCount = (value: number) => Number.isInteger(value) && value >= 1;
  const unknown = positionals.filter((name) => !(name in suites));
  if (unknown.length > 0 || !isCount(runs) || !isCount(faults ?? 1)) {
    console.error(
      `bench: suites are ${unknown.join(", ")}, runs is ${values.runs}, faults ${values.faults}; a suite must be one of ${Object.keys(suites).join(", ")}, runs and faults positive integers.`,
    );
    return 2;
  }
  const context: BenchContext = {
    runs,
    isFull: values.full,
    faults,
    only: values.only?.split(",") ?? [],
    nowMs: () => performance.now(),
    log: (line) => console.error(line),
  };
  if (findTorchPython() === undefined)
    console.error("bench: no python3 here imports torch, so the PyTorch columns are empty.");
  const results: BenchResult[] = [];
  const all = Object.keys(suites).filter((name) => !onlyWhenNamed.includes(name));
  for (const name of positionals.length > 0 ? positionals : all) {
    const suite = await suites[name]?.();
    for (const row of (await suite?.(context)) ?? []) results.push(resultOf(row));
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
