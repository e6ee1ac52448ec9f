/** @file What the coordinator was told to run. Fixed for the invocation; the decisions read it and never change it. */
import type { MessageBody } from "@lockstep/protocol";

/** How long each wait may take before it ends in a decision (L7). All in ms. */
export interface CoordinatorTimeouts {
  /** From the start until enough workers have joined. Default 300 s. */
  readonly joinMs: number;
  /** From a worker's welcome until its probe is reported: it fetches files and builds the model. Default 600 s. */
  readonly prepareMs: number;
  /** Members dial one another. Default 30 s. */
  readonly linkMs: number;
  /** First step of a generation: kernels are compiled. Default 600 s. */
  readonly firstStepMs: number;
  /** Least deadline of later steps; 20 times the slowest recent step when that is more. Default 75 s. */
  readonly minStepMs: number;
  /** Update, evaluation and checkpoint after a commit. Default 900 s. */
  readonly followMs: number;
  /** The checkpoint of a run that is ending early. Default 10 s. */
  readonly lastCheckpointMs: number;
}

export const defaultTimeouts: CoordinatorTimeouts = Object.freeze({
  joinMs: 300_000,
  prepareMs: 600_000,
  linkMs: 30_000,
  firstStepMs: 600_000,
  minStepMs: 75_000,
  followMs: 900_000,
  lastCheckpointMs: 10_000,
});

export interface RunPlan {
  readonly lockstepVersion: string;
  readonly numericsVersion: number;
  readonly numMicroBatches: number;
  readonly samplesPerStep: number;
  /** 0, or the step of the checkpoint that the run continues from. */
  readonly startStep: number;
  /** Of that checkpoint. */
  readonly startParamsSha256?: string;
  readonly stopStep: number;
  /** 0: only after the last step. */
  readonly evalIntervalSteps: number;
  /** 0: only after the last step. */
  readonly checkpointIntervalSteps: number;
  readonly minWorkers: number;
  readonly maxWorkers: number;
  /** A worker that cannot join ends the run ("fail"), or is sent away ("refuse"). */
  readonly joinFailure: "fail" | "refuse";
  readonly timeouts: CoordinatorTimeouts;
  /** What every worker is welcomed with, but for its own id. */
  readonly welcome: Omit<MessageBody<"welcome">, "workerId">;
}
