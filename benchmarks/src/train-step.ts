/**
 * @file Training steps of the models of bench-models.ts in one process and one thread: ours, strict and fused, whole batches and M = 4, with PyTorch's
 * measured in turn.
 */
import type { Backend } from "@lockstep/core";
import { createNodeCpuBackend } from "@lockstep/core/node";
import { createWork, type Work, type WorkName, workNames } from "./bench-models.js";
import { type BenchContext, type BenchRow, summarize } from "./bench-row.js";
import { checkCostMs } from "./check-cost.js";
import { findTorchPython, TorchPeer } from "./torch-peer.js";

const secondsPerRun = 4;
const numericClasses = ["strict", "fused"] as const;

interface Case {
  readonly label: string;
  readonly work: Work;
  readonly values: number[];
}

export async function trainStep(context: BenchContext): Promise<readonly BenchRow[]> {
  const names = workNames.filter((name) => context.only.length === 0 || context.only.includes(name));
  if (names.length === 0) {
    throw new Error(`train-step: no model is named ${context.only.join(", ")}; they are ${workNames.join(", ")}.`);
  }
  const python = findTorchPython();
  const torch = python === undefined ? undefined : new TorchPeer(python);
  try {
    const rows: BenchRow[] = [];
    for (const name of names) rows.push(...(await measureModel(context, name, torch)));
    return rows;
  } finally {
    torch?.dispose();
  }
}

async function measureModel(context: BenchContext, name: WorkName, torch: TorchPeer | undefined): Promise<BenchRow[]> {
  const backends = numericClasses.map((numeric) => createNodeCpuBackend({ numeric, threads: 1 }));
  const cases = backends.flatMap((backend) =>
    [1, 4].map((numMicroBatches) => createCase(backend, name, numMicroBatches)),
  );
  const torchValues: number[] = [];
  for (const { work } of cases) for (let i = 0; i < 3; i++) work.step();
  for (let run = 0; run < context.runs; run++) {
    context.log(`train-step: ${name}, run ${run + 1} of ${context.runs}`);
    if (torch !== undefined) torchValues.push(await torch.measure(name, secondsPerRun));
    for (const { work, values } of cases) values.push(rateOf(work, context.nowMs));
  }
  const extra = name === "gpt-small" ? [checkCostRow(context, backends[0]!, cases[1]!)] : [];
  for (const backend of backends) backend.dispose();
  const peers = torch === undefined ? {} : { peers: { torch: torchValues } };
  const rows = cases.map(({ label, work, values }) => {
    return { suite: "train-step", name, metric: label, unit: work.unit, values, ...peers };
  });
  return [...rows, ...extra];
}

/** Share of a strict step with M = 4 that hashes and finite checks take. */
function checkCostRow(context: BenchContext, backend: Backend, { work, values }: Case): BenchRow {
  const stepMs = (work.unitsPerStep * 1000) / summarize(values).median;
  const shares = Array.from({ length: context.runs }, () => (100 * checkCostMs(backend, 4, context.nowMs)) / stepMs);
  return { suite: "train-step", name: "gpt-small", metric: "hashes and checks of a step", unit: "%", values: shares };
}

function createCase(backend: Backend, name: WorkName, numMicroBatches: number): Case {
  return {
    label: `${backend.numericClass} M=${numMicroBatches}`,
    work: createWork(backend, name, numMicroBatches),
    values: [],
  };
}

function rateOf(work: Work, nowMs: () => number): number {
  const startMs = nowMs();
  let steps = 0;
  let elapsedMs = 0;
  while (steps < 2 || elapsedMs < secondsPerRun * 1000) {
    work.step();
    steps++;
    elapsedMs = nowMs() - startMs;
  }
  return (steps * work.unitsPerStep * 1000) / elapsedMs;
}
