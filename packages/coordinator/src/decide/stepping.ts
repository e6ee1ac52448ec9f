/** @file Reports of a step, agreement of the replicas (L2), the commit and what it carries. */
import type { MessageBody } from "@lockstep/protocol";
import type { StepInFlight, WorkerRecord } from "../state/coordinator-state.js";
import { strike } from "./accusations.js";
import { type Agreement, decideAgreement } from "./agreement.js";
import { dropCatchUp, isNearlyLevel, noteAsked, wantsGradients } from "./catch-up.js";
import { fail } from "./ending.js";
import { beginAttempt, freshStep, replan, stepTimeoutMs } from "./generation.js";
import { adjustLossScale, lossScaleOf } from "./loss-scale.js";
import { evict, regroup } from "./regroup.js";
import { beginSnapshotWithCommit, checkpointReasons, useIfKnown } from "./snapshots.js";
import { flushMetrics, recordStep } from "./step-metrics.js";
import { nameOf, type Turn } from "./turn.js";
import { verify } from "./verification.js";

/** State hashes that are kept: workers that catch up are compared with them. */
const numKeptHashes = 512;
/** Weight of a new measurement in a worker's smoothed speed. */
const newest = 0.3;
/** How often the shares follow the measured speeds. */
const replanEverySteps = 4;

export function onStepReport(turn: Turn, worker: WorkerRecord, body: MessageBody<"stepReport">): void {
  const { step, phase } = turn.state;
  if (phase !== "stepping" || step === undefined || !isOf(step, body)) return;
  turn.set({ step: { ...step, reports: new Map(step.reports).set(worker.workerId, body) } });
  measure(turn, worker, body);
  for (const { message, ...fields } of body.notices ?? []) {
    turn.log("notice", `${nameOf(worker)}: ${message}`, { workerId: worker.workerId, step: body.step, ...fields });
  }
}

/** Whether a message belongs to the attempt under way (I2). */
export function isOf(
  { assignment }: StepInFlight,
  body: { readonly step: number; readonly generation: number; readonly attempt: number },
): boolean {
  return (
    body.step === assignment.step && body.generation === assignment.generation && body.attempt === assignment.attempt
  );
}

function measure(turn: Turn, worker: WorkerRecord, body: MessageBody<"stepReport">): void {
  turn.update(worker.workerId, { lastReport: body });
  if (body.attempt > 0 || body.losses.length === 0 || turn.state.carried !== undefined) return;
  const ms = body.computeMs / body.losses.length;
  const before = worker.microBatchMs;
  turn.update(worker.workerId, { microBatchMs: before === undefined ? ms : before + newest * (ms - before) });
}

/** After each event of a step: when all who are left have reported, it is committed, or somebody is at fault. */
export function commitIfComplete(turn: Turn): void {
  const { step, phase } = turn.state;
  if (phase !== "stepping" || step === undefined) return;
  const members = turn.liveMembers();
  const reports = new Map([...step.reports].filter(([id]) => members.some(({ workerId }) => workerId === id)));
  if (members.length === 0 || reports.size < members.length) return;
  const complete = { ...step, reports };
  if (!assertStates(turn, complete) || !assertGradients(turn, complete)) return;
  if (verify(turn, complete)) return;
  settleDisputes(turn, complete);
  commit(turn, complete);
}

/** L2: replicas hold the same state. Who is outvoted is brought to the run's; without a majority the run ends. */
function assertStates(turn: Turn, step: StepInFlight): boolean {
  const k = step.assignment.step;
  const states = decideAgreement([...step.reports].map(([id, { previous }]) => [id, previous.stateHash]));
  if (states.kind === "agree") {
    noteState(turn, k - 1, states.value);
    return true;
  }
  if (states.kind === "outvoted") noteState(turn, k - 1, states.value);
  resolveDisagreement(turn, `the state after step ${k - 1}`, states);
  return false;
}

/** The state before this step is the same everywhere: whose gradient differs computes the step again with the others. */
function assertGradients(turn: Turn, step: StepInFlight): boolean {
  const k = step.assignment.step;
  const gradients = decideAgreement([...step.reports].map(([id, { gradientHash }]) => [id, gradientHash]));
  if (gradients.kind === "agree") return true;
  if (gradients.kind === "split") {
    failSplit(turn, `the gradient of step ${k}`, gradients, turn.liveMembers());
    return false;
  }
  const why = `it held another gradient of step ${k} than the majority, ${gradients.value}`;
  const stayed = gradients.outvoted.map((id) => strike(turn, id, why));
  if (stayed.every((isHere) => isHere)) beginAttempt(turn, {}, `replicas differed: ${why}`);
  return false;
}

/** Sends the outvoted out of the generation; they come back with the run's state. */
export function resolveDisagreement(turn: Turn, what: string, agreement: Exclude<Agreement, { kind: "agree" }>): void {
  if (agreement.kind === "split") {
    failSplit(turn, what, agreement, []);
    return;
  }
  const why = `it holds other bits of ${what} than the majority, ${agreement.value}`;
  for (const id of agreement.outvoted) {
    if (!strike(turn, id, why)) continue;
    const worker = turn.worker(id)!;
    turn.log("outvoted", `${nameOf(worker)}: ${why}; it is brought to the run's state`, { workerId: id });
    turn.update(id, { status: "joining", held: undefined, sentStep: undefined });
  }
  const isMember = (id: string): boolean => !agreement.outvoted.includes(id);
  if (turn.state.members.some(isMember)) regroup(turn, why);
}

function failSplit(
  turn: Turn,
  what: string,
  { groups }: Extract<Agreement, { kind: "split" }>,
  checkpointFrom: readonly WorkerRecord[],
): void {
  const name = (id: string): string => {
    const worker = turn.worker(id);
    return worker === undefined ? id : nameOf(worker);
  };
  const sides = groups.map(({ value, workerIds }) => `${workerIds.map(name).join(", ")}: ${value}`);
  const message = `replicas: there is no majority for ${what}: ${sides.join("; ")}; all must hold the same. Check the memory of these machines; the run stops at its last checkpoint.`;
  fail(turn, "E_REPLICAS_DIFFER", message, { checkpointFrom });
}

/** All replicas agree on the state after a step. */
export function noteState(turn: Turn, step: number, stateHash: string): void {
  const { stateHashes } = turn.state;
  if (stateHashes.get(step) === stateHash) return;
  const next = new Map(stateHashes).set(step, stateHash);
  if (next.size > numKeptHashes) next.delete(Math.min(...next.keys()));
  turn.set({ stateHashes: next });
  useIfKnown(turn);
}

/** A part was in doubt and somebody else's values were accepted in its place. */
function settleDisputes(turn: Turn, { disputes, assignment }: StepInFlight): void {
  for (const { workerId, lo, hi, message } of disputes) {
    const what = `its values for micro-batches ${lo}..${hi - 1} of step ${assignment.step} were refused and another worker's accepted (${message})`;
    strike(turn, workerId, what.slice(0, 2_000));
  }
}

function commit(turn: Turn, step: StepInFlight): void {
  const k = step.assignment.step;
  const { gradientHash, previous } = step.reports.values().next().value!;
  flushMetrics(turn, previous);
  recordStep(turn, step);
  adjustLossScale(turn, step);
  const lastMembers = turn.liveMembers().map(({ workerId, name }) => ({ workerId, name }));
  turn.set({ committedStep: k, step: undefined, lastMembers });
  turn.journal({
    kind: "commit",
    step: k,
    generation: turn.state.generation,
    gradientHash,
    metrics: turn.state.pendingMetrics ?? null,
    totals: { ...turn.state.totals },
  });
  turn.log("commit", `step ${k}: ${step.reports.size} workers hold the same gradient`, {
    attempt: step.assignment.attempt,
    gradientHash,
    previousStateHash: previous.stateHash,
    loss: turn.state.pendingMetrics?.loss,
  });
  dropCatchUp(turn);
  follow(turn, step, gradientHash);
}

function follow(turn: Turn, step: StepInFlight, gradientHash: string): void {
  const { plan, members } = turn.state;
  const { step: k, generation, attempt } = step.assignment;
  const isLast = k >= plan.stopStep || turn.state.stopRequest !== undefined;
  const isEvalDue = k >= plan.stopStep || (plan.evalIntervalSteps > 0 && k % plan.evalIntervalSteps === 0);
  const isJudgeDue = plan.isJudged && !isLast && isEvalDue;
  const hasEvalData = (turn.liveMembers()[0]?.ready?.grid.numEvalMicroBatches ?? 0) > 0;
  noteAsked(turn, k);
  const isJoinDue = turn.withStatus("joining").some((worker) => isNearlyLevel(turn.state, worker));
  const isRegroupDue = turn.liveMembers().length < members.length;
  const writer = beginSnapshotWithCommit(turn, checkpointReasons(turn.state, turn.nowMs));
  const rankOf = (worker: WorkerRecord | undefined): number | null =>
    worker === undefined ? null : members.indexOf(worker.workerId);
  const hasNext = !(isLast || (isEvalDue && hasEvalData) || isJudgeDue || isJoinDue || isRegroupDue);
  if (hasNext && k % replanEverySteps === 0) replan(turn);
  const next = hasNext
    ? { step: k + 1, generation, attempt: 0, nodesByRank: turn.state.nodesByRank, ...lossScaleOf(turn.state) }
    : null;
  turn.sendMembers({
    name: "commit",
    body: {
      step: k,
      generation,
      attempt,
      gradientHash,
      next,
      snapshotRank: rankOf(writer),
      gradientRank: wantsGradients(turn.state) ? rankOf(turn.liveMembers()[0]) : null,
      isLast,
    },
  });
  if (next !== null) {
    turn.set({ step: freshStep(next, turn.nowMs) });
    turn.set({ deadlineMs: turn.nowMs + stepTimeoutMs(turn.state) });
    return;
  }
  turn.set({
    phase: "following",
    deadlineMs: turn.nowMs + plan.timeouts.followMs,
    follow: {
      step: k,
      isLast,
      applied: new Map(),
      isEvalDue: isEvalDue && hasEvalData,
      evaluating: undefined,
      losses: [],
      states: new Map(),
      evalMs: 0,
      judgement: isJudgeDue ? "due" : "none",
      joinUntilMs: isJoinDue && !isLast ? turn.nowMs + plan.timeouts.joinPauseMs : undefined,
    },
  });
}

/** A step takes too long: whoever keeps it is sent out of the generation. */
export function onSteppingTick(turn: Turn): void {
  const step = turn.state.step!;
  const waited = Math.round(turn.nowMs - step.startedAtMs);
  const missing = turn.liveMembers().filter(({ workerId }) => !step.reports.has(workerId));
  const slow = missing.filter((worker) => !hasComputed(turn, step, worker));
  if (missing.length === turn.liveMembers().length && slow.length === 0) {
    regroup(
      turn,
      `step ${step.assignment.step}: all have computed and nobody has the whole gradient after ${waited} ms; the members dial anew`,
    );
    return;
  }
  for (const worker of slow.length > 0 && slow.length < turn.liveMembers().length ? slow : missing.slice(1)) {
    evict(
      turn,
      worker,
      `it did not report step ${step.assignment.step} within ${waited} ms; the slowest recent step decides how long is waited, at least ${turn.state.plan.timeouts.minStepMs} ms (minStepMs)`,
    );
  }
  turn.set({ deadlineMs: turn.nowMs + stepTimeoutMs(turn.state) });
}

/** Whether a worker has computed all it was given. */
export function hasComputed(
  { state }: Turn,
  { assignment, progress }: StepInFlight,
  { workerId }: WorkerRecord,
): boolean {
  const nodes = assignment.nodesByRank[state.members.indexOf(workerId)] ?? [];
  const total = nodes.reduce((sum, [lo, hi]) => sum + hi - lo, 0);
  return (progress.get(workerId)?.doneMicroBatches ?? 0) >= total;
}
