/** @file A status report in words: a few lines about the run, a table of its workers, who was banned. Pure. */
import type { StatusReport, StatusWorker } from "@lockstep/coordinator/node";
import { formatBytes, formatCount, formatDuration, formatTable } from "../terminal/format.js";

export function formatStatus(report: StatusReport): string {
  const lines = [
    `${report.jobName}: ${report.phase}, step ${report.step} of ${report.stopStep}, generation ${report.generation}, attempt ${report.attempt}`,
    `run ${report.runId}, term ${report.term}, for ${formatDuration(report.wallMs)}`,
  ];
  if (report.waiting !== null) lines.push(`waiting: ${report.waiting}`);
  lines.push(describeStepTime(report), describeLosses(report), describeCheckpoint(report));
  if (report.checkpointError !== null) lines.push(`checkpoint failed: ${report.checkpointError}`);
  lines.push("", report.workers.length === 0 ? "no workers" : workerTable(report));
  lines.push(...report.banned.map(({ name, workerId, reason }) => `banned: ${name} (${workerId}): ${reason}`));
  return lines.join("\n");
}

/** What of the last step was computing, what was exchange, and what is left: waiting for the slowest, the commit. */
function describeStepTime({ lastStep, medianStepMs }: StatusReport): string {
  if (lastStep === null) return "step time: none committed yet";
  const { stepMs, computeMs, commMs, bytesSent, tokensPerSec, samplesPerSec } = lastStep;
  const share = (ms: number) => `${ms.toFixed(1)} ms (${Math.round((100 * ms) / Math.max(stepMs, 1e-3))} %)`;
  const rest = Math.max(0, stepMs - computeMs - commMs);
  const rate =
    tokensPerSec === null ? `${formatCount(samplesPerSec)} samples/s` : `${formatCount(tokensPerSec)} tokens/s`;
  const median = medianStepMs === null ? "" : `, median ${medianStepMs.toFixed(1)} ms`;
  return `step time: ${stepMs.toFixed(1)} ms${median} = compute ${share(computeMs)} + exchange ${share(commMs)} + rest ${share(rest)}; ${rate}, ${formatBytes(Math.round(bytesSent))} sent per worker`;
}

/** ", name 0.1234" of each. */
function namedNumbers(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `, ${name} ${value.toFixed(4)}`)
    .join("");
}

function describeLosses({ trainLoss, evalLoss, metrics }: StatusReport): string {
  const loss = (value: number | null) => value?.toFixed(4) ?? "none";
  return `train loss ${loss(trainLoss)}, held-out loss ${loss(evalLoss)}${namedNumbers(metrics ?? {})}`;
}

function describeCheckpoint({ checkpoint, bestCheckpoint }: StatusReport): string {
  if (checkpoint === null) return "checkpoint: none yet";
  const best =
    bestCheckpoint === null
      ? ""
      : `; best of step ${bestCheckpoint.step}, held-out loss ${bestCheckpoint.evalLoss.toFixed(4)}`;
  return `checkpoint: step ${checkpoint.step}, ${formatDuration(checkpoint.ageMs)} old (${checkpoint.reason})${best}`;
}

const header = "worker rank status step share ms/micro-batch compute exchange sent silent strikes class".split(" ");

function workerTable({ workers }: StatusReport): string {
  const total = workers.reduce((sum, { microBatches }) => sum + microBatches, 0);
  const order = (worker: StatusWorker) => worker.rank ?? Number.POSITIVE_INFINITY;
  const sorted = [...workers].sort((a, b) => (order(a) === order(b) ? 0 : order(a) - order(b)));
  const number = (value: number | null, digits = 0) => value?.toFixed(digits) ?? "-";
  const rows = sorted.map((worker) => [
    worker.name,
    number(worker.rank),
    worker.status,
    number(worker.step),
    worker.microBatches === 0 ? "-" : `${worker.microBatches}/${total}`,
    number(worker.microBatchMs, 1),
    worker.computeMs === null ? "-" : `${number(worker.computeMs, 1)} ms`,
    worker.commMs === null ? "-" : `${number(worker.commMs, 1)} ms`,
    worker.bytesSent === null ? "-" : formatBytes(worker.bytesSent),
    formatDuration(worker.silentMs),
    String(worker.strikes),
    worker.numericClass ?? "-",
  ]);
  return formatTable([header, ...rows]);
}
