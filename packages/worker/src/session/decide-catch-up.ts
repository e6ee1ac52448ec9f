/** @file A worker outside of a generation takes the run's state: a snapshot, gradients, or the gradient that it kept. Pure. */
import type { CoordinatorMessage } from "@lockstep/protocol";
import { finish, idle, same, send, unexpected } from "./decide-failure.js";
import type { WorkerDecision, WorkerEffect, WorkerEvent, WorkerState } from "./worker-state.js";

type CatchUpOrder = Extract<CoordinatorMessage, { readonly name: "restore" | "applyGradient" | "applyKept" }>;

export function beginCatching(state: WorkerState, order: CatchUpOrder): WorkerDecision {
  if (state.phase === "joining" || state.phase === "preparing" || state.phase === "returning")
    return unexpected(state, order.name);
  const effect = effectOf(state, order);
  if (effect === undefined)
    return same(state, `${order.name} of step ${order.body.step} does not fit state ${state.step}`);
  const isRunning = state.phase === "computing" || state.phase === "reported";
  const abort: WorkerEffect[] = isRunning ? [{ kind: "abortStep", reason: "this worker takes the run's state" }] : [];
  return {
    state: { ...idle(state), phase: "catching", rank: undefined },
    effects: [...abort, effect],
    reason: `${order.name}: takes the state after step ${order.body.step}`,
  };
}

function effectOf(state: WorkerState, order: CatchUpOrder): WorkerEffect | undefined {
  switch (order.name) {
    case "restore":
      return { kind: "restore", restore: order.body };
    case "applyGradient":
      return order.body.step === state.step + 1 ? { kind: "applyGradient", order: order.body } : undefined;
    case "applyKept": {
      const { step, gradientHash } = order.body;
      const isKept = state.reported?.step === step && state.reported.gradientHash === gradientHash;
      return isKept && step === state.step + 1 ? { kind: "applyKept", step } : undefined;
    }
    default:
      return order satisfies never;
  }
}

/** @returns a decision whose phase is "ready" when orders that waited can be done. */
export function decideCaught(
  state: WorkerState,
  event: Extract<WorkerEvent, { readonly kind: "caught" | "notCaught" }>,
): WorkerDecision {
  if (state.phase !== "catching") return same(state);
  if (event.kind === "caught") {
    const { step, measures } = event;
    const level = send({ name: "level", body: { step, stateHash: measures.stateHash } });
    return { state: { ...state, phase: "ready", step, measures, reported: undefined }, effects: [level] };
  }
  const { code, message } = event.error;
  // The channel breaks under a transfer: the orders are given again when it is back.
  if (state.isCutOff || code === "E_CONTROL_CLOSED")
    return { state: { ...state, phase: "ready", isCutOff: true, orders: [] }, effects: [] };
  return finish(state, { status: "failed", code, reason: message }, [
    send({
      name: "workerError",
      body: { phase: "load", code, message: message.slice(0, 16_000), step: null, tensor: null, isStateIntact: false },
    }),
  ]);
}
