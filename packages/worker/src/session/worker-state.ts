/**
 * @file State, events and effects of one worker. Steps are as on the wire: step k >= 1 makes state k, state 0 is the initial one.
 *
 * joining -> preparing -> ready -> linking -> idle -> computing -> reported -> applying -> idle, with evaluating beside it and, outside
 * of a generation, catching (taking the run's state). A new generation leads back to linking from every phase after ready; a channel
 * that breaks leads to away, returning, and back to ready; stop leads to stopped from everywhere.
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
  | "catching"
  | "away"
  | "returning"
  | "failed"
  | "stopped";

/** What the update that made a state measured; null for a state that no update of this process made. */
export interface StateMeasures {
  readonly stateHash: string;
  readonly gradNorm: number | null;
  readonly learningRate: number | null;
}

/** A reduced gradient that was reported and not yet applied. */
export interface Reported {
  readonly step: number;
  readonly gradientHash: string;
}

export interface WorkerState {
  readonly phase: SessionPhase;
  /** Given by the welcome. */
  readonly workerId: string | undefined;
  readonly runId: string | undefined;
  /** Of the latest coordinator that was heard. */
  readonly term: number;
  /** What it said when it was prepared; said again to a coordinator that it comes back to. */
  readonly ready: MessageBody<"ready"> | undefined;
  /** Last step applied here. */
  readonly step: number;
  readonly measures: StateMeasures | undefined;
  readonly generation: number;
  /** Place in `generation`; undefined outside of one. */
  readonly rank: number | undefined;
  /** The attempt being computed, reported or applied. */
  readonly assignment: Assignment | undefined;
  /** The gradient in the reduced vector, while it may still be needed. */
  readonly reported: Reported | undefined;
  /** The commit being applied. */
  readonly commit: MessageBody<"commit"> | undefined;
  /** What came while the state was being changed or read; done afterwards, in order. */
  readonly orders: readonly CoordinatorMessage[];
  /** Whether the channel broke while the state was being changed or read. */
  readonly isCutOff: boolean;
  /** An assignment that came while links were being made. */
  readonly waitingAssignment: Assignment | undefined;
  /** A failure kept back until the coordinator has had time to name its cause. */
  readonly deferredFailure: MessageBody<"stepFailed"> | undefined;
}

export const initialWorkerState: WorkerState = {
  phase: "joining",
  workerId: undefined,
  runId: undefined,
  term: 0,
  ready: undefined,
  step: 0,
  measures: undefined,
  generation: 0,
  rank: undefined,
  assignment: undefined,
  reported: undefined,
  commit: undefined,
  orders: [],
  isCutOff: false,
  waitingAssignment: undefined,
  deferredFailure: undefined,
};

/** What one attempt of a step gave on this worker. */
export type StepOutcome = Omit<MessageBody<"stepReport">, "previous">;

/** Which attempt. */
export type AttemptPlace = Pick<Assignment, "step" | "generation" | "attempt">;

export type Held = NonNullable<MessageBody<"hello">["held"]>;

export type WorkerEvent =
  | { readonly kind: "message"; readonly message: CoordinatorMessage }
  | { readonly kind: "prepared"; readonly ready: MessageBody<"ready"> }
  | { readonly kind: "linked"; readonly generation: number; readonly links: readonly Link[] }
  | { readonly kind: "routed"; readonly generation: number }
  | {
      readonly kind: "progress";
      readonly place: AttemptPlace;
      readonly begunNodes: number;
      readonly doneMicroBatches: number;
    }
  | { readonly kind: "reduced"; readonly outcome: StepOutcome }
  | { readonly kind: "applied"; readonly step: number; readonly measures: StateMeasures }
  | { readonly kind: "evaluated"; readonly bodies: readonly MessageBody<"evaluated">[] }
  /** A snapshot or a gradient was restored or applied outside of a generation. */
  | { readonly kind: "caught"; readonly step: number; readonly measures: StateMeasures }
  /** That could not be done; the state is as it was. */
  | { readonly kind: "notCaught"; readonly error: ErrorReport }
  | { readonly kind: "stored"; readonly message: WorkerMessage }
  | { readonly kind: "failed"; readonly phase: WorkerPhase; readonly error: ErrorReport }
  | { readonly kind: "stepFailed"; readonly place: AttemptPlace; readonly error: ErrorReport }
  | { readonly kind: "graceOver" }
  | { readonly kind: "disconnected"; readonly reason: string }
  | { readonly kind: "reconnected" }
  | { readonly kind: "gaveUp"; readonly reason: string }
  | { readonly kind: "interrupted"; readonly reason: string };

export type SessionStatus = "completed" | "interrupted" | "failed" | "refused" | "disconnected";

export type WorkerEffect =
  | { readonly kind: "send"; readonly message: WorkerMessage }
  | { readonly kind: "prepare"; readonly welcome: MessageBody<"welcome"> }
  | { readonly kind: "link"; readonly start: MessageBody<"startGeneration">; readonly rank: number }
  | { readonly kind: "route"; readonly routes: MessageBody<"routes"> }
  | { readonly kind: "startStep"; readonly assignment: Assignment; readonly rank: number }
  | { readonly kind: "abortStep"; readonly reason: string }
  /** Copies the reduced gradient, then uploads it. Comes before `apply`. */
  | { readonly kind: "uploadGradient"; readonly step: number }
  | { readonly kind: "apply"; readonly step: number }
  | {
      readonly kind: "evaluate";
      readonly step: number;
      readonly generation: number;
      readonly ranges: readonly (readonly [number, number])[];
    }
  /** Takes a snapshot and uploads it while other work goes on. */
  | { readonly kind: "snapshot"; readonly step: number; readonly generation: number }
  | { readonly kind: "restore"; readonly restore: MessageBody<"restore"> }
  | { readonly kind: "applyGradient"; readonly order: MessageBody<"applyGradient"> }
  | { readonly kind: "applyKept"; readonly step: number }
  | { readonly kind: "startGrace" }
  | { readonly kind: "reconnect"; readonly held: Held }
  | { readonly kind: "finish"; readonly status: SessionStatus; readonly code: string; readonly reason: string };

export interface WorkerDecision {
  readonly state: WorkerState;
  readonly effects: readonly WorkerEffect[];
  /** Why, in words; undefined when there is nothing to tell. */
  readonly reason?: string;
}
