/**
 * @file What the coordinator does next: pure, no sockets, no clock, no files, no randomness. src/node executes the effects.
 *
 * Here only who decides which event; the decisions stand in rendezvous, generation, stepping, following and ending.
 */
import type { WorkerMessage } from "@lockstep/protocol";
import type { CoordinatorDecision, CoordinatorEvent } from "../state/coordinator-events.js";
import type { CoordinatorState, WorkerRecord } from "../state/coordinator-state.js";
import { endEarly, fail, finishRun, giveUpCheckpoint, lostMessage } from "./ending.js";
import {
  onApplied,
  onCheckpointDone,
  onCheckpointWriteFailed,
  onCheckpointWritten,
  onEvaluated,
  onFollowingTick,
  onLostWhileFollowing,
} from "./following.js";
import { onLinkingTick, onLinkReport } from "./generation.js";
import { onJoined, onLeftRendezvous, onReady, onRendezvousTick, refuseWorker } from "./rendezvous.js";
import { onLostWhileStepping, onSteppingTick, onStepReport } from "./stepping.js";
import { nameOf, Turn } from "./turn.js";

export function decide(state: CoordinatorState, event: CoordinatorEvent, nowMs: number): CoordinatorDecision {
  const turn = new Turn(state, nowMs);
  if (state.phase !== "stopped") dispatch(turn, event);
  return { state: turn.state, effects: turn.effects, reason: turn.reason };
}

function dispatch(turn: Turn, event: CoordinatorEvent): void {
  switch (event.kind) {
    case "joined":
      onJoined(turn, event);
      return;
    case "left":
      onLeft(turn, event.workerId, event.reason);
      return;
    case "message": {
      const worker = turn.state.workers.get(event.workerId);
      if (worker !== undefined) onMessage(turn, worker, event.message);
      return;
    }
    case "checkpointWritten":
      onCheckpointWritten(turn, event.step);
      return;
    case "checkpointWriteFailed":
      onCheckpointWriteFailed(turn, event.step, event.message);
      return;
    case "stop":
      onStop(turn, event.reason);
      return;
    case "abort":
      turn.set({ ending: { status: "interrupted", code: "E_INTERRUPTED", message: `stopped now: ${event.reason}.` } });
      finishRun(turn);
      return;
    case "broken":
      turn.log("failed", event.message, { code: event.code });
      turn.set({ ending: { status: "failed", code: event.code, message: event.message } });
      finishRun(turn);
      return;
    case "tick":
      if (turn.nowMs >= turn.state.deadlineMs) onDeadline(turn);
      return;
    default:
      event satisfies never;
  }
}

function onMessage(turn: Turn, worker: WorkerRecord, message: WorkerMessage): void {
  switch (message.name) {
    case "ready":
      if (turn.state.phase === "rendezvous") onReady(turn, worker, message.body);
      return;
    case "workerError":
      onWorkerError(turn, worker, message.body);
      return;
    case "goodbye":
      turn.do({ kind: "close", workerId: worker.workerId, reason: "goodbye" });
      onLeft(turn, worker.workerId, message.body.reason);
      return;
    case "linkReport":
      ifMember(worker, () => onLinkReport(turn, worker, message.body));
      return;
    case "stepReport":
      ifMember(worker, () => onStepReport(turn, worker, message.body));
      return;
    case "applied":
      ifMember(worker, () => onApplied(turn, worker, message.body));
      return;
    case "evaluated":
      ifMember(worker, () => onEvaluated(turn, worker, message.body));
      return;
    case "checkpointDone":
      ifMember(worker, () => onCheckpointDone(turn, worker, message.body));
      return;
    case "hello":
    case "heartbeat":
    case "blobGet":
    case "blobPut":
      return; // The shell answers these.
    default:
      message satisfies never;
  }
}

function ifMember(worker: WorkerRecord, act: () => void): void {
  if (worker.status === "member") act();
}

function onLeft(turn: Turn, workerId: string, reason: string): void {
  const worker = turn.state.workers.get(workerId);
  if (worker === undefined) return;
  turn.removeWorker(workerId);
  turn.log("left", `${nameOf(worker)} left: ${reason}`, { workerId, name: worker.name });
  const { phase } = turn.state;
  if (phase === "rendezvous") {
    onLeftRendezvous(turn, worker, reason);
    return;
  }
  if (worker.status !== "member") return;
  switch (phase) {
    case "linking":
      fail(turn, "E_WORKER_LOST", lostMessage(worker, reason, "before the first step"));
      return;
    case "stepping":
      onLostWhileStepping(turn, worker, reason);
      return;
    case "following":
      onLostWhileFollowing(turn, worker, reason);
      return;
    case "ending":
      if (turn.state.checkpointWriter === workerId) giveUpCheckpoint(turn, `${nameOf(worker)} left: ${reason}`);
      return;
    default:
      return;
  }
}

function onWorkerError(
  turn: Turn,
  worker: WorkerRecord,
  body: Extract<WorkerMessage, { readonly name: "workerError" }>["body"],
): void {
  const { phase, plan, checkpointWriter } = turn.state;
  const message = `${nameOf(worker)}: ${body.message}`;
  const { code, step, tensor } = body;
  turn.log("workerError", message, { workerId: worker.workerId, name: worker.name, code, failedStep: step, tensor });
  if (phase === "ending") {
    if (checkpointWriter === worker.workerId) giveUpCheckpoint(turn, message);
    return;
  }
  if (worker.status === "spare") return;
  if (phase === "rendezvous" && plan.joinFailure === "refuse") {
    refuseWorker(turn, worker, code, message);
    return;
  }
  const others = turn.liveMembers().filter(({ workerId }) => workerId !== worker.workerId);
  const checkpointFrom = body.isStateIntact ? [...others, worker] : others;
  fail(turn, code, message, { checkpointFrom });
}

function onStop(turn: Turn, reason: string): void {
  const { phase, stopRequest, committedStep } = turn.state;
  if (phase === "ending" || stopRequest !== undefined) return;
  const message = `interrupted: ${reason}.`;
  const ending = { status: "interrupted", code: "E_INTERRUPTED", message } as const;
  if (phase === "rendezvous" || phase === "linking") {
    endEarly(turn, ending);
    return;
  }
  turn.set({ stopRequest: ending });
  const when = phase === "stepping" ? `step ${committedStep + 1}` : `what follows step ${committedStep}`;
  turn.log("stopping", `stopping after ${when}: ${reason}`);
}

function onDeadline(turn: Turn): void {
  switch (turn.state.phase) {
    case "rendezvous":
      onRendezvousTick(turn);
      return;
    case "linking":
      onLinkingTick(turn);
      return;
    case "stepping":
      onSteppingTick(turn);
      return;
    case "following":
      onFollowingTick(turn);
      return;
    case "ending":
      giveUpCheckpoint(turn, `it was not there within ${turn.state.plan.timeouts.lastCheckpointMs} ms`);
      return;
    default:
      return;
  }
}
