/** @file How a step or a worker fails: what others can mend is told and waits for orders; what nobody can ends this worker. Pure. */
import type { MessageBody, WorkerMessage, WorkerPhase } from "@lockstep/protocol";
import type { ErrorReport } from "../errors.js";
import type {
  AttemptPlace,
  SessionStatus,
  WorkerDecision,
  WorkerEffect,
  WorkerEvent,
  WorkerState,
} from "./worker-state.js";

export function send(message: WorkerMessage): WorkerEffect {
  return { kind: "send", message };
}

export function same(state: WorkerState, reason?: string): WorkerDecision {
  return reason === undefined ? { state, effects: [] } : { state, effects: [], reason };
}

export interface Ending {
  readonly status: SessionStatus;
  readonly code: string;
  readonly reason: string;
}

export function finish(state: WorkerState, ending: Ending, before: readonly WorkerEffect[] = []): WorkerDecision {
  return {
    state: { ...state, phase: "stopped", deferredFailure: undefined },
    effects: [...before, { kind: "finish", ...ending }],
    reason: ending.reason,
  };
}

/** The state without anything of a step. */
export function idle(state: WorkerState): WorkerState {
  return {
    ...state,
    assignment: undefined,
    commit: undefined,
    waitingAssignment: undefined,
    deferredFailure: undefined,
  };
}

/** Whether a message or an outcome belongs to the attempt under way. */
export function isCurrent(state: WorkerState, place: AttemptPlace): boolean {
  const current = state.assignment;
  return (
    current !== undefined &&
    current.step === place.step &&
    current.generation === place.generation &&
    current.attempt === place.attempt
  );
}

/** A peer that seems gone: the coordinator sees more sockets than this worker, so it gets a moment to say so first. */
const linkTrouble: ReadonlySet<string> = new Set(["E_PEER_LOST", "E_PEER_TIMEOUT", "E_QUEUE_FULL", "E_LINK"]);
/** What a new attempt can mend. */
const mendable: ReadonlySet<string> = new Set([
  ...linkTrouble,
  "E_NOT_FINITE",
  "E_FRAME_REFUSED",
  "E_HASH",
  "E_NO_WEIGHT",
  "E_GENERATION_CHANGED",
]);

type FailureEvent = Extract<WorkerEvent, { readonly kind: "failed" | "stepFailed" | "graceOver" }>;

export function decideFailure(state: WorkerState, event: FailureEvent): WorkerDecision {
  switch (event.kind) {
    case "failed":
      return fail(state, workerError(state, event.phase, event.error));
    case "stepFailed": {
      if (!isCurrent(state, event.place) || state.phase !== "computing") return same(state);
      if (!mendable.has(event.error.code)) return fail(state, workerError(state, "step", event.error));
      const body = stepFailed(state, event.place, event.error);
      if (!linkTrouble.has(event.error.code)) return giveUp(state, body);
      return { state: { ...state, deferredFailure: body }, effects: [{ kind: "startGrace" }], reason: body.message };
    }
    case "graceOver": {
      const body = state.deferredFailure;
      return body === undefined || !isCurrent(state, body) ? same(state) : giveUp(state, body);
    }
    default:
      return event satisfies never;
  }
}

/** This attempt is over here; state and node sums stay. */
function giveUp(state: WorkerState, body: MessageBody<"stepFailed">): WorkerDecision {
  return {
    state: { ...idle(state), phase: "idle" },
    effects: [{ kind: "abortStep", reason: body.message }, send({ name: "stepFailed", body })],
    reason: body.message,
  };
}

function stepFailed(state: WorkerState, place: AttemptPlace, error: ErrorReport): MessageBody<"stepFailed"> {
  const { fields } = error;
  const accusedId = typeof fields.workerId === "string" ? fields.workerId : null;
  return {
    step: place.step,
    generation: place.generation,
    attempt: place.attempt,
    code: error.code,
    message: error.message.slice(0, 16_000),
    accusedId,
    node: nodeOf(state, fields),
    tensor: typeof fields.parameter === "string" ? fields.parameter.slice(0, 512) : null,
  };
}

/** The node an error means: as it says, or that of this worker which holds its micro-batch. */
function nodeOf({ assignment, rank }: WorkerState, fields: ErrorReport["fields"]): [number, number] | null {
  const node = fields.node as { readonly lo?: unknown; readonly hi?: unknown } | undefined;
  if (typeof node?.lo === "number" && typeof node.hi === "number") return [node.lo, node.hi];
  const m = fields.microBatch;
  if (typeof m !== "number") return null;
  return assignment?.nodesByRank[rank ?? -1]?.find(([lo, hi]) => lo <= m && m < hi) ?? null;
}

/** A message that cannot come in this phase: the worker stops, because it and the coordinator no longer agree. */
export function unexpected(state: WorkerState, what: string): WorkerDecision {
  const message = `worker: ${what} came in phase "${state.phase}" at step ${state.step}, generation ${state.generation}; it has no place there. Report this with both event logs.`;
  return fail(state, workerError(state, "step", { code: "E_PROTOCOL_STATE", message, fields: {} }));
}

function fail(state: WorkerState, body: MessageBody<"workerError">): WorkerDecision {
  if (state.phase === "failed") return same(state);
  return {
    state: { ...state, phase: "failed", deferredFailure: undefined },
    effects: [{ kind: "abortStep", reason: body.message }, send({ name: "workerError", body })],
    reason: body.message,
  };
}

function workerError(state: WorkerState, phase: WorkerPhase, error: ErrorReport): MessageBody<"workerError"> {
  const tensor = error.fields.parameter;
  return {
    phase,
    code: /^[A-Z][A-Z0-9_]{0,63}$/.test(error.code) ? error.code : "E_UNEXPECTED",
    message: error.message.slice(0, 16_000),
    step: state.assignment?.step ?? null,
    tensor: typeof tensor === "string" ? tensor.slice(0, 512) : null,
    isStateIntact: state.phase !== "applying" && state.phase !== "catching" && state.measures !== undefined,
  };
}
