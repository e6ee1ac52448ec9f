/**
 * @file What the coordinator does next: pure, no sockets, no clock, no files, no randomness. src/node executes the effects.
 *
 * Here only who decides which event. An event changes what is known; then `settle` asks each phase whether that is enough to go on.
 */
import type { MessageBody, WorkerMessage } from "@lockstep/protocol";
import type { CoordinatorDecision, CoordinatorEvent } from "../state/coordinator-events.js";
import type { CoordinatorState, WorkerRecord } from "../state/coordinator-state.js";
import { strike } from "./accusations.js";
import { beginIfEnough } from "./begin.js";
import { endRejoin, onGradientStored, onLevel, serveJoiners } from "./catch-up.js";
import { endEarly, endIfDone, fail, finishRun, giveUpCheckpoint } from "./ending.js";
import { advance, onApplied, onEvaluated, onFollowingTick, onJudged } from "./following.js";
import { onLinkingTick, onLinkReport } from "./linking.js";
import { excuseSilence, noteHeard, onSilenceTick, silenceDeadline } from "./liveness.js";
import { onLost } from "./loss.js";
import { evict } from "./regroup.js";
import { flushReleases } from "./release-blobs.js";
import { onJoined, onPrepareTick, onReady, refuseWorker } from "./rendezvous.js";
import { onCheckpointWriteFailed, onCheckpointWritten, onSnapshotDone, onSnapshotFailed } from "./snapshots.js";
import { onProgress, onStepFailed, rescue, rescueDeadline } from "./step-failures.js";
import { commitIfComplete, onSteppingTick, onStepReport } from "./stepping.js";
import { nameOf, Turn } from "./turn.js";

export function decide(state: CoordinatorState, event: CoordinatorEvent, nowMs: number): CoordinatorDecision {
  const turn = new Turn(state, nowMs);
  if (state.phase !== "stopped") {
    excuseSilence(turn);
    endRejoin(turn);
    dispatch(turn, event);
    settle(turn);
  }
  return { state: turn.state, effects: turn.effects, reason: turn.reason };
}

/** When `decide` wants to be asked again at the latest. */
export function nextDeadlineMs(state: CoordinatorState): number {
  if (state.phase === "stopped") return Number.POSITIVE_INFINITY;
  return Math.min(state.deadlineMs, silenceDeadline(state), prepareDeadline(state), rescueDeadline(state));
}

function prepareDeadline({ workers, plan }: CoordinatorState): number {
  const preparing = [...workers.values()].filter(({ status }) => status === "preparing");
  return Math.min(...preparing.map(({ joinedAtMs }) => joinedAtMs + plan.timeouts.prepareMs));
}

/** What follows from what is known now. Losses first: a loss can be what everything waits for. */
function settle(turn: Turn): void {
  for (let lost = turn.lost.shift(); lost !== undefined; lost = turn.lost.shift())
    onLost(turn, lost.worker, lost.reason);
  commitIfComplete(turn);
  beginIfEnough(turn);
  advance(turn);
  // That all are gone may have shown only now.
  beginIfEnough(turn);
  endIfDone(turn);
  if (turn.lost.length > 0) settle(turn);
  flushReleases(turn);
}

function dispatch(turn: Turn, event: CoordinatorEvent): void {
  switch (event.kind) {
    case "joined":
      onJoined(turn, event);
      return;
    case "left":
      onLeft(turn, event.workerId, event.reason);
      return;
    case "violated":
      if (turn.worker(event.workerId) !== undefined)
        strike(turn, event.workerId, `it broke the protocol: ${event.what}`);
      return;
    case "heard":
      noteHeard(turn, event.workerId);
      return;
    case "message": {
      noteHeard(turn, event.workerId);
      const worker = turn.worker(event.workerId);
      if (worker !== undefined) onMessage(turn, worker, event.message);
      return;
    }
    case "checkpointWritten":
      onCheckpointWritten(turn, event.step);
      return;
    case "checkpointWriteFailed":
      onCheckpointWriteFailed(turn, event.step, event.message);
      return;
    case "judged":
      onJudged(turn, event);
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
      onTick(turn);
      return;
    default:
      event satisfies never;
  }
}

function onMessage(turn: Turn, worker: WorkerRecord, message: WorkerMessage): void {
  switch (message.name) {
    case "ready":
      onReady(turn, worker, message.body);
      return;
    case "workerError":
      onWorkerError(turn, worker, message.body);
      return;
    case "goodbye":
      turn.do({ kind: "close", workerId: worker.workerId, reason: "goodbye" });
      onLeft(turn, worker.workerId, message.body.reason);
      return;
    case "level":
      onLevel(turn, worker, message.body);
      serveJoiners(turn);
      return;
    case "gradientStored":
      onGradientStored(turn, message.body);
      return;
    case "checkpointDone":
      onSnapshotDone(turn, worker, message.body);
      return;
    case "checkpointFailed":
      onSnapshotFailed(turn, worker, message.body);
      return;
    case "hello":
    case "heartbeat":
    case "blobGet":
    case "blobPut":
      return; // The shell answers these.
    default:
      if (worker.status === "member") onMemberMessage(turn, worker, message);
  }
}

type MemberMessage = Extract<
  WorkerMessage,
  { readonly name: "linkReport" | "stepReport" | "stepFailed" | "progress" | "applied" | "evaluated" }
>;

function onMemberMessage(turn: Turn, worker: WorkerRecord, message: MemberMessage): void {
  switch (message.name) {
    case "linkReport":
      onLinkReport(turn, worker, message.body);
      return;
    case "stepReport":
      onStepReport(turn, worker, message.body);
      return;
    case "stepFailed":
      onStepFailed(turn, worker, message.body);
      return;
    case "progress":
      onProgress(turn, worker, message.body);
      return;
    case "applied":
      onApplied(turn, worker, message.body);
      return;
    case "evaluated":
      onEvaluated(turn, worker, message.body);
      return;
    default:
      message satisfies never;
  }
}

function onLeft(turn: Turn, workerId: string, reason: string): void {
  const worker = turn.worker(workerId);
  if (worker === undefined) return;
  turn.log("left", `${nameOf(worker)} left: ${reason}`, { workerId, name: worker.name });
  turn.lose(worker, reason);
}

/**
 * A worker that cannot go on. What the job itself does wrong would go wrong everywhere: a second worker that fails alike ends the run,
 * as does the only one; else the others go on.
 */
function onWorkerError(turn: Turn, worker: WorkerRecord, body: MessageBody<"workerError">): void {
  const { phase, plan, hasBegun, workerErrors } = turn.state;
  const message = `${nameOf(worker)}: ${body.message}`;
  const { code, step, tensor } = body;
  turn.log("workerError", message, { workerId: worker.workerId, name: worker.name, code, failedStep: step, tensor });
  turn.set({ workerErrors: [...workerErrors, { code, workerId: worker.workerId }].slice(-64) });
  if (phase === "ending" || worker.status === "spare") return;
  if (!hasBegun && phase === "rendezvous") {
    if (plan.joinFailure === "fail") failWith(turn, worker, body);
    else refuseWorker(turn, worker, code, message);
    return;
  }
  const isKnown = workerErrors.some((error) => error.code === code && error.workerId !== worker.workerId);
  const isMember = worker.status === "member";
  if (isMember && (isKnown || turn.liveMembers().length < 2)) failWith(turn, worker, body);
  else if (isMember) evict(turn, worker, `it cannot go on: ${body.message}`.slice(0, 2_000));
  else refuseWorker(turn, worker, code, message);
}

function failWith(turn: Turn, worker: WorkerRecord, body: MessageBody<"workerError">): void {
  const others = turn.liveMembers().filter(({ workerId }) => workerId !== worker.workerId);
  const checkpointFrom = body.isStateIntact && worker.status === "member" ? [...others, worker] : others;
  fail(turn, body.code, `${nameOf(worker)}: ${body.message}`, { checkpointFrom });
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

function onTick(turn: Turn): void {
  onSilenceTick(turn);
  onPrepareTick(turn);
  rescue(turn);
  const { phase, deadlineMs, plan } = turn.state;
  if (turn.nowMs < deadlineMs) return;
  switch (phase) {
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
      giveUpCheckpoint(turn, `it was not there within ${plan.timeouts.lastCheckpointMs} ms`);
      return;
    default:
      return;
  }
}
