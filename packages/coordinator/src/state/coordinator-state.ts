/**
 * @file State of the coordinator. Values only, replaced and never changed in place.
 *
 * rendezvous -> linking -> stepping <-> following -> stopped. A lost member leads back to linking, or to rendezvous where too few are
 * left; ending comes between when a run stops before its last step.
 * Invariants: I1 committedStep only grows, by one, but where nobody who holds it is left (decide/go-back.ts); I2 a message of another generation, attempt or step changes nothing;
 *             I3 after stopped nothing happens; I4 every phase but stopped has a deadline.
 */
import type { Assignment, BlobRef, Link, MessageBody, NamedBlob } from "@lockstep/protocol";
import type { BestState, RunPlan } from "./run-plan.js";
import type { MetricsLine } from "./run-summary.js";

export type Phase = "rendezvous" | "linking" | "stepping" | "following" | "ending" | "stopped";

/**
 * preparing: builds the model. ready: holds a known state and waits. joining: gets the run's state while others go on.
 * member: of the generation. spare: not asked to prepare yet.
 */
export type WorkerStatus = "preparing" | "ready" | "joining" | "member" | "spare";

/** A state that a worker said it holds. */
export interface HeldState {
  readonly step: number;
  readonly stateHash: string;
}

export interface WorkerRecord {
  readonly workerId: string;
  readonly name: string;
  /** Order of joining. */
  readonly order: number;
  readonly ticket: string;
  readonly status: WorkerStatus;
  readonly hello: MessageBody<"hello">;
  /** Undefined for a worker that came back after this coordinator had started anew. */
  readonly ready: MessageBody<"ready"> | undefined;
  /** What it held when it last said so; a member holds the committed step, or is about to. */
  readonly held: HeldState | undefined;
  /** The state it will hold once it has done all it was sent; undefined when that is of no use to the run. */
  readonly sentStep: number | undefined;
  readonly joinedAtMs: number;
  readonly lastHeardMs: number;
  readonly isSuspect: boolean;
  /** Smoothed; undefined until it was measured. */
  readonly microBatchMs: number | undefined;
  readonly lastReport: MessageBody<"stepReport"> | undefined;
}

/** A part of a step whose values are in doubt: who computed it, and why. */
export interface Dispute {
  readonly lo: number;
  readonly hi: number;
  readonly workerId: string;
  readonly code: string;
  readonly message: string;
}

/** A second attempt at a step that had succeeded, with one node computed by somebody else. */
export interface Verification {
  readonly kind: "audit" | "outlier";
  readonly lo: number;
  readonly hi: number;
  /** Who provided the node in each attempt so far, and the gradient that came of it. */
  readonly results: readonly { readonly workerId: string; readonly gradientHash: string }[];
}

/** A step under way. */
export interface StepInFlight {
  readonly assignment: Assignment;
  readonly startedAtMs: number;
  /** By workerId, of this attempt. */
  readonly reports: ReadonlyMap<string, MessageBody<"stepReport">>;
  /** By workerId, of this attempt. */
  readonly progress: ReadonlyMap<string, MessageBody<"progress">>;
  readonly disputes: readonly Dispute[];
  readonly verification: Verification | undefined;
  /** Whether this step was verified, or moved away from a straggler, already: once is enough. */
  readonly isVerified: boolean;
  readonly numRescues: number;
}

/** What follows a commit that carries no next assignment. */
export interface FollowUp {
  readonly step: number;
  readonly isLast: boolean;
  readonly applied: ReadonlyMap<string, MessageBody<"applied">>;
  /** Evaluation micro-batches still out, by who computes them; undefined when nothing is evaluated, or all is. */
  readonly evaluating: ReadonlyMap<string, readonly (readonly [number, number])[]> | undefined;
  readonly isEvalDue: boolean;
  readonly losses: readonly (readonly [number, number, number])[];
  /** What the job's metrics saw, by micro-batch; empty for a job without. */
  readonly states: ReadonlyMap<number, Uint8Array>;
  readonly evalMs: number;
  /** Whether the caller has still to say if the run goes on, or was asked already. */
  readonly judgement: "none" | "due" | "asked";
  /** Until when workers that catch up are waited for; undefined when none is. */
  readonly joinUntilMs: number | undefined;
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
  readonly stateHash: string;
  readonly reasons: readonly string[];
  readonly evalLoss: number | undefined;
}

/** A snapshot on its way from a worker: for the disk, for workers that catch up, or for both. */
export interface Snapshot {
  readonly step: number;
  readonly writerId: string;
  readonly requestedAtMs: number;
  /** Why it is a checkpoint; empty when it is for joiners only. */
  readonly reasons: readonly string[];
  readonly isForJoiners: boolean;
  readonly done: MessageBody<"checkpointDone"> | undefined;
}

/** What workers that catch up are given: a snapshot where they hold nothing of use, and the gradients since. */
export interface CatchUp {
  readonly base:
    | { readonly step: number; readonly stateHash: string; readonly files: readonly NamedBlob[] }
    | undefined;
  /** By step; reduced gradients of committed steps. */
  readonly gradients: ReadonlyMap<number, BlobRef>;
  /** From which step on every gradient was asked for; undefined while none is. */
  readonly askedFrom: number | undefined;
}

/** What is kept of a step that is begun again in another generation. */
export interface CarriedStep {
  readonly step: number;
  readonly startedAtMs: number;
  /** Who has computed, or computes, what. */
  readonly nodesByWorker: ReadonlyMap<string, readonly (readonly [number, number])[]>;
  readonly disputes: readonly Dispute[];
  readonly isVerified: boolean;
}

export interface CoordinatorState {
  readonly plan: RunPlan;
  readonly phase: Phase;
  readonly startedAtMs: number;
  /** When the phase's wait is over. */
  readonly deadlineMs: number;
  /** When the last event came: a coordinator that was frozen itself blames nobody. */
  readonly lastEventMs: number;
  readonly workers: ReadonlyMap<string, WorkerRecord>;
  readonly numJoined: number;
  readonly generation: number;
  /** workerIds by rank, of this generation. */
  readonly members: readonly string[];
  readonly nodesByRank: Assignment["nodesByRank"];
  /** Of the steps after the committed one, for members that compute in 16 bits; and after which step it was set. */
  readonly lossScale: { readonly value: number; readonly sinceStep: number };
  readonly links: ReadonlyMap<string, readonly Link[]>;
  /** Pairs "from->to" whose direct link broke more than once: they use the relay. */
  readonly brokenLinks: ReadonlyMap<string, number>;
  /** Since when too few workers are there; undefined in a run that has enough. */
  readonly waitingSinceMs: number | undefined;
  /** Since when nobody who holds the last committed state is here; undefined while somebody does, or may. */
  readonly abandonedSinceMs: number | undefined;
  /** Who committed the last step, and may come back with its state. */
  readonly lastMembers: readonly Pick<WorkerRecord, "workerId" | "name">[];
  /** The state that this coordinator's part of the run began with, once it is known. */
  readonly origin: HeldState | undefined;
  /** Whether a step was ever begun: a worker that is lost before ends a run that needs all. */
  readonly hasBegun: boolean;
  readonly committedStep: number;
  readonly step: StepInFlight | undefined;
  readonly follow: FollowUp | undefined;
  readonly snapshot: Snapshot | undefined;
  /** Reasons of a checkpoint that waits for the snapshot under way. */
  readonly wantedCheckpoint: readonly string[];
  readonly catchUp: CatchUp;
  /** Until when what a joiner needs is kept although it is gone: its line may have broken only. */
  readonly rejoinUntilMs: number | undefined;
  readonly carried: CarriedStep | undefined;
  /** Blobs that are let go once nobody needs them. */
  readonly releasable: readonly string[];
  /** Whether it is known from which step the run goes on; not yet, while members of an earlier coordinator come back. */
  readonly isSettled: boolean;
  /** The checkpoint being written to disk. */
  readonly writing: StoredCheckpoint | undefined;
  readonly stored: StoredCheckpoint | undefined;
  readonly storedSteps: readonly number[];
  readonly storedAtMs: number;
  readonly best: BestState | undefined;
  readonly checkpointError: string | undefined;
  /** Set by the first Ctrl-C: the next commit is the last. */
  readonly stopRequest: Ending | undefined;
  readonly ending: Ending | undefined;
  /** The line of the last committed step, which waits for what its update measured. */
  readonly pendingMetrics: MetricsLine | undefined;
  readonly lastMetrics: MetricsLine | undefined;
  /** Of the last steps, agreed by all replicas. */
  readonly stateHashes: ReadonlyMap<number, string>;
  readonly strikes: ReadonlyMap<string, number>;
  readonly banned: ReadonlyMap<string, { readonly name: string; readonly reason: string }>;
  /** Of workers that could not go on, the last ones. */
  readonly workerErrors: readonly { readonly code: string; readonly workerId: string }[];
  /** Root mean square of nodes per micro-batch, of recent steps. */
  readonly recentNorms: readonly number[];
  readonly trainLoss: number | undefined;
  readonly evalLoss: number | undefined;
  /** Values of the job's metrics, of the last evaluation. */
  readonly metricValues: Readonly<Record<string, number>> | undefined;
  readonly recentStepMs: readonly number[];
  readonly totals: RunTotals;
}

export interface RunTotals {
  readonly steps: number;
  readonly stepMs: number;
  readonly numTokens: number | undefined;
  readonly bytesSentPerWorker: number;
}

export function initialCoordinatorState(plan: RunPlan, nowMs: number): CoordinatorState {
  const { history } = plan;
  return {
    plan,
    phase: "rendezvous",
    startedAtMs: nowMs,
    deadlineMs: nowMs + plan.timeouts.joinMs,
    lastEventMs: nowMs,
    workers: new Map(),
    numJoined: 0,
    generation: history?.generation ?? 0,
    members: [],
    nodesByRank: [],
    lossScale: { value: plan.lossScaling.initial, sinceStep: plan.startStep },
    links: new Map(),
    brokenLinks: new Map(),
    waitingSinceMs: undefined,
    abandonedSinceMs: undefined,
    lastMembers: [],
    origin: plan.startStateHash === undefined ? undefined : { step: plan.startStep, stateHash: plan.startStateHash },
    hasBegun: false,
    committedStep: plan.startStep,
    step: undefined,
    follow: undefined,
    snapshot: undefined,
    wantedCheckpoint: [],
    catchUp: { base: undefined, gradients: new Map(), askedFrom: undefined },
    rejoinUntilMs: undefined,
    carried: undefined,
    releasable: [],
    isSettled: history === undefined,
    writing: undefined,
    stored: undefined,
    storedSteps: history?.storedSteps ?? [],
    storedAtMs: nowMs,
    best: history?.best,
    checkpointError: undefined,
    stopRequest: undefined,
    ending: undefined,
    pendingMetrics: undefined,
    lastMetrics: undefined,
    stateHashes: new Map(),
    strikes: history?.strikes ?? new Map(),
    banned: history?.banned ?? new Map(),
    workerErrors: [],
    recentNorms: [],
    trainLoss: undefined,
    evalLoss: undefined,
    metricValues: undefined,
    recentStepMs: [],
    totals: { steps: 0, stepMs: 0, numTokens: undefined, bytesSentPerWorker: 0 },
  };
}
