/**
 * @file Nobody who holds the run's state is left: members may come back with it for a while; then new workers begin with the newest
 * state that there is, on disk or with somebody who was catching up, and the steps after it are computed again.
 */
import type { NamedBlob } from "@lockstep/protocol";
import type { CoordinatorState, HeldState, WorkerRecord } from "../state/coordinator-state.js";
import { decideAgreement } from "./agreement.js";
import { startJoin } from "./catch-up.js";
import { releaseBlobs } from "./release-blobs.js";
import { listOf, type Turn } from "./turn.js";

interface Fallback extends HeldState {
  /** Of the checkpoint; undefined where workers hold it. */
  readonly files: readonly NamedBlob[] | undefined;
  readonly where: string;
}

/** @returns "wait" while members may still come back or nobody is there to go on; "go on" otherwise. */
export function goBackIfAbandoned(turn: Turn): "go on" | "wait" {
  const { state } = turn;
  if (!isAbandoned(state)) {
    if (state.abandonedSinceMs !== undefined) turn.set({ abandonedSinceMs: undefined });
    return "go on";
  }
  if (state.abandonedSinceMs === undefined) {
    turn.set({ abandonedSinceMs: turn.nowMs });
    tellWhoIsAwaited(turn);
  }
  const isEnough = prepared(turn).length >= Math.max(1, state.plan.minWorkersToGoOn);
  if (!isEnough || turn.nowMs < returnMs(turn.state) || state.writing !== undefined) return "wait";
  const fallback = findFallback(turn);
  if (fallback === undefined) return "wait";
  goBack(turn, fallback);
  return "go on";
}

/** When a new worker that is ready need not wait for lost ones any more. */
export function returnDeadline(turn: Turn): number {
  const { abandonedSinceMs } = turn.state;
  const isDue = abandonedSinceMs !== undefined && prepared(turn).length > 0 && turn.nowMs < returnMs(turn.state);
  return isDue ? returnMs(turn.state) : Number.POSITIVE_INFINITY;
}

function returnMs({ abandonedSinceMs = 0, plan }: CoordinatorState): number {
  return abandonedSinceMs + plan.timeouts.returnMs;
}

function prepared(turn: Turn): WorkerRecord[] {
  return turn.withStatus("ready", "joining").filter(({ ready }) => ready !== undefined);
}

function isAbandoned(state: CoordinatorState): boolean {
  return state.hasBegun && ![...state.workers.values()].some((worker) => mayHold(state, worker));
}

/** Whether a worker holds the last committed state, or will without anybody's help. */
function mayHold({ committedStep, stateHashes }: CoordinatorState, worker: WorkerRecord): boolean {
  const { status, held, sentStep, hello } = worker;
  const past = hello.held;
  const keeps = past?.reported?.step === committedStep && past.step === committedStep - 1;
  const known = stateHashes.get(committedStep);
  switch (status) {
    case "spare":
      return false;
    case "preparing":
      return past !== null && (past.step === committedStep || keeps);
    case "ready":
    case "joining":
    case "member":
      if (status !== "joining" && held === undefined) return true;
      if (held?.step === committedStep) return known === undefined || held.stateHash === known;
      return sentStep === committedStep || (status === "ready" && keeps && held?.step === committedStep - 1);
    default:
      return status satisfies never;
  }
}

function tellWhoIsAwaited(turn: Turn): void {
  const { committedStep, lastMembers, plan, waitingSinceMs = turn.nowMs } = turn.state;
  const checkpoint = newestCheckpoint(turn.state);
  const from = checkpoint === undefined ? "its beginning" : `the checkpoint of step ${checkpoint.step}`;
  const isHopeless = checkpoint === undefined && plan.startStep > 0;
  const [returnSec, waitSec] = [plan.timeouts.returnMs, waitingSinceMs + plan.timeouts.joinMs - turn.nowMs].map((ms) =>
    Math.max(0, Math.round(ms / 1_000)),
  );
  const who = lastMembers.length === 0 ? "" : `; ${listOf(lastMembers)} may come back with it`;
  const otherwise = isHopeless
    ? `a new worker cannot begin, as the checkpoint of step ${plan.startStep} does not name its state's hash`
    : `after ${returnSec} s a new worker makes the run go on from ${from}`;
  const message = `nobody who holds the state after step ${committedStep} is here${who}; ${otherwise}; the run waits up to ${waitSec} s (--join-timeout)`;
  turn.log("waiting", message, { waitMs: plan.timeouts.joinMs, awaited: lastMembers.map(({ workerId }) => workerId) });
}

/** Of this coordinator's part of the run, or the one that it was started with. */
function newestCheckpoint({ stored, plan, origin }: CoordinatorState) {
  if (stored !== undefined) return stored;
  const { resume } = plan.welcome;
  if (resume === null || origin === undefined || origin.step !== resume.step) return undefined;
  return { step: resume.step, stateHash: origin.stateHash, files: resume.files };
}

/** The newest state: in a checkpoint, or held by workers and agreed upon when it was made; without any, the initial one. */
function findFallback(turn: Turn): Fallback | undefined {
  const { state } = turn;
  const checkpoint = newestCheckpoint(state);
  const held = newestHeld(turn);
  if (held !== undefined && held.step >= (checkpoint?.step ?? 0)) return held;
  if (checkpoint !== undefined) return { ...checkpoint, where: `the checkpoint of step ${checkpoint.step} is there` };
  return undefined;
}

function newestHeld(turn: Turn): Fallback | undefined {
  const { stateHashes, origin, plan } = turn.state;
  const initial = origin?.step === 0 ? origin.stateHash : agreedInitialState(turn);
  const isKnown = ({ step, stateHash }: HeldState): boolean =>
    (stateHashes.get(step) ?? (step === 0 && plan.startStep === 0 ? initial : undefined)) === stateHash;
  const known = prepared(turn).filter(({ held }) => held !== undefined && isKnown(held));
  const [first] = known.toSorted((a, b) => b.held!.step - a.held!.step);
  if (first?.held === undefined) return undefined;
  const { step, stateHash } = first.held;
  const others = known.filter(({ held }) => held!.step === step);
  return { step, stateHash, files: undefined, where: `${listOf(others)} ${others.length === 1 ? "holds" : "hold"} it` };
}

/** What new workers begin with, where no worker of before is left to compare it with. */
function agreedInitialState(turn: Turn): string | undefined {
  const states = prepared(turn).flatMap(({ workerId, held }): [string, string][] =>
    held?.step === 0 ? [[workerId, held.stateHash]] : [],
  );
  if (states.length === 0) return undefined;
  const agreed = decideAgreement(states);
  return agreed.kind === "split" ? undefined : agreed.value;
}

/** What came after that state never happened: the lines are superseded, and whoever is there gets the state. */
function goBack(turn: Turn, { step, stateHash, files, where }: Fallback): void {
  const { committedStep: before, stateHashes, catchUp, snapshot, pendingMetrics } = turn.state;
  const gone = [...(catchUp.base?.files ?? []), ...catchUp.gradients.values(), ...(snapshot?.done?.files ?? [])];
  const kept = new Map([...stateHashes].filter(([k]) => k < step)).set(step, stateHash);
  turn.set({
    committedStep: step,
    abandonedSinceMs: undefined,
    stateHashes: kept,
    carried: undefined,
    snapshot: undefined,
    wantedCheckpoint: [],
    pendingMetrics: step < before ? undefined : pendingMetrics,
    catchUp: { base: files && { step, stateHash, files }, gradients: new Map(), askedFrom: undefined },
  });
  releaseBlobs(
    turn,
    gone.map(({ sha256 }) => sha256),
  );
  if (files !== undefined) turn.do({ kind: "offerCheckpoint", step, files });
  if (step < before) {
    turn.do({ kind: "beginAt", step });
    turn.journal({ kind: "rewind", step });
    // What was learnt of it holds for the steps that are computed again.
    const { value } = turn.state.lossScale;
    turn.set({ lossScale: { value, sinceStep: step } });
    if (value !== turn.state.plan.lossScaling.initial) turn.journal({ kind: "lossScale", step, lossScale: value });
  }
  const lost = before - step;
  const again = lost === 0 ? "" : `; ${lost === 1 ? "the step" : `the ${lost} steps`} after it are computed again`;
  turn.log(
    "resumed",
    `nobody came back with the state after step ${before}: the run goes on from step ${step}, ${where}${again}`,
    {
      lostSteps: lost,
    },
  );
  for (const worker of prepared(turn)) {
    const { held, workerId } = worker;
    const isLevel = held?.step === step && held.stateHash === stateHash;
    if (isLevel) turn.update(workerId, { status: "ready", sentStep: undefined });
    else startJoin(turn, { ...worker, held: held?.step === step ? undefined : held });
  }
}
