/** @file How a worker ends: its own failures, a lost peer, messages that have no place in its phase. Pure. */
import type { MessageBody, WorkerMessage, WorkerPhase } from "@lockstep/protocol";
import type { ErrorReport } from "../errors.js";
import type { SessionStatus, WorkerDecision, WorkerEffect, WorkerEvent, WorkerState } from "./worker-state.js";

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

type FailureEvent = Extract<WorkerEvent, { readonly kind: "failed" | "peerLost" | "graceOver" }>;

/**
 * A failure is reported at once and the worker waits for the coordinator's word. A lost peer is kept back first: the coordinator
 * sees more sockets than this worker and will name the cause if it is a worker that died.
 */
export function decideFailure(state: WorkerState, event: FailureEvent): WorkerDecision {
  switch (event.kind) {
    case "failed":
      return fail(state, workerError(state, event.phase, event.error));
    case "peerLost": {
      if (state.phase !== "computing" && state.phase !== "linking") return same(state);
      const body = workerError(state, state.phase === "linking" ? "link" : "step", event.error);
      return {
        state: { ...state, deferredFailure: body },
        effects: [{ kind: "startGrace" }],
        reason: event.error.message,
      };
    }
    case "graceOver":
      return state.deferredFailure === undefined ? same(state) : fail(state, state.deferredFailure);
    default:
      return event satisfies never;
  }
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
    isStateIntact: state.phase !== "applying" && state.measures !== undefined,
  };
}
