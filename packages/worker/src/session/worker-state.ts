/**
 * @file State, events and effects of one worker. Steps are as on the wire: step k >= 1 makes state k, state 0 is the initial one.
 *
 * joining -> preparing -> ready -> linking -> idle -> computing -> reported -> applying -> (evaluating) -> (checkpointing) -> idle
 * A new generation leads back to linking from every phase after ready; stop leads to stopped from everywhere.
 */
import type { Assignment, CoordinatorMessage, Link, MessageBody, WorkerMessage, WorkerPhase } from "@lockstep/protocol";
import type { ErrorReport } from "../errors.js";

export type SessionPhase =
  | "joining"
  | "preparing"
  | "ready"
  | "linking"
  | "idle"
  | "computing"
  | "reported"
  | "applying"
  | "evaluating"
  | "checkpointing"
  | "failed"
  | "stopped";

/** What the update that made a state measured; null for a state that no update of this process made. */
export interface StateMeasures {
  readonly stateHash: string;
  readonly gradNorm: number | null;
  readonly learningRate: number | null;
}

export interface WorkerState {
  readonly phase: SessionPhase;
  /** Given by the welcome. */
  readonly workerId: string | undefined;
  /** Last step applied here. */
  readonly step: number;
  readonly measures: StateMeasures | undefined;
  readonly generation: number;
  /** Place in `generation`; undefined outside of one. */
  readonly rank: number | undefined;
  /** The attempt being computed, reported or applied. */
  readonly assignment: Assignment | undefined;
  /** Hash of the gradient reported for `assignment`. */
  readonly gradientHash: string | undefined;
  /** The commit whose evaluation and checkpoint are still to do. */
  readonly commit: MessageBody<"commit"> | undefined;
  /** A checkpoint asked for while another phase ran. */
  readonly checkpointRequest: MessageBody<"checkpointRequest"> | undefined;
  /** An assignment that came while links were being made. */
  readonly waitingAssignment: Assignment | undefined;
  /** A failure kept back until the coordinator has had time to name its cause. */
  readonly deferredFailure: MessageBody<"workerError"> | undefined;
}

export const initialWorkerState: WorkerState = {
  phase: "joining",
  workerId: undefined,
  step: 0,
  measures: undefined,
  generation: 0,
  rank: undefined,
  assignment: undefined,
  gradientHash: undefined,
  commit: undefined,
  checkpointRequest: undefined,
  waitingAssignment: undefined,
  deferredFailure: undefined,
};

/** What one attempt of a step gave on this worker. */
export type StepOutcome = Omit<MessageBody<"stepReport">, "previous">;

export type WorkerEvent =
  | { readonly kind: "message"; readonly message: CoordinatorMessage }
  | { readonly kind: "prepared"; readonly ready: MessageBody<"ready"> }
  | { readonly kind: "linked"; readonly generation: number; readonly links: readonly Link[] }
  | { readonly kind: "routed"; readonly generation: number }
  | { readonly kind: "reduced"; readonly outcome: StepOutcome }
  | { readonly kind: "applied"; readonly step: number; readonly measures: StateMeasures }
  | { readonly kind: "evaluated"; readonly body: MessageBody<"evaluated"> }
  | { readonly kind: "stored"; readonly body: MessageBody<"checkpointDone"> }
  | { readonly kind: "failed"; readonly phase: WorkerPhase; readonly error: ErrorReport }
  | { readonly kind: "peerLost"; readonly error: ErrorReport }
  | { readonly kind: "graceOver" }
  | { readonly kind: "disconnected"; readonly reason: string }
  | { readonly kind: "interrupted"; readonly reason: string };

export type SessionStatus = "completed" | "interrupted" | "failed" | "refused" | "disconnected";

export type WorkerEffect =
  | { readonly kind: "send"; readonly message: WorkerMessage }
  | { readonly kind: "prepare"; readonly welcome: MessageBody<"welcome"> }
  | { readonly kind: "link"; readonly start: MessageBody<"startGeneration">; readonly rank: number }
  | { readonly kind: "route"; readonly routes: MessageBody<"routes"> }
  | { readonly kind: "startStep"; readonly assignment: Assignment; readonly rank: number }
  | { readonly kind: "abortStep"; readonly reason: string }
  | { readonly kind: "apply"; readonly step: number }
  | {
      readonly kind: "evaluate";
      readonly step: number;
      readonly generation: number;
      readonly range: readonly [number, number];
    }
  | { readonly kind: "checkpoint"; readonly step: number; readonly generation: number }
  | { readonly kind: "startGrace" }
  | { readonly kind: "finish"; readonly status: SessionStatus; readonly code: string; readonly reason: string };

export interface WorkerDecision {
  readonly state: WorkerState;
  readonly effects: readonly WorkerEffect[];
  /** Why, in words; undefined when there is nothing to tell. */
  readonly reason?: string;
}
