/**
 * @file One run from its first line to its last, for `run` and `coordinator` alike: starts the coordinator, shows progress, turns
 * Ctrl-C into a stop, prints the end.
 */
import { relative } from "node:path";
import {
  type CoordinatorOptions,
  createCoordinator,
  type MetricsLine,
  type RunSummary,
} from "@lockstep/coordinator/node";
import { numericsVersion } from "@lockstep/core";
import { WebSocketServer } from "ws";
import { type ExitStatus, exitStatus } from "./exit-status.js";
import type { LogFlags } from "./flags/common-flags.js";
import { onInterrupt } from "./interrupt.js";
import type { PlannedRun } from "./plan-run.js";
import { systemClock } from "./system-clock.js";
import { formatBytes, formatCount, formatDuration } from "./terminal/format.js";
import { type CurvePoint, drawLossCurve } from "./terminal/loss-curve.js";
import { createProgressView, type ProgressView } from "./terminal/progress.js";
import { version } from "./version.js";

export interface SuperviseOptions extends LogFlags {
  readonly host: string;
  readonly port: number;
  readonly token: string;
  readonly minWorkers: number;
  /** Workers without which a run that has begun waits. Default: minWorkers. */
  readonly minWorkersToGoOn?: number;
  readonly maxWorkers: number;
  readonly joinTimeoutMs: number;
  /** Share of micro-batches that a second worker computes again. */
  readonly audit?: number;
  /** Loss scale with which workers in 16 bits begin. Default: the coordinator's. */
  readonly lossScale?: number;
  /** Bytes a second of blobs while steps go on. */
  readonly stateTransferRate?: number;
  /** A worker that cannot join ends the run, or is sent away. */
  readonly joinFailure: "fail" | "refuse";
  /** Called when the coordinator listens; what it returns is stopped at the end. */
  readonly onListening: (run: ListeningRun) => Promise<{ stop(graceMs: number): Promise<void> } | undefined>;
  /** Sees every committed step and every event, after the progress view. */
  readonly observe?: {
    onMetrics(metrics: MetricsLine): void;
    onEvent(event: { readonly type: string; readonly [field: string]: unknown }): void;
    /** The run is over; the workers are about to be stopped. */
    stop(): void;
  };
  /** Says after each evaluation whether the run goes on. */
  readonly judge?: CoordinatorOptions["judge"];
  /** Printed under the summary. */
  readonly farewell: (url: string) => string;
}

export interface ListeningRun {
  readonly url: string;
  readonly view: ProgressView;
  /** Whether a worker of this name has said hello. */
  readonly hasJoined: (name: string) => boolean;
  /** Workers that are connected now. */
  readonly numConnected: () => number;
  /** Ends the run as failed. */
  readonly fail: (code: string, message: string) => void;
}

const workersGraceMs = 2_000;

export async function superviseRun(plan: PlannedRun, options: SuperviseOptions): Promise<ExitStatus> {
  const summary = await superviseToEnd(plan, options);
  if (summary.error) process.stderr.write(`error: ${summary.error.message} (${summary.error.code})\n`);
  return statusOfSummary(summary);
}

/** As `superviseRun`, for callers that say themselves how it ended. */
export async function superviseToEnd(plan: PlannedRun, options: SuperviseOptions): Promise<RunSummary> {
  const view = createProgressView({
    format: options.logFormat,
    quiet: options.quiet,
    lastStep: plan.stopAtStep,
    stream: process.stdout,
    nowMs: Date.now,
  });
  const curve = { train: [] as CurvePoint[], evaluations: [] as CurvePoint[] };
  const joined = new Set<string>();
  const connected = new Set<unknown>();
  if (plan.warning !== undefined) view.warn(plan.warning);
  plan.commit();
  const coordinator = await createCoordinator({
    ...plan.coordinator,
    host: options.host,
    port: options.port,
    token: options.token,
    minWorkers: options.minWorkers,
    ...(options.minWorkersToGoOn === undefined ? {} : { minWorkersToGoOn: options.minWorkersToGoOn }),
    maxWorkers: options.maxWorkers,
    trust: { auditRate: options.audit ?? 0 },
    ...(options.lossScale === undefined ? {} : { lossScaling: { initial: options.lossScale } }),
    limits: { stateTransferRate: options.stateTransferRate },
    joinTimeoutMs: options.joinTimeoutMs,
    joinFailure: options.joinFailure,
    ...(options.judge === undefined ? {} : { judge: options.judge }),
    versions: { lockstep: version, numerics: numericsVersion },
    sockets: { WebSocketServer },
    clock: systemClock,
    wallClock: () => new Date(),
    log: (level, message, fields) => {
      if (level === "warn" || level === "error") view.warn(message, fields);
    },
    onMetrics: (metrics) => {
      if (metrics.loss !== null) curve.train.push({ step: metrics.step, loss: metrics.loss });
      view.step(metrics);
      options.observe?.onMetrics(metrics);
    },
    onEvent: (event) => {
      if (event.type === "evaluated" && typeof event.evalLoss === "number") {
        curve.evaluations.push({ step: Number(event.step), loss: event.evalLoss });
      }
      if (event.type === "joined") joined.add(String(event.name));
      if (event.type === "joined" || event.type === "returned") connected.add(event.workerId);
      if (["left", "evicted", "refused", "banned"].includes(event.type)) connected.delete(event.workerId);
      showEvent(view, event);
      options.observe?.onEvent(event);
    },
  }).catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== "E_RUN_IN_USE") plan.rollback();
    throw error;
  });
  const stopListening = onInterrupt({
    first: () => {
      view.warn("stopping after this step and writing a checkpoint; Ctrl-C again stops now");
      coordinator.stop("interrupted");
    },
    second: () => coordinator.abort("interrupted twice"),
  });
  try {
    const { url, fail } = coordinator;
    const workers = await options.onListening({
      url,
      view,
      hasJoined: (name) => joined.has(name),
      numConnected: () => connected.size,
      fail,
    });
    const summary = await coordinator.finished;
    options.observe?.stop();
    await workers?.stop(workersGraceMs);
    view.end();
    if (!options.quiet && options.logFormat === "pretty" && summary.steps > 0) {
      process.stdout.write(describeEnd(summary, plan.runDir, drawLossCurve(curve.train, curve.evaluations)));
      process.stdout.write(options.farewell(coordinator.url));
    }
    return summary;
  } finally {
    stopListening();
    await coordinator.dispose();
  }
}

function statusOfSummary(summary: Pick<RunSummary, "status" | "error">): ExitStatus {
  if (summary.status === "completed") return exitStatus.completed;
  if (summary.status === "interrupted") return exitStatus.interrupted;
  return summary.error?.code === "E_JOIN_TIMEOUT" ? exitStatus.notEnoughWorkers : exitStatus.failed;
}

/** Events a person wants to read while the run goes on; the rest stands in events.jsonl. */
function showEvent(view: ProgressView, event: { readonly type: string; readonly reason?: string }): void {
  const shown = [
    "joined",
    "returned",
    "heard",
    "resumed",
    "generation",
    "evaluated",
    "checkpoint",
    "notice",
    "lossScale",
    "stopping",
  ];
  const warned = [
    ...["checkpointFailed", "failed", "left", "refused", "suspect", "evicted", "waiting", "attempt"],
    ...["strike", "banned", "outvoted", "late"],
  ];
  const text = event.reason ?? event.type;
  if (warned.includes(event.type)) view.warn(text, event);
  else if (shown.includes(event.type)) view.note(text, event);
}

function describeEnd(summary: RunSummary, runDir: string, curve: string): string {
  const rate =
    summary.tokensPerSec === undefined || summary.tokensPerSec === null
      ? `${formatCount(summary.samplesPerSec)} samples/s`
      : `${formatCount(summary.tokensPerSec)} tokens/s`;
  const loss = (value: number | null | undefined) => (typeof value === "number" ? value.toFixed(4) : "none");
  return [
    "",
    ...(curve === "" ? [] : [curve, ""]),
    `${summary.status} after ${summary.steps} steps in ${formatDuration(summary.wallMs)}: train loss ${loss(summary.trainLoss)}, held-out loss ${loss(summary.evalLoss)}`,
    ...Object.entries(summary.metrics ?? {}).map(([name, value]) => `${name} ${value.toFixed(4)}`),
    `${summary.worldSize} worker${summary.worldSize === 1 ? "" : "s"}, ${rate}, ${formatBytes(Math.round(summary.bytesSentPerWorkerPerStep))} sent per worker and step`,
    ...(summary.paramsSha256 ? [`paramsSha256 ${summary.paramsSha256}`] : []),
    `run directory ${relative(process.cwd(), runDir) || runDir}`,
    "",
  ].join("\n");
}
