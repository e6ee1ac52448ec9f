/**
 * @file When a run begins, or goes on: from which state, and with whom. Called after every event of the rendezvous, so that it has no
 * memory of its own.
 */
import type { MessageBody } from "@lockstep/protocol";
import type { CoordinatorState, WorkerRecord } from "../state/coordinator-state.js";
import { decideAgreement } from "./agreement.js";
import { memberLimit, numTaken } from "./capacity.js";
import { needsSnapshot, startJoin } from "./catch-up.js";
import { endEarly, fail } from "./ending.js";
import { startGeneration } from "./generation.js";
import { goBackIfAbandoned, returnDeadline } from "./go-back.js";
import { requestSnapshot } from "./snapshots.js";
import { noteState } from "./stepping.js";
import { nameOf, type Turn } from "./turn.js";

export function beginIfEnough(turn: Turn): void {
  if (turn.state.phase !== "rendezvous") return;
  if (turn.state.stopRequest !== undefined) {
    endEarly(turn, turn.state.stopRequest);
    return;
  }
  if (!turn.state.isSettled) settle(turn);
  if (!turn.state.isSettled || turn.state.phase !== "rendezvous") return;
  if (goBackIfAbandoned(turn) === "wait") {
    giveUpOrWait(turn, { needed: turn.state.plan.minWorkersToGoOn, numLevel: 0 });
    return;
  }
  if (!agreeOnState(turn)) return;
  levelOthers(turn);
  const { state } = turn;
  const level = holders(turn);
  const needed = state.hasBegun ? state.plan.minWorkersToGoOn : state.plan.minWorkers;
  const numPreparing = turn.withStatus("preparing").length;
  const isWorthWaiting = !state.hasBegun && numPreparing > 0 && turn.nowMs < joinDeadline(state);
  if (level.length >= needed && (level.length >= memberLimit(state) || !isWorthWaiting)) {
    if (state.committedStep >= state.plan.stopStep) {
      finishReturned(turn, level);
      return;
    }
    const why =
      state.waitingSinceMs === undefined
        ? `${level.length} workers are ready`
        : `${level.length} workers are there again`;
    startGeneration(turn, level.slice(0, memberLimit(state)), why);
    return;
  }
  giveUpOrWait(turn, { needed, numLevel: level.length });
}

/** The last step was committed before the coordinator died: what follows it is still to do. */
function finishReturned(turn: Turn, level: readonly WorkerRecord[]): void {
  const { committedStep: step, generation, plan } = turn.state;
  for (const { workerId } of level) turn.update(workerId, { status: "member" });
  const applied = level.map(({ workerId, held }): [string, MessageBody<"applied">] => [
    workerId,
    { step, generation, stateHash: held!.stateHash, gradNorm: null, learningRate: null },
  ]);
  turn.set({
    phase: "following",
    members: level.map(({ workerId }) => workerId),
    deadlineMs: turn.nowMs + plan.timeouts.followMs,
    follow: {
      step,
      isLast: true,
      applied: new Map(applied),
      isEvalDue: plan.history?.evaluations.has(step) !== true && (level[0]?.ready?.grid.numEvalMicroBatches ?? 0) > 0,
      evaluating: undefined,
      losses: [],
      states: new Map(),
      evalMs: 0,
      judgement: "none",
      joinUntilMs: undefined,
    },
  });
}

function holders(turn: Turn): WorkerRecord[] {
  const { committedStep, stateHashes } = turn.state;
  const known = stateHashes.get(committedStep);
  return turn
    .withStatus("ready", "joining")
    .filter(({ held }) => held?.step === committedStep && (known === undefined || held.stateHash === known));
}

/** Decides from which step a run that was taken up again goes on: the largest that any returning member holds. */
function settle(turn: Turn): void {
  const { state } = turn;
  const { history, timeouts, minWorkers, minWorkersToGoOn } = state.plan;
  const there = turn.withStatus("ready");
  const isBack = (id: string): boolean => there.some(({ workerId }) => workerId === id);
  const isAnybodyMissing = (history?.members ?? []).some((id) => !isBack(id));
  const firstMs = Math.min(...there.map(({ joinedAtMs }) => joinedAtMs));
  const hasReturned = there.some(({ hello }) => hello.held !== null);
  const isPreparing = turn.withStatus("preparing").length > 0 && turn.nowMs < joinDeadline(state);
  const needed = hasReturned ? minWorkersToGoOn : minWorkers;
  if (there.length < needed || (!hasReturned && isPreparing)) {
    giveUpOrWait(turn, { needed, numLevel: there.length });
    return;
  }
  if (isAnybodyMissing && turn.nowMs < firstMs + timeouts.returnMs) {
    turn.set({ deadlineMs: Math.min(state.deadlineMs, firstMs + timeouts.returnMs) });
    return;
  }
  const step = Math.max(...there.map(({ held }) => held!.step));
  const agreed = decideAgreement(
    there.flatMap(({ workerId, held }): [string, string][] =>
      held?.step === step ? [[workerId, held.stateHash]] : [],
    ),
  );
  if (agreed.kind === "split") {
    failSplitStates(turn, step, agreed.groups);
    return;
  }
  const metrics = history?.committedStep === step ? history.metrics : undefined;
  turn.set({
    isSettled: true,
    committedStep: step,
    hasBegun: hasReturned,
    pendingMetrics: metrics,
    lastMetrics: metrics,
    stateHashes: new Map([[step, agreed.value]]),
    evalLoss: lastOf(history?.evaluations, step),
    metricValues: lastOf(history?.metricValues, step),
    lossScale: lossScaleAt(state.plan, step),
    deadlineMs: joinDeadline(state),
  });
  turn.do({ kind: "beginAt", step });
  const before = history?.committedStep ?? step;
  if (before > step) turn.journal({ kind: "rewind", step });
  turn.log(
    "resumed",
    `the run goes on from step ${step}, which ${there
      .filter(({ held }) => held?.step === step)
      .map(nameOf)
      .join(", ")} holds${before > step ? `; the journal knew of step ${before}, which nobody holds` : ""}`,
    { term: state.plan.welcome.term },
  );
}

function lastOf<T>(evaluations: ReadonlyMap<number, T> | undefined, step: number): T | undefined {
  const steps = [...(evaluations?.keys() ?? [])].filter((k) => k <= step);
  return steps.length === 0 ? undefined : evaluations!.get(Math.max(...steps));
}

/** As it was when the run had committed that step. */
function lossScaleAt({ history, lossScaling }: CoordinatorState["plan"], step: number): CoordinatorState["lossScale"] {
  const steps = [...(history?.lossScales?.keys() ?? [])].filter((k) => k <= step);
  const sinceStep = Math.max(0, ...steps);
  return { value: history?.lossScales?.get(sinceStep) ?? lossScaling.initial, sinceStep };
}

/** In a run that waits, the state of the last step may not have been told by anyone yet. @returns whether it is known now. */
function agreeOnState(turn: Turn): boolean {
  const { committedStep, stateHashes, hasBegun } = turn.state;
  if (!hasBegun || stateHashes.has(committedStep)) return true;
  const there = turn.withStatus("ready", "joining");
  if (there.length === 0 || there.some(({ status, held }) => status === "ready" && held === undefined)) {
    giveUpOrWait(turn, { needed: turn.state.plan.minWorkersToGoOn, numLevel: 0 });
    return false;
  }
  const told = there.flatMap(({ workerId, held }): [string, string][] =>
    held?.step === committedStep ? [[workerId, held.stateHash]] : [],
  );
  if (told.length === 0) return true;
  const agreed = decideAgreement(told);
  if (agreed.kind === "split") {
    failSplitStates(turn, committedStep, agreed.groups);
    return false;
  }
  noteState(turn, committedStep, agreed.value);
  return true;
}

function failSplitStates(
  turn: Turn,
  step: number,
  groups: readonly { readonly value: string; readonly workerIds: readonly string[] }[],
): void {
  const sides = groups.map(({ value, workerIds }) => `${workerIds.join(", ")}: ${value}`).join("; ");
  const message = `replicas: the workers that are left hold different states after step ${step}: ${sides}; all must hold the same. Start them anew: the run goes on from its last checkpoint.`;
  fail(turn, "E_REPLICAS_DIFFER", message, { checkpointFrom: [] });
}

/** Workers that hold another state than the run's get it. */
function levelOthers(turn: Turn): void {
  const { committedStep } = turn.state;
  const level = holders(turn);
  for (const worker of turn.withStatus("ready")) {
    if (level.includes(worker)) continue;
    const reported = worker.hello.held?.reported;
    if (reported?.step === committedStep && worker.held?.step === committedStep - 1) {
      turn.send(worker.workerId, { name: "applyKept", body: reported });
      turn.update(worker.workerId, { status: "joining", sentStep: committedStep });
    } else startJoin(turn, worker);
  }
  const donor = level[0];
  if (donor === undefined || turn.state.snapshot !== undefined || !needsSnapshot(turn.state)) return;
  requestSnapshot(turn, donor, { reasons: [], isForJoiners: true, why: "workers that joined need the run's state" });
}

function giveUpOrWait(turn: Turn, { needed, numLevel }: { readonly needed: number; readonly numLevel: number }): void {
  const { state } = turn;
  const untilMs = joinDeadline(state);
  const isEnoughThere = numTaken(state) >= needed;
  const isAbandoned = state.abandonedSinceMs !== undefined;
  if (turn.nowMs >= untilMs && isEnoughThere && isAbandoned && turn.withStatus("preparing").length === 0) {
    const message = `rendezvous: nobody who holds the state after step ${state.committedStep} came back within ${state.plan.timeouts.joinMs} ms (--join-timeout), and no checkpoint is known with which the workers that are here could begin; one of both must be there. Start the coordinator again with --resume.`;
    fail(turn, "E_JOIN_TIMEOUT", message);
    return;
  }
  if (turn.nowMs >= untilMs && !isEnoughThere) {
    const what = state.hasBegun ? "are left of" : "of";
    const message = `rendezvous: ${numTaken(state)} ${what} ${needed} workers joined within ${state.plan.timeouts.joinMs} ms (--join-timeout); there must be ${needed}. Start more workers, or lower --min-workers.`;
    fail(turn, "E_JOIN_TIMEOUT", message);
    return;
  }
  noteWaiting(turn, needed, numLevel);
  const isEndless = (isEnoughThere && !isAbandoned) || turn.nowMs >= untilMs;
  turn.set({ deadlineMs: Math.min(isEndless ? Number.POSITIVE_INFINITY : untilMs, returnDeadline(turn)) });
}

function noteWaiting(turn: Turn, needed: number, numLevel: number): void {
  const { state } = turn;
  if (numLevel === 0 || state.waitingSinceMs !== undefined || turn.reason === "") return;
  const numMissing = Math.max(0, needed - numTaken(state));
  const numPreparing = numTaken(state) - numLevel;
  const what = numMissing > 0 ? `${numMissing} more to join` : `${numPreparing} to be ready`;
  const message = `${numLevel} of at least ${needed} workers ready; waiting for ${what}`;
  turn.log("notice", message);
  for (const { workerId } of turn.withStatus("ready"))
    turn.send(workerId, { name: "notice", body: { code: "WAITING", message } });
}

/** From the start, or from when too few were left. */
function joinDeadline({ startedAtMs, waitingSinceMs, plan }: CoordinatorState): number {
  return (waitingSinceMs ?? startedAtMs) + plan.timeouts.joinMs;
}
