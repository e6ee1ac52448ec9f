/** @file What the coordinator was told to run. Fixed for the invocation; the decisions read it and never change it. */
import type { MessageBody } from "@lockstep/protocol";
import type { MetricsLine } from "./run-summary.js";

/** How long each wait may take before it ends in a decision (L7). All in ms. */
export interface CoordinatorTimeouts {
  /** From the start, or from when too few are left, until enough workers are there. Default 300 s. */
  readonly joinMs: number;
  /** From a worker's welcome until its probe is reported: it fetches files and builds the model. Default 600 s. */
  readonly prepareMs: number;
  /** Members dial one another. Default 15 s. */
  readonly linkMs: number;
  /** First step of a run: kernels are compiled. Default 600 s. */
  readonly firstStepMs: number;
  /** Least deadline of later steps; 20 times the slowest recent step when that is more. Default 20 s. */
  readonly minStepMs: number;
  /** Update, evaluation and checkpoint after a commit. Default 900 s. */
  readonly followMs: number;
  /** The checkpoint of a run that is ending early. Default 10 s. */
  readonly lastCheckpointMs: number;
  /** Silence after which a worker is a suspect. Default 600 ms. */
  readonly suspectMs: number;
  /** Least silence after which a member is evicted; 1.5 median steps when that is more. Default 1.2 s. */
  readonly minEvictMs: number;
  /**
   * How long members may take to come back: those of a run that is taken up again once the first has, and all of them when nobody
   * who holds the state is left and a new worker could begin with a checkpoint. Default 3 s.
   */
  readonly returnMs: number;
  /** How long the state and the gradients for a joiner whose line broke are kept. Default 10 s. */
  readonly rejoinMs: number;
  /** How long members pause for a worker that is nearly level. Default 2 s. */
  readonly joinPauseMs: number;
}

export const defaultTimeouts: CoordinatorTimeouts = Object.freeze({
  joinMs: 300_000,
  prepareMs: 600_000,
  linkMs: 15_000,
  firstStepMs: 600_000,
  minStepMs: 20_000,
  followMs: 900_000,
  lastCheckpointMs: 10_000,
  suspectMs: 600,
  minEvictMs: 1_200,
  returnMs: 3_000,
  rejoinMs: 10_000,
  joinPauseMs: 2_000,
});

/** A metric, and whether its least or greatest value is best. */
export interface BestBy {
  readonly metric: string;
  readonly mode: "min" | "max";
}

/** Values of metrics, by name, of what all micro-batches of an evaluation gave them. Pure. */
export type MetricValues = (states: readonly Uint8Array[]) => Readonly<Record<string, number>>;

/** When checkpoints are written and which of them stay. */
export interface CheckpointPolicy {
  /** 0: not by steps. */
  readonly intervalSteps: number;
  /** 0: not by time. */
  readonly intervalMs: number;
  /** Whether the state with the least held-out loss is kept. */
  readonly keepsBest: boolean;
  /** What it is the best in, where that is a metric of the job. Default: the least held-out loss. */
  readonly bestBy?: BestBy | undefined;
  /** Newest checkpoints that stay; 0 keeps all. */
  readonly keepLast: number;
}

/** What is done about values that are wrong. */
export interface TrustPolicy {
  /** Share of micro-batches that a second worker computes again. */
  readonly auditRate: number;
  /** A node whose norm is this many times the median is computed again. */
  readonly outlierFactor: number;
  /** Strikes after which a worker is banned. */
  readonly maxStrikes: number;
}

export const defaultTrust: TrustPolicy = Object.freeze({ auditRate: 0, outlierFactor: 20, maxStrikes: 3 });

/** How the loss scale of workers that compute in 16 bits moves. Powers of two. */
export interface LossScalePolicy {
  readonly initial: number;
  /** Steps without an overflow after which it doubles. */
  readonly growthSteps: number;
  readonly max: number;
}

export const defaultLossScaling: LossScalePolicy = Object.freeze({
  initial: 65_536,
  growthSteps: 200,
  max: 16_777_216,
});

/** The best state so far. */
export interface BestState {
  readonly step: number;
  readonly evalLoss: number;
  /** What was compared: the held-out loss, or the metric that the policy names. */
  readonly value: number;
  readonly isStored: boolean;
}

/** What an earlier coordinator of this run left in its journal. */
export interface RunHistory {
  readonly generation: number;
  /** Last step that the journal says was committed. */
  readonly committedStep: number;
  /** Its metrics, which may not have been written. */
  readonly metrics: MetricsLine | undefined;
  readonly members: readonly string[];
  readonly storedSteps: readonly number[];
  readonly evaluations: ReadonlyMap<number, number>;
  /** Values of the job's metrics by step, where it has any. */
  readonly metricValues?: ReadonlyMap<number, Readonly<Record<string, number>>>;
  /** By the step after which each became the scale. */
  readonly lossScales?: ReadonlyMap<number, number>;
  readonly best: BestState | undefined;
  readonly strikes: ReadonlyMap<string, number>;
  readonly banned: ReadonlyMap<string, { readonly name: string; readonly reason: string }>;
}

/** Why the run ends after this step, or undefined. */
export type Judge = (at: {
  readonly step: number;
  readonly evalLoss: number | null;
  /** Of the job's metrics; absent where it has none. */
  readonly metrics?: Readonly<Record<string, number>>;
}) => Promise<string | undefined>;

export interface RunPlan {
  readonly lockstepVersion: string;
  readonly numericsVersion: number;
  readonly numMicroBatches: number;
  readonly samplesPerStep: number;
  /** 0, or the step of the checkpoint that the run continues from. */
  readonly startStep: number;
  /** Of that checkpoint. */
  readonly startParamsSha256?: string;
  /** Of the whole state, where the checkpoint names it. */
  readonly startStateHash?: string;
  readonly stopStep: number;
  /** 0: only after the last step. */
  readonly evalIntervalSteps: number;
  /** Whether the caller says after each evaluation's step, held-out data or not, if the run goes on. */
  readonly isJudged: boolean;
  /** Whether workers may compute gradients on a GPU, whose numbers are not those of the run's CPU class. */
  readonly admitsDevices: boolean;
  /** Of a job with metrics. */
  readonly metricValues?: MetricValues | undefined;
  readonly checkpoints: CheckpointPolicy;
  readonly trust: TrustPolicy;
  readonly lossScaling: LossScalePolicy;
  /** Workers that must be there before the first step. */
  readonly minWorkers: number;
  /** Workers that must be there for a run to go on when some are lost. */
  readonly minWorkersToGoOn: number;
  readonly maxWorkers: number;
  /** A worker that cannot join before the first step ends the run ("fail"), or is sent away ("refuse"). */
  readonly joinFailure: "fail" | "refuse";
  readonly timeouts: CoordinatorTimeouts;
  readonly history: RunHistory | undefined;
  /** What every worker is welcomed with, but for its own id. */
  readonly welcome: Omit<MessageBody<"welcome">, "workerId">;
}
