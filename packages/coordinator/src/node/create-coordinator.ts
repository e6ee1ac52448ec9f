/** @file Makes a coordinator of a run directory that the command has prepared: job.mjs, files/, and maybe a checkpoint to resume. */
import { randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { isLossScale, type JobFile, maxBlobChunkBytes, type NamedBlob } from "@lockstep/protocol";
import * as z from "zod";
import { comparedValue, isBetter } from "../decide/evaluation-metrics.js";
import {
  type BestBy,
  type BestState,
  type CoordinatorTimeouts,
  defaultLossScaling,
  defaultTimeouts,
  defaultTrust,
  type Judge,
  type LossScalePolicy,
  type MetricValues,
  type RunHistory,
  type RunPlan,
  type TrustPolicy,
} from "../state/run-plan.js";
import type { EventLine, MetricsLine, RunSummary } from "../state/run-summary.js";
import type { BlobStore } from "./blob-store.js";
import { recoverCheckpoints, verifyCheckpoint } from "./checkpoint-folder.js";
import { CoordinatorError } from "./coordinator-error.js";
import { CoordinatorShell, type LogLevel } from "./coordinator-shell.js";
import { Journal, type JournalHistory } from "./journal.js";
import { RunDirectory } from "./run-directory.js";
import type { Clock, ServerSocketConstructors } from "./server-sockets.js";

export interface CoordinatorJob {
  readonly name: string;
  /** The whole config; globalBatchSize, evalIntervalSteps and checkpointIntervalSteps are read here, the rest by workers. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly seed: number;
  readonly numMicroBatches: number;
  /** Of `<runDir>/job.mjs`. */
  readonly jobSha256: string;
  /** Each is `<runDir>/files/<sha256>`. */
  readonly files: readonly {
    readonly name: string;
    readonly path: string;
    readonly sha256: string;
    readonly bytes: number;
  }[];
}

export interface CoordinatorLimits {
  /** Between a socket and its hello. Default 10 s. */
  readonly helloTimeoutMs: number;
  /** Default 200 ms. */
  readonly heartbeatIntervalMs: number;
  /** Silence after which a worker that holds nobody up is lost, and most that a member may be silent. Default 10 s. */
  readonly heartbeatTimeoutMs: number;
  /** How long workers try to reach a coordinator that is gone. Default 60 s. */
  readonly reconnectTimeoutMs: number;
  /** Bytes a second of states, gradients for late workers and job files while steps go on. Default undefined: no limit. */
  readonly stateTransferRate: number | undefined;
}

export interface CoordinatorOptions {
  readonly runDir: string;
  readonly job: CoordinatorJob;
  /** CPU class of the run. Default "strict". */
  readonly numeric?: "strict" | "fused" | undefined;
  /** Whether workers may compute gradients on a GPU. Default true; false where the CPU class was asked for. */
  readonly admitsDevices?: boolean | undefined;
  /** Threads of each worker; without it each decides. */
  readonly threads?: number;
  readonly initFrom?: { readonly path: string; readonly sha256: string };
  readonly resume?: { readonly checkpointDir: string; readonly step: number };
  /** Whether `runDir` holds a run that is taken up again, with or without a checkpoint. */
  readonly isTakenUp?: boolean;
  /** Goes on with a copy of a run's directory, as a run of its own. */
  readonly fork?: boolean;
  /** This invocation ends after committing this step. */
  readonly stopAtStep: number;
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Required unless the host is loopback. */
  readonly token?: string;
  readonly minWorkers: number;
  /** Workers without which a run that has begun waits. Default: minWorkers. */
  readonly minWorkersToGoOn?: number;
  readonly maxWorkers: number;
  readonly joinTimeoutMs: number;
  /** A worker that cannot join ends the run ("fail", the default) or is sent away ("refuse"). */
  readonly joinFailure?: "fail" | "refuse";
  readonly versions: { readonly lockstep: string; readonly numerics: number };
  readonly sockets: ServerSocketConstructors;
  readonly clock: Clock;
  readonly wallClock: () => Date;
  readonly timeouts?: Partial<CoordinatorTimeouts>;
  readonly trust?: Partial<TrustPolicy>;
  /** Of workers that compute in 16 bits. */
  readonly lossScaling?: Partial<LossScalePolicy> | undefined;
  readonly limits?: Partial<CoordinatorLimits>;
  /**
   * Asked after every `evalIntervalSteps`-th step but the last, once its evaluation is there; the next step waits for the answer: why the
   * run ends now, or undefined. What it throws ends the run as failed.
   */
  readonly judge?: Judge;
  /** Of a job with metrics: how their values come of their states, and which of them says what state is best. */
  readonly metrics?: { readonly valuesOf: MetricValues; readonly bestBy?: BestBy | undefined };
  readonly onMetrics?: (line: MetricsLine) => void;
  readonly onEvent?: (line: EventLine) => void;
  readonly log?: (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void;
}

export interface Coordinator {
  /** ws://host:port, without the token. */
  readonly url: string;
  readonly port: number;
  /** Settles when the summary is written and every socket closed; never rejects. */
  readonly finished: Promise<RunSummary>;
  /** Finishes the current step, writes a checkpoint, stops. */
  stop(reason: string): void;
  /** Stops now. */
  abort(reason: string): void;
  /** Ends the run as failed, for a reason that only the caller knows. */
  fail(code: string, message: string): void;
  dispose(): Promise<void>;
}

const configSchema = z.object({
  globalBatchSize: z.int().min(1),
  evalIntervalSteps: z.int().min(0).default(0),
  checkpointIntervalSteps: z.int().min(0).default(0),
  checkpointIntervalSeconds: z.number().min(0).default(0),
  keepCheckpoints: z.int().min(0).default(0),
  keepBestCheckpoint: z.boolean().default(false),
});

const defaultLimits: CoordinatorLimits = {
  helloTimeoutMs: 10_000,
  heartbeatIntervalMs: 200,
  heartbeatTimeoutMs: 10_000,
  reconnectTimeoutMs: 60_000,
  stateTransferRate: undefined,
};

/**
 * Takes the run directory and listens. Nothing is trained before enough workers have joined.
 *
 * @throws {CoordinatorError} E_PORT_IN_USE, E_LISTEN, E_TOKEN_REQUIRED, E_RUN_IN_USE, E_CHECKPOINT, E_TOO_MANY_WORKERS,
 *   E_LOSS_SCALE, E_RUN_COPY for the directory of a run that lies elsewhere, E_JOURNAL.
 */
export async function createCoordinator(options: CoordinatorOptions): Promise<Coordinator> {
  const { runDir, job, minWorkers } = options;
  if (minWorkers > job.numMicroBatches) {
    const text = `coordinator: ${minWorkers} workers must join, and a step has ${job.numMicroBatches} micro-batches; each worker must have one. Lower --min-workers or microBatchSize.`;
    throw new CoordinatorError("E_TOO_MANY_WORKERS", text, { minWorkers, numMicroBatches: job.numMicroBatches });
  }
  assertPowersOfTwo({ ...defaultLossScaling, ...options.lossScaling });
  const limits = { ...defaultLimits, ...options.limits };
  const { resume, ...resumed } = await readResume(options);
  const jobBytes = (await stat(join(runDir, "job.mjs"))).size;
  const initFrom = options.initFrom && {
    sha256: options.initFrom.sha256,
    byteLength: (await stat(options.initFrom.path)).size,
  };
  const isResumed = options.resume !== undefined || options.isTakenUp === true;
  const directory = new RunDirectory({ dir: runDir, isResumed, processId: process.pid, isAlive: isProcessAlive });
  let journal: Journal | undefined;
  try {
    await recoverCheckpoints(directory.checkpointsDir);
    const opened = Journal.open(runDir);
    journal = opened.journal;
    const identity = identityOf(options, opened.history);
    const plan = planOf(options, limits, {
      jobBytes,
      initFrom: initFrom ?? null,
      resume,
      resumed,
      ...identity,
      history: isResumed ? historyOf(options, opened.history, directory) : undefined,
    });
    journal.begin({
      ...identity,
      jobSha256: job.jobSha256,
      lockstepVersion: options.versions.lockstep,
    });
    const shell = new CoordinatorShell({
      plan,
      directory,
      journal,
      host: options.host,
      port: options.port,
      token: options.token,
      sockets: options.sockets,
      clock: options.clock,
      wallClock: options.wallClock,
      helloTimeoutMs: limits.helloTimeoutMs,
      stateTransferRate: limits.stateTransferRate,
      onMetrics: options.onMetrics ?? (() => {}),
      onEvent: options.onEvent ?? (() => {}),
      judge: options.judge ?? (async () => undefined),
      log: options.log ?? (() => {}),
    });
    offerBlobs(shell.blobs, options, plan.welcome);
    const { url, port } = await shell.listen();
    return {
      url,
      port,
      finished: shell.finished,
      stop: (reason) => shell.dispatch({ kind: "stop", reason }),
      abort: (reason) => shell.dispatch({ kind: "abort", reason }),
      fail: (code, message) => shell.dispatch({ kind: "broken", code, message }),
      dispose: () => shell.dispose(),
    };
  } catch (error) {
    journal?.dispose();
    directory.dispose();
    throw error;
  }
}

/** @throws {CoordinatorError} E_LOSS_SCALE */
function assertPowersOfTwo({ initial, max, growthSteps }: LossScalePolicy): void {
  if (isLossScale(initial) && isLossScale(max) && initial <= max && Number.isInteger(growthSteps) && growthSteps >= 1)
    return;
  const text = `coordinator: the loss scale is to begin at ${initial}, at most ${max}, and to double after ${growthSteps} steps; both must be powers of two from 1 to 2^40, the first not above the second, and the steps a whole number from 1. Leave them out for ${defaultLossScaling.initial}, ${defaultLossScaling.max} and ${defaultLossScaling.growthSteps}.`;
  throw new CoordinatorError("E_LOSS_SCALE", text, { initial, max, growthSteps });
}

/** Which run this is, and the how-manieth coordinator of it. */
function identityOf(options: CoordinatorOptions, { run, isCopy }: JournalHistory): { runId: string; term: number } {
  if (run !== undefined && isCopy && options.fork !== true) {
    const text = `run directory: ${options.runDir} is a copy of run ${run.runId}, whose own directory lies on ${run.directory.host}; two coordinators must not go on with one run. Give --fork to go on with the copy as a run of its own.`;
    throw new CoordinatorError("E_RUN_COPY", text, { runDir: options.runDir, runId: run.runId });
  }
  if (run === undefined || options.fork === true) return { runId: randomBytes(8).toString("hex"), term: 1 };
  return { runId: run.runId, term: run.term + 1 };
}

/** What the journal says, as the decisions need it. A fork has no members that could come back. */
function historyOf(options: CoordinatorOptions, history: JournalHistory, directory: RunDirectory): RunHistory {
  const startStep = options.resume?.step ?? 0;
  const isFork = options.fork === true;
  const storedSteps = directory.checkpointSteps();
  const best = bestOf(history, options.metrics?.bestBy);
  return {
    generation: history.generation,
    committedStep: isFork ? startStep : Math.max(startStep, history.committedStep),
    metrics:
      history.metrics !== undefined && directory.lastStepOf("metrics.jsonl") < history.metrics.step
        ? history.metrics
        : undefined,
    members: isFork ? [] : history.members,
    storedSteps,
    evaluations: history.evaluations,
    metricValues: history.metricValues,
    lossScales: history.lossScales,
    best: best === undefined ? undefined : { ...best, isStored: storedSteps.includes(best.step) },
    strikes: isFork ? new Map() : history.strikes,
    banned: isFork ? new Map() : history.banned,
  };
}

/** The first of the best evaluations, as the decisions would have chosen it. */
function bestOf(
  { evaluations, metricValues }: JournalHistory,
  bestBy: BestBy | undefined,
): Omit<BestState, "isStored"> | undefined {
  let best: Omit<BestState, "isStored"> | undefined;
  for (const [step, evalLoss] of [...evaluations].sort((a, b) => a[0] - b[0])) {
    const value = comparedValue({ evalLoss, metrics: metricValues.get(step) }, bestBy);
    if (value === undefined || (best !== undefined && !isBetter(value, best.value, bestBy))) continue;
    best = { step, evalLoss, value };
  }
  return best;
}

type Welcome = RunPlan["welcome"];

interface Resumed {
  readonly resume: Welcome["resume"];
  readonly paramsSha256: string | undefined;
  readonly stateHash: string | undefined;
}

async function readResume({ resume }: CoordinatorOptions): Promise<Resumed> {
  if (resume === undefined) return { resume: null, paramsSha256: undefined, stateHash: undefined };
  const manifest = await verifyCheckpoint(resume.checkpointDir);
  if (manifest.step !== resume.step) {
    const text = `checkpoint: ${resume.checkpointDir} holds step ${manifest.step}; it must hold step ${resume.step}. Do not rename checkpoints.`;
    throw new CoordinatorError("E_CHECKPOINT", text, { step: manifest.step, expected: resume.step });
  }
  return {
    resume: { step: manifest.step, files: manifest.files satisfies NamedBlob[] },
    paramsSha256: manifest.paramsSha256,
    stateHash: manifest.stateHash,
  };
}

function planOf(
  options: CoordinatorOptions,
  limits: CoordinatorLimits,
  blobs: {
    readonly jobBytes: number;
    readonly initFrom: Welcome["initFrom"];
    readonly resume: Welcome["resume"];
    readonly resumed: Omit<Resumed, "resume">;
    readonly runId: string;
    readonly term: number;
    readonly history: RunHistory | undefined;
  },
): RunPlan {
  const { job } = options;
  const { paramsSha256, stateHash } = blobs.resumed;
  const config = configSchema.parse(job.config);
  const files = job.files.map(
    ({ name, path, sha256, bytes }): JobFile => ({ logicalName: name, path, sha256, byteLength: bytes }),
  );
  return {
    lockstepVersion: options.versions.lockstep,
    numericsVersion: options.versions.numerics,
    numMicroBatches: job.numMicroBatches,
    samplesPerStep: config.globalBatchSize,
    startStep: options.resume?.step ?? 0,
    ...(paramsSha256 === undefined ? {} : { startParamsSha256: paramsSha256 }),
    ...(stateHash === undefined ? {} : { startStateHash: stateHash }),
    stopStep: options.stopAtStep,
    evalIntervalSteps: config.evalIntervalSteps,
    isJudged: options.judge !== undefined,
    admitsDevices: options.admitsDevices ?? true,
    metricValues: options.metrics?.valuesOf,
    checkpoints: {
      intervalSteps: config.checkpointIntervalSteps,
      intervalMs: config.checkpointIntervalSeconds * 1_000,
      keepsBest: config.keepBestCheckpoint,
      bestBy: options.metrics?.bestBy,
      keepLast: config.keepCheckpoints,
    },
    trust: { ...defaultTrust, ...options.trust },
    lossScaling: { ...defaultLossScaling, ...options.lossScaling },
    minWorkers: options.minWorkers,
    minWorkersToGoOn: options.minWorkersToGoOn ?? options.minWorkers,
    maxWorkers: options.maxWorkers,
    joinFailure: options.joinFailure ?? "fail",
    timeouts: { ...defaultTimeouts, ...options.timeouts, joinMs: options.joinTimeoutMs },
    history: blobs.history,
    welcome: {
      runId: blobs.runId,
      term: blobs.term,
      jobName: job.name,
      jobBundle: { sha256: job.jobSha256, byteLength: blobs.jobBytes },
      configJson: JSON.stringify(job.config),
      files,
      seed: job.seed,
      numeric: options.numeric ?? "strict",
      threads: options.threads ?? null,
      initFrom: blobs.initFrom,
      resume: blobs.resume,
      stopStep: options.stopAtStep,
      heartbeatIntervalMs: limits.heartbeatIntervalMs,
      heartbeatTimeoutMs: limits.heartbeatTimeoutMs,
      reconnectTimeoutMs: limits.reconnectTimeoutMs,
      maxChunkBytes: maxBlobChunkBytes,
    },
  };
}

function offerBlobs(blobs: BlobStore, { runDir, resume, initFrom }: CoordinatorOptions, welcome: Welcome): void {
  blobs.addFile(welcome.jobBundle.sha256, join(runDir, "job.mjs"), welcome.jobBundle.byteLength);
  for (const { sha256, byteLength } of welcome.files) blobs.addFile(sha256, join(runDir, "files", sha256), byteLength);
  if (initFrom !== undefined && welcome.initFrom !== null)
    blobs.addFile(initFrom.sha256, initFrom.path, welcome.initFrom.byteLength);
  for (const { name, sha256, byteLength } of welcome.resume?.files ?? [])
    blobs.addFile(sha256, join(resume!.checkpointDir, name), byteLength);
}

function isProcessAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
}
