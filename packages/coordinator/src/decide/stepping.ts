/** @file Reports of a step, agreement of the replicas (L2), the commit and what it carries. */
import type { MessageBody } from "@lockstep/protocol";
import { assignEvaluation } from "../assignment/assign-micro-batches.js";
import type { Ending, StepInFlight, WorkerRecord } from "../state/coordinator-state.js";
import { type Agreement, decideAgreement } from "./agreement.js";
import { endEarly, fail, lostMessage } from "./ending.js";
import { nextAssignment, stepTimeoutMs } from "./generation.js";
import { flushMetrics, recordStep } from "./step-metrics.js";
import { nameOf, type Turn } from "./turn.js";

export function onStepReport(turn: Turn, worker: WorkerRecord, body: MessageBody<"stepReport">): void {
  const { state } = turn;
  const { step, phase } = state;
  if (phase !== "stepping" || step === undefined) return;
  const { assignment } = step;
  if (
    body.step !== assignment.step ||
    body.generation !== assignment.generation ||
    body.attempt !== assignment.attempt
  ) {
    return;
  }
  const reports = new Map(step.reports).set(worker.workerId, body);
  const next = { ...step, reports };
  turn.set({ step: next });
  if (reports.size < state.members.length || !assertAgreement(turn, next)) return;
  commit(turn, next);
}

/** Ends the run when the replicas differ. @returns whether all agree. */
function assertAgreement(turn: Turn, step: StepInFlight): boolean {
  const k = step.assignment.step;
  const states = decideAgreement([...step.reports].map(([id, report]) => [id, report.previous.stateHash]));
  if (states.kind !== "agree") {
    failDisagreement(turn, `the state after step ${k - 1}`, states);
    return false;
  }
  const gradients = decideAgreement([...step.reports].map(([id, report]) => [id, report.gradientHash]));
  if (gradients.kind === "agree") return true;
  // The state before this step is the same everywhere, so anyone can save it.
  failDisagreement(turn, `the gradient of step ${k}`, gradients, turn.liveMembers());
  return false;
}

/** L2: the outvoted are named; without a strict majority all are, and nothing new is saved. */
export function failDisagreement(
  turn: Turn,
  what: string,
  agreement: Exclude<Agreement, { kind: "agree" }>,
  checkpointFrom?: readonly WorkerRecord[],
): void {
  const name = (workerId: string) => {
    const worker = turn.state.workers.get(workerId);
    return worker === undefined ? workerId : nameOf(worker);
  };
  if (agreement.kind === "outvoted") {
    const message = `replicas: ${agreement.outvoted.map(name).join(", ")} holds other bits of ${what} than the majority, ${agreement.value}; all must hold the same. Check its memory and its versions, or run without it.`;
    const majority = turn.liveMembers().filter(({ workerId }) => !agreement.outvoted.includes(workerId));
    fail(turn, "E_REPLICAS_DIFFER", message, { checkpointFrom: checkpointFrom ?? majority });
    return;
  }
  const sides = agreement.groups.map(({ value, workerIds }) => `${workerIds.map(name).join(", ")}: ${value}`);
  const message = `replicas: there is no majority for ${what}: ${sides.join("; ")}; all must hold the same. Check the memory of these machines; the run stops at its last checkpoint.`;
  fail(turn, "E_REPLICAS_DIFFER", message, { checkpointFrom: checkpointFrom ?? [] });
}

function commit(turn: Turn, step: StepInFlight): void {
  const { plan, members } = turn.state;
  const k = step.assignment.step;
  const report = step.reports.values().next().value!;
  flushMetrics(turn, report.previous);
  recordStep(turn, step);
  turn.set({ committedStep: k, lastStateHash: report.previous.stateHash, step: undefined });
  logCommit(turn, step);
  const isLast = k >= plan.stopStep || turn.state.stopRequest !== undefined;
  const numEval = turn.liveMembers()[0]?.ready?.grid.numEvalMicroBatches ?? 0;
  const isEvalDue = k >= plan.stopStep || (plan.evalIntervalSteps > 0 && k % plan.evalIntervalSteps === 0);
  const isSaveDue = isLast || (plan.checkpointIntervalSteps > 0 && k % plan.checkpointIntervalSteps === 0);
  const ranges = isEvalDue && numEval > 0 ? assignEvaluation(numEval, members.length) : undefined;
  const evaluators = ranges === undefined ? [] : members.filter((_, rank) => ranges[rank] !== null);
  if (!isLast && !isSaveDue && ranges === undefined) {
    const assignment = nextAssignment(turn.state);
    sendCommit(turn, step, { next: assignment });
    turn.set({ step: { assignment, startedAtMs: turn.nowMs, reports: new Map() } });
    turn.set({ deadlineMs: turn.nowMs + stepTimeoutMs(turn.state) });
    return;
  }
  sendCommit(turn, step, {
    evaluate: ranges?.map((range): [number, number] | null => (range === null ? null : [range[0], range[1]])) ?? null,
    checkpointRank: isSaveDue ? 0 : null,
    isLast,
  });
  turn.set({
    phase: "following",
    deadlineMs: turn.nowMs + plan.timeouts.followMs,
    checkpointWriter: isSaveDue ? members[0] : undefined,
    follow: {
      step: k,
      isLast,
      isEvaluated: ranges === undefined,
      applied: new Map(),
      evaluated: new Map(),
      evaluators,
      checkpoint: isSaveDue ? "streaming" : "none",
      checkpointDone: undefined,
    },
  });
}

function sendCommit(turn: Turn, step: StepInFlight, what: Partial<MessageBody<"commit">>): void {
  const { step: k, generation, attempt } = step.assignment;
  const { gradientHash } = step.reports.values().next().value!;
  const body = { step: k, generation, attempt, gradientHash };
  turn.sendMembers({
    name: "commit",
    body: { ...body, next: null, evaluate: null, checkpointRank: null, isLast: false, ...what },
  });
}

function logCommit(turn: Turn, step: StepInFlight): void {
  const { step: k, attempt } = step.assignment;
  const { gradientHash, previous } = step.reports.values().next().value!;
  turn.log("commit", `step ${k}: ${step.reports.size} workers hold the same gradient`, {
    attempt,
    gradientHash,
    previousStateHash: previous.stateHash,
    loss: turn.state.pendingMetrics?.loss,
  });
}

/** A member is gone in the middle of a step: if every survivor already reported the same bits, the step counts. */
export function onLostWhileStepping(turn: Turn, lost: WorkerRecord, reason: string): void {
  const step = turn.state.step!;
  const k = step.assignment.step;
  const survivors = turn.liveMembers();
  const reports = new Map([...step.reports].filter(([id]) => survivors.some(({ workerId }) => workerId === id)));
  const isComplete = survivors.length > 0 && reports.size === survivors.length;
  const hashes = [...reports].map(([id, r]): [string, string] => [id, `${r.previous.stateHash} ${r.gradientHash}`]);
  const ending: Ending = {
    status: "failed",
    code: "E_WORKER_LOST",
    message: lostMessage(lost, reason, `in step ${k}`),
  };
  if (!isComplete || decideAgreement(hashes).kind !== "agree") {
    endEarly(turn, ending);
    return;
  }
  const report = reports.values().next().value!;
  flushMetrics(turn, report.previous);
  recordStep(turn, step);
  turn.set({ committedStep: k, lastStateHash: report.previous.stateHash });
  logCommit(turn, { ...step, reports });
  sendCommit(turn, { ...step, reports }, { isLast: true });
  endEarly(turn, ending);
}

export function onSteppingTick(turn: Turn): void {
  const step = turn.state.step!;
  const missing = turn.liveMembers().filter(({ workerId }) => !step.reports.has(workerId));
  const others = turn.liveMembers().filter(({ workerId }) => step.reports.has(workerId));
  const message = `step ${step.assignment.step}: ${missing.map(nameOf).join(", ")} did not report within ${Math.round(turn.nowMs - step.startedAtMs)} ms; the slowest recent step decides how long is waited, at least ${turn.state.plan.timeouts.minStepMs} ms (minStepMs). Look at its machine.`;
  fail(turn, "E_STEP_TIMEOUT", message, { checkpointFrom: [...others, ...missing] });
}
