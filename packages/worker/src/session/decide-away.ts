/** @file The channel to the coordinator broke: the worker keeps its state and comes back with it. Pure. */
import { finish, idle, same } from "./decide-failure.js";
import type { WorkerDecision, WorkerEffect, WorkerState } from "./worker-state.js";

export function decideCutOff(state: WorkerState, reason: string): WorkerDecision {
  switch (state.phase) {
    case "away":
      return same(state);
    case "joining":
    case "preparing":
      return finish(state, { status: "disconnected", code: "E_DISCONNECTED_EARLY", reason });
    case "failed":
      return finish(state, { status: "disconnected", code: "E_DISCONNECTED", reason });
    case "applying":
    case "evaluating":
    case "catching":
      return {
        state: { ...state, isCutOff: true, orders: [] },
        effects: [],
        reason: `${reason}; this worker comes back`,
      };
    default:
      return {
        ...goAway(state, []),
        reason: `${reason}; this worker keeps the state after step ${state.step} and comes back`,
      };
  }
}

/** Gives up what needs others, and looks for the coordinator. A gradient that was reported is kept. */
export function goAway(state: WorkerState, effects: readonly WorkerEffect[]): WorkerDecision {
  const { runId, measures, step, term } = state;
  if (runId === undefined || measures === undefined)
    return finish(
      state,
      { status: "disconnected", code: "E_DISCONNECTED", reason: "the coordinator is gone" },
      effects,
    );
  const reported = state.reported?.step === step + 1 ? state.reported : undefined;
  return {
    state: { ...idle(state), phase: "away", isCutOff: false, orders: [], rank: undefined, reported },
    effects: [
      ...effects.filter(({ kind }) => kind !== "send"),
      { kind: "abortStep", reason: "the coordinator is gone" },
      {
        kind: "reconnect",
        held: { runId, term, step, stateHash: measures.stateHash, reported: reported ?? null },
      },
    ],
  };
}
