/** @file After a commit without a next assignment: updates, evaluation, checkpoint, workers that join; then the next step or the end. */
import type { MessageBody } from "@lockstep/protocol";
import { assignEvaluation } from "../assignment/assign-micro-batches.js";
import { treeMean } from "../assignment/tree-nodes.js";
import type { FollowUp, WorkerRecord } from "../state/coordinator-state.js";
import { decideAgreement } from "./agreement.js";
import { memberLimit } from "./capacity.js";
import { isNearlyLevel } from "./catch-up.js";
import { endEarly, fail, finishRun } from "./ending.js";
import {
  comparedValue,
  isBetter,
  judgedMetrics,
  type MetricsByName,
  metricValuesOf,
  takeStates,
} from "./evaluation-metrics.js";
import { beginStep } from "./generation.js";
import { evict, regroup } from "./regroup.js";
import { requestSnapshot } from "./snapshots.js";
import { addToMetrics, flushMetrics } from "./step-metrics.js";
import { noteState, resolveDisagreement } from "./stepping.js";
import { nameOf, type Turn } from "./turn.js";

type Range = readonly [number, number];

export function onApplied(turn: Turn, worker: WorkerRecord, body: MessageBody<"applied">): void {
  const { follow, phase, committedStep } = turn.state;
  if (phase === "ending" && body.step === committedStep) {
    flushMetrics(turn, body);
    noteState(turn, body.step, body.stateHash);
  }
  if (phase !== "following" || follow === undefined || body.step !== follow.step) return;
  setFollow(turn, { applied: new Map(follow.applied).set(worker.workerId, body) });
}

export function onEvaluated(turn: Turn, worker: WorkerRecord, body: MessageBody<"evaluated">): void {
  const { follow, phase } = turn.state;
  if (phase !== "following" || follow?.evaluating === undefined || body.step !== follow.step) return;
  const ranges = follow.evaluating.get(worker.workerId);
  if (ranges === undefined) return;
  // A worker that took over another one's part says both apart, and large states come in several messages.
  const done = new Set(body.losses.map(([m]) => m));
  const rest = ranges.flatMap(([lo, hi]): Range[] => {
    let first = lo;
    while (first < hi && done.has(first)) first++;
    return first < hi ? [[first, hi]] : [];
  });
  const evaluating = new Map(follow.evaluating);
  if (rest.length > 0) evaluating.set(worker.workerId, rest);
  else evaluating.delete(worker.workerId);
  const states = takeStates(turn, follow, body);
  if (turn.state.phase !== "following") return;
  setFollow(turn, {
    evaluating,
    losses: [...follow.losses, ...body.losses],
    states,
    evalMs: Math.max(follow.evalMs, body.evalMs),
  });
}

/** After each event: what is the next thing that is still to do? */
export function advance(turn: Turn): void {
  const { follow, phase } = turn.state;
  if (phase !== "following" || follow === undefined) return;
  if (turn.liveMembers().length === 0) {
    regroup(turn, "all members are gone");
    return;
  }
  if (!isApplied(turn, follow) || !isEvaluated(turn) || turn.state.phase !== "following") return;
  if (!isJudged(turn)) return;
  if (turn.state.follow!.isLast) finishIfSaved(turn);
  else goOn(turn);
}

function isApplied(turn: Turn, follow: FollowUp): boolean {
  const members = turn.liveMembers();
  const applied = members.flatMap(({ workerId }): [string, string][] => {
    const body = follow.applied.get(workerId);
    return body === undefined ? [] : [[workerId, body.stateHash]];
  });
  if (applied.length < members.length) return false;
  const states = decideAgreement(applied);
  if (states.kind !== "split") noteState(turn, follow.step, states.value);
  if (states.kind !== "agree") {
    resolveDisagreement(turn, `the state after step ${follow.step}`, states);
    return false;
  }
  const { gradNorm, learningRate } = follow.applied.get(members[0]!.workerId)!;
  // The line of an evaluated step waits for what the evaluation says.
  if (follow.isEvalDue) addToMetrics(turn, { gradNorm, learningRate });
  else flushMetrics(turn, { gradNorm, learningRate });
  return true;
}

/** Gives out the evaluation, and takes the mean once all of it is there. */
function isEvaluated(turn: Turn): boolean {
  const follow = turn.state.follow!;
  if (!follow.isEvalDue) return true;
  const total = turn.liveMembers()[0]?.ready?.grid.numEvalMicroBatches ?? 0;
  if (follow.evaluating === undefined) {
    giveOut(
      turn,
      assignEvaluation(total, turn.liveMembers().length).flatMap((range) => (range === null ? [] : [range])),
    );
    return false;
  }
  if (follow.evaluating.size > 0) return false;
  const mean = treeMean(follow.losses, total);
  if (mean === undefined) {
    const message = `evaluation: step ${follow.step} has ${follow.losses.length} sums for ${total} micro-batches, with total weight ${follow.losses.reduce((sum, [, , weight]) => sum + weight, 0)}; each must be there once and the weight above 0. Look at the job's evaluation data.`;
    fail(turn, "E_EVALUATION", message);
    return false;
  }
  const values = metricValuesOf(turn, total);
  if (values === undefined) return false;
  setFollow(turn, { isEvalDue: false, states: new Map() });
  noteEvaluation(turn, mean, values);
  return true;
}

/** Ranges to members that have none, in turn. */
function giveOut(turn: Turn, ranges: readonly Range[]): void {
  const follow = turn.state.follow!;
  const members = turn.liveMembers();
  const evaluating = new Map(follow.evaluating);
  const given = new Map<string, Range[]>();
  ranges.forEach((range, i) => {
    const { workerId } = members[i % members.length]!;
    given.set(workerId, [...(given.get(workerId) ?? []), range]);
  });
  for (const [workerId, own] of given) {
    evaluating.set(workerId, [...(evaluating.get(workerId) ?? []), ...own]);
    const { step } = follow;
    const body = { step, generation: turn.state.generation, ranges: own.map(([lo, hi]): [number, number] => [lo, hi]) };
    turn.send(workerId, { name: "evaluate", body });
  }
  setFollow(turn, { evaluating });
}

function noteEvaluation(
  turn: Turn,
  { mean, weight }: { readonly mean: number; readonly weight: number },
  values: MetricsByName,
): void {
  const { follow, best, plan, snapshot, writing, storedSteps } = turn.state;
  const { step, evalMs } = follow!;
  const { bestBy } = plan.checkpoints;
  const value = comparedValue({ evalLoss: mean, metrics: values }, bestBy) ?? mean;
  // In a run that went back the best one comes again, and its state was not kept.
  const isAgain = best?.step === step && !best.isStored;
  const isBest = best === undefined || isAgain || isBetter(value, best.value, bestBy);
  const metrics = plan.metricValues === undefined ? {} : { metrics: values };
  turn.set({ evalLoss: mean, ...(plan.metricValues === undefined ? {} : { metricValues: values }) });
  addToMetrics(turn, { evalLoss: mean, ...metrics });
  flushMetrics(turn, undefined);
  const shown = Object.entries(values).map(([name, number]) => `, ${name} ${number.toFixed(4)}`);
  const text = `step ${step}: held-out loss ${mean.toFixed(4)}${shown.join("")}`;
  turn.log("evaluated", text, { evalLoss: mean, ...metrics, weight, evalMs, isBest });
  turn.journal({ kind: "evaluated", step, evalLoss: mean, ...metrics });
  if (!isBest) return;
  const isStored = storedSteps.includes(step);
  turn.set({ best: { step, evalLoss: mean, value, isStored } });
  if (!plan.checkpoints.keepsBest || isStored || snapshot?.step === step || writing?.step === step) return;
  const writer = turn.liveMembers()[0]!;
  if (snapshot !== undefined || writing !== undefined) return;
  requestSnapshot(turn, writer, {
    reasons: ["best"],
    isForJoiners: false,
    why: `the best ${bestBy?.metric ?? "held-out loss"} so far`,
  });
}

/** The caller's answer: a run that it ends has completed. */
export function onJudged(turn: Turn, { step, stop }: { readonly step: number; readonly stop: string | null }): void {
  const { follow, stopRequest } = turn.state;
  if (follow?.step === step) setFollow(turn, { judgement: "none" });
  if (stop === null || stopRequest !== undefined) return;
  turn.set({ stopRequest: { status: "completed", code: "OK", message: `ended after step ${step}: ${stop}` } });
}

/** Asks the caller, once, whether the run goes on. */
function isJudged(turn: Turn): boolean {
  const { step, judgement, isLast } = turn.state.follow!;
  if (judgement === "none" || isLast) return true;
  if (judgement === "due") {
    setFollow(turn, { judgement: "asked" });
    turn.do({ kind: "judge", step, evalLoss: turn.state.evalLoss ?? null, ...judgedMetrics(turn) });
  }
  takeWantedCheckpoint(turn);
  return false;
}

/** A checkpoint that was put off to the next commit, which does not come before the answer; and the answer may wait for it. */
function takeWantedCheckpoint(turn: Turn): void {
  const { snapshot, writing, wantedCheckpoint: reasons } = turn.state;
  if (reasons.length === 0 || snapshot !== undefined || writing !== undefined) return;
  const why = "it was put off, and the run waits for its callbacks";
  requestSnapshot(turn, turn.liveMembers()[0]!, { reasons, isForJoiners: false, why });
}

/** The last step: its checkpoint is on disk, or it never will be. */
function finishIfSaved(turn: Turn): void {
  const { state } = turn;
  const { follow, snapshot, writing, stored, stopRequest, plan, checkpointError } = state;
  if (snapshot !== undefined || writing !== undefined) return;
  if (stored?.step !== follow!.step && plan.startStep !== follow!.step) {
    if (checkpointError !== undefined && state.wantedCheckpoint.length === 0) {
      fail(turn, "E_CHECKPOINT_WRITE", checkpointError, { checkpointFrom: [] });
      return;
    }
    const reasons = state.wantedCheckpoint.includes("last")
      ? state.wantedCheckpoint
      : [...state.wantedCheckpoint, "last"];
    requestSnapshot(turn, turn.liveMembers()[0]!, { reasons, isForJoiners: false, why: "the last step is done" });
    return;
  }
  if (follow!.step >= plan.stopStep) {
    turn.set({ ending: { status: "completed", code: "OK", message: `all ${follow!.step} steps are done` } });
    finishRun(turn);
  } else endEarly(turn, stopRequest!);
}

/** The next step, in a new generation where the members have changed or somebody is level. */
function goOn(turn: Turn): void {
  const { state } = turn;
  const follow = state.follow!;
  if (state.stopRequest !== undefined) {
    setFollow(turn, { isLast: true });
    finishIfSaved(turn);
    return;
  }
  const room = memberLimit(state) - turn.liveMembers().length;
  const joining = turn.withStatus("joining");
  const known = state.stateHashes.get(follow.step);
  const level = joining.filter(({ held }) => held?.step === follow.step && held.stateHash === known).slice(0, room);
  const isAwaited = joining.some((worker) => isNearlyLevel(state, worker) && !level.includes(worker));
  if (follow.joinUntilMs !== undefined && isAwaited && level.length < room && turn.nowMs < follow.joinUntilMs) {
    turn.set({ deadlineMs: follow.joinUntilMs });
    return;
  }
  const isSmaller = turn.liveMembers().length < state.members.length;
  if (level.length > 0) regroup(turn, `${level.map(nameOf).join(", ")} ${level.length === 1 ? "is" : "are"} level`);
  else if (isSmaller) regroup(turn, "a member was lost");
  else beginStep(turn);
}

/** A member is gone: what it was evaluating is given to the others. */
export function onLostWhileFollowing(turn: Turn, lost: WorkerRecord): void {
  const evaluating = turn.state.follow?.evaluating;
  const ranges = evaluating?.get(lost.workerId);
  if (evaluating === undefined || ranges === undefined) return;
  const others = new Map(evaluating);
  others.delete(lost.workerId);
  setFollow(turn, { evaluating: others });
  if (turn.liveMembers().length === 0) setFollow(turn, { evaluating: undefined, losses: [], states: new Map() });
  else giveOut(turn, ranges);
}

export function onFollowingTick(turn: Turn): void {
  const follow = turn.state.follow!;
  if (follow.joinUntilMs !== undefined && turn.nowMs >= follow.joinUntilMs) {
    setFollow(turn, { joinUntilMs: undefined });
    turn.set({ deadlineMs: turn.nowMs + turn.state.plan.timeouts.followMs });
    return;
  }
  const { followMs } = turn.state.plan.timeouts;
  if (follow.judgement === "asked") {
    const message = `callbacks: after step ${follow.step} they did not say within ${followMs} ms (followMs) whether the run goes on; they must answer. Look for a promise that never settles.`;
    fail(turn, "E_CALLBACK", message);
    return;
  }
  for (const worker of turn.liveMembers()) {
    const { workerId } = worker;
    if (!follow.applied.has(workerId))
      evict(turn, worker, `it did not apply step ${follow.step} within ${followMs} ms (followMs)`);
    else if (follow.evaluating?.has(workerId) === true)
      evict(turn, worker, `it did not finish its evaluation of step ${follow.step} within ${followMs} ms (followMs)`);
  }
  turn.set({ snapshot: undefined, deadlineMs: turn.nowMs + followMs });
}

function setFollow(turn: Turn, change: Partial<FollowUp>): void {
  turn.set({ follow: { ...turn.state.follow!, ...change } });
}
