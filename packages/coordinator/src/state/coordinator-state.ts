/**
 * @file State of the coordinator. Values only, replaced and never changed in place.
 *
 * rendezvous -> linking -> stepping <-> following -> stopped; ending comes between when a run stops before its last step.
 * Invariants: I1 committedStep only grows, by one; I2 a message of another generation, attempt or step changes nothing;
 *             I3 after stopped nothing happens; I4 every phase but stopped has a deadline.
 */
import type { Assignment, Link, MessageBody, NamedBlob } from "@lockstep/protocol";
import type { RunPlan } from "./run-plan.js";
import type { MetricsLine } from "./run-summary.js";

export type Phase = "rendezvous" | "linking" | "stepping" | "following" | "ending" | "stopped";

export interface WorkerRecord {
  readonly workerId: string;
  readonly name: string;
  /** Order of joining. */
  readonly order: number;
  readonly ticket: string;
  readonly status: "preparing" | "ready" | "member" | "spare";
  readonly hello: MessageBody<"hello">;
  readonly ready: MessageBody<"ready"> | undefined;
  readonly joinedAtMs: number;
}

/** A step under way. */
export interface StepInFlight {
  readonly assignment: Assignment;
  readonly startedAtMs: number;
  /** By workerId. */
  readonly reports: ReadonlyMap<string, MessageBody<"stepReport">>;
}

export type CheckpointStage = "none" | "streaming" | "writing" | "written";

/** What follows a commit that carries no next assignment. */
export interface FollowUp {
  readonly step: number;
  readonly isLast: boolean;
  readonly isEvaluated: boolean;
  readonly applied: ReadonlyMap<string, MessageBody<"applied">>;
  readonly evaluated: ReadonlyMap<string, MessageBody<"evaluated">>;
  /** workerIds that have evaluation micro-batches. */
  readonly evaluators: readonly string[];
  readonly checkpoint: CheckpointStage;
  readonly checkpointDone: MessageBody<"checkpointDone"> | undefined;
}

/** How a run ends before its last step, or at it. */
export interface Ending {
  readonly status: "completed" | "interrupted" | "failed";
  readonly code: string;
  readonly message: string;
}

export interface StoredCheckpoint {
  readonly step: number;
  readonly files: readonly NamedBlob[];
  readonly paramsSha256: string;
}

export interface CoordinatorState {
  readonly plan: RunPlan;
  readonly phase: Phase;
  readonly startedAtMs: number;
  /** When the phase's wait is over. */
  readonly deadlineMs: number;
  readonly workers: ReadonlyMap<string, WorkerRecord>;
  readonly numJoined: number;
  readonly generation: number;
  readonly attempt: number;
  /** workerIds by rank, of this generation. */
  readonly members: readonly string[];
  readonly nodesByRank: Assignment["nodesByRank"];
  readonly links: ReadonlyMap<string, readonly Link[]>;
  readonly committedStep: number;
  readonly step: StepInFlight | undefined;
  readonly follow: FollowUp | undefined;
  /** Rank holder that streams the checkpoint of a run that is ending. */
  readonly checkpointWriter: string | undefined;
  /** The checkpoint being written to disk. */
  readonly writing: StoredCheckpoint | undefined;
  readonly stored: StoredCheckpoint | undefined;
  /** Set by the first Ctrl-C: the next commit is the last. */
  readonly stopRequest: Ending | undefined;
  readonly ending: Ending | undefined;
  /** The line of the last committed step, which waits for what its update measured. */
  readonly pendingMetrics: MetricsLine | undefined;
  readonly lastStateHash: string | undefined;
  readonly trainLoss: number | undefined;
  readonly evalLoss: number | undefined;
  readonly recentStepMs: readonly number[];
  readonly totals: {
    readonly steps: number;
    readonly stepMs: number;
    readonly numTokens: number | undefined;
    readonly bytesSentPerWorker: number;
  };
}

export function initialCoordinatorState(plan: RunPlan, nowMs: number): CoordinatorState {
  return {
    plan,
    phase: "rendezvous",
    startedAtMs: nowMs,
    deadlineMs: nowMs + plan.timeouts.joinMs,
    workers: new Map(),
    numJoined: 0,
    generation: 0,
    attempt: 0,
    members: [],
    nodesByRank: [],
    links: new Map(),
    committedStep: plan.startStep,
    step: undefined,
    follow: undefined,
    checkpointWriter: undefined,
    writing: undefined,
    stored: undefined,
    stopRequest: undefined,
    ending: undefined,
    pendingMetrics: undefined,
    lastStateHash: undefined,
    trainLoss: undefined,
    evalLoss: undefined,
    recentStepMs: [],
    totals: { steps: 0, stepMs: 0, numTokens: undefined, bytesSentPerWorker: 0 },
  };
}
