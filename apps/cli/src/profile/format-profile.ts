/** @file A profile as people read it. Pure. */
import type { OpLine, ProfileLine } from "@lockstep/gpu-backend/profiling";
import { formatBytes, formatCount, formatTable } from "../terminal/format.js";
import type { JobProfile, PlainStep } from "./profile-job.js";

const none = "-";

export function formatProfile(profile: JobProfile): string {
  const { job, backend, machine, numSteps, numMicroBatches, stepIs, summary, memory, peak } = profile;
  const { usedBytes, peakBytes, reservedBytes, numBuffers } = memory;
  const columns = ["op", "kernel", profile.backend === "cpu" ? "calls" : "launches", "total ms", "median us", "share"];
  const work = ["read", "written", "GB/s", "of peak", "flops", "GFLOPS", "of peak"];
  return [
    `job "${job}" on ${backend}: ${machine}`,
    ...warningsOf(profile),
    "",
    `${count(numSteps, "step")} of ${count(numMicroBatches, "micro-batch", "micro-batches")}, after others that are not in the table: ${stepIs}`,
    ...stepLines(profile),
    `memory: ${formatBytes(usedBytes)} in ${numBuffers} buffers between steps, ${formatBytes(peakBytes)} at most, ${formatBytes(reservedBytes)} taken from the ${backend === "cpu" ? "system" : "device"}`,
    `peak measured here: ${perSecond(peak.bytesPerSecond)} GB/s (a copy), ${perSecond(peak.flopsPerSecond)} GFLOPS (${backend === "cpu" ? "a small product" : "multiply-adds in registers"})`,
    "",
    formatTable([[...columns, ...work], ...summary.lines.flatMap(rowsOf)]),
  ].join("\n");
}

function warningsOf({ isSoftware, timeSource, summary }: JobProfile): string[] {
  const lines: string[] = [];
  if (isSoftware) {
    lines.push(
      "this adapter computes on the CPU: its kernel times mean nothing for a GPU; launches, bytes and flops hold",
    );
  }
  if (timeSource === "ops run alone") {
    lines.push(
      "this adapter has no timestamp-query: times are of each op run alone, from submit to done, and kernels have none",
    );
  }
  if (summary.numUntimed > 0) {
    lines.push(`the device gave no time for ${summary.numUntimed} of ${summary.numLaunches} launches`);
  }
  return lines;
}

function stepLines(profile: JobProfile): string[] {
  const { plainStep, replayedStep, notReplayed, watchedMs, numSteps, summary } = profile;
  const watched = `watched: ${ms(watchedMs / numSteps)} a step, ${ms(summary.totalMs / numSteps)} of it in`;
  if (plainStep.recording === undefined) return [`a step takes ${ms(plainStep.wallMs)}; ${watched} ops`];
  return [
    `op by op a step takes ${stepText(plainStep)}`,
    ...(replayedStep === undefined ? [] : [`replayed it takes ${stepText(replayedStep)}`]),
    ...(notReplayed === undefined ? [] : [notReplayed]),
    `${watched} kernels, one after another`,
  ];
}

function stepText({ wallMs, recording }: PlainStep): string {
  const { javaScriptMs, numLaunches, numSubmits } = recording!;
  const perLaunch = numLaunches === 0 ? 0 : (1000 * javaScriptMs) / numLaunches;
  return `${ms(wallMs)}: ${numLaunches} launches in ${numSubmits} submits, ${ms(javaScriptMs)} of JavaScript, ${perLaunch.toFixed(1)} us a launch`;
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

/** An op, and its kernels where it has several. */
function rowsOf(line: OpLine): string[][] {
  const { kernels, numLaunches } = line;
  if (kernels.length === 0) return [[line.name, "", ...figuresOf(line, line.count)]];
  if (kernels.length === 1) return [[line.name, kernels[0]!.name, ...figuresOf(line, numLaunches)]];
  return [
    [line.name, `${kernels.length} kernels`, ...figuresOf(line, numLaunches)],
    ...kernels.map((kernel) => ["", kernel.name, ...figuresOf(kernel, kernel.count)]),
  ];
}

function figuresOf(line: ProfileLine, times: number): string[] {
  const { totalMs, medianMs, share, flops } = line;
  const hasFlops = flops !== undefined && flops > 0;
  return [
    String(times),
    totalMs === undefined ? none : totalMs.toFixed(2),
    medianMs === undefined ? none : (1000 * medianMs).toFixed(1),
    percent(share),
    formatBytes(line.readBytes),
    formatBytes(line.writtenBytes),
    line.bytesPerSecond === undefined ? none : perSecond(line.bytesPerSecond),
    percent(line.bytesShare),
    hasFlops ? formatCount(flops) : none,
    hasFlops && line.flopsPerSecond !== undefined ? perSecond(line.flopsPerSecond) : none,
    hasFlops ? percent(line.flopsShare) : none,
  ];
}

/** In units of 10^9. */
function perSecond(value: number): string {
  const giga = value / 1e9;
  return giga >= 100 ? giga.toFixed(0) : giga.toPrecision(3);
}

function percent(share: number | undefined): string {
  return share === undefined ? none : `${(100 * share).toFixed(1)}%`;
}

function count(value: number, one: string, many = `${one}s`): string {
  return `${value} ${value === 1 ? one : many}`;
}
