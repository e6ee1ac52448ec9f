/** @file After a commit without a next assignment: updates, evaluation, checkpoint; then the next step or the end. */
import type { MessageBody } from "@lockstep/protocol";
import { treeMean } from "../assignment/tree-nodes.js";
import type { FollowUp, StoredCheckpoint, WorkerRecord } from "../state/coordinator-state.js";
import { decideAgreement } from "./agreement.js";
import { endEarly, fail, finishRun, giveUpCheckpoint, lostMessage } from "./ending.js";
import { beginStep } from "./generation.js";
import { flushMetrics } from "./step-metrics.js";
import { failDisagreement } from "./stepping.js";
import { nameOf, type Turn } from "./turn.js";

export function onApplied(turn: Turn, worker: WorkerRecord, body: MessageBody<"applied">): void {
  const { follow, phase } = turn.state;
  if (phase === "ending" && body.step === turn.state.committedStep) flushMetrics(turn, body);
  if (phase !== "following" || follow === undefined || body.step !== follow.step) return;
  const applied = new Map(follow.applied).set(worker.workerId, body);
  setFollow(turn, { applied });
  if (applied.size < turn.state.members.length) return;
  const states = decideAgreement([...applied].map(([id, { stateHash }]) => [id, stateHash]));
  if (states.kind !== "agree") {
    failDisagreement(turn, `the state after step ${follow.step}`, states);
    return;
  }
  turn.set({ lastStateHash: states.value });
  flushMetrics(turn, body);
  advance(turn);
}

export function onEvaluated(turn: Turn, worker: WorkerRecord, body: MessageBody<"evaluated">): void {
  const { follow, phase } = turn.state;
  if (phase !== "following" || follow === undefined || body.step !== follow.step || follow.isEvaluated) return;
  const evaluated = new Map(follow.evaluated).set(worker.workerId, body);
  setFollow(turn, { evaluated });
  if (!follow.evaluators.every((workerId) => evaluated.has(workerId))) return;
  const losses = [...evaluated.values()].flatMap((report) => report.losses);
  const total = turn.state.workers.get(worker.workerId)?.ready?.grid.numEvalMicroBatches ?? 0;
  const mean = treeMean(losses, total);
  if (mean === undefined) {
    const message = `evaluation: step ${follow.step} has ${losses.length} sums for ${total} micro-batches, with total weight ${losses.reduce((sum, [, , weight]) => sum + weight, 0)}; each must be there once and the weight above 0. Look at the job's evaluation data.`;
    fail(turn, "E_EVALUATION", message);
    return;
  }
  turn.set({ evalLoss: mean.mean });
  setFollow(turn, { isEvaluated: true });
  turn.log("evaluated", `step ${follow.step}: held-out loss ${mean.mean.toFixed(4)}`, {
    evalLoss: mean.mean,
    weight: mean.weight,
    evalMs: Math.max(...[...evaluated.values()].map(({ evalMs }) => evalMs)),
  });
  advance(turn);
}

export function onCheckpointDone(turn: Turn, worker: WorkerRecord, body: MessageBody<"checkpointDone">): void {
  const { state } = turn;
  if (worker.workerId !== state.checkpointWriter || body.step !== state.committedStep) return;
  if (state.phase === "ending" && state.writing === undefined) {
    write(turn, body);
    turn.set({ checkpointWriter: undefined });
    return;
  }
  if (state.phase !== "following" || state.follow?.checkpoint !== "streaming") return;
  setFollow(turn, { checkpointDone: body });
  advance(turn);
}

export function onCheckpointWritten(turn: Turn, step: number): void {
  const { state } = turn;
  if (state.writing?.step !== step) return;
  turn.set({ stored: state.writing, writing: undefined });
  turn.log("checkpoint", `checkpoint of step ${step} is written`, {
    files: state.writing.files,
    paramsSha256: state.writing.paramsSha256,
  });
  if (state.phase === "ending") finishRun(turn);
  if (state.phase !== "following") return;
  setFollow(turn, { checkpoint: "written" });
  advance(turn);
}

export function onCheckpointWriteFailed(turn: Turn, step: number, why: string): void {
  const { state } = turn;
  if (state.writing?.step !== step) return;
  turn.set({ writing: undefined });
  if (state.phase === "ending") {
    giveUpCheckpoint(turn, why);
    return;
  }
  const message = `checkpoint: that of step ${step} could not be written: ${why}`;
  if (state.follow?.isLast === true) {
    fail(turn, "E_CHECKPOINT_WRITE", `${message}.`, { checkpointFrom: [] });
    return;
  }
  turn.log("checkpointFailed", `${message}; the run goes on`);
  setFollow(turn, { checkpoint: "written" });
  advance(turn);
}

function advance(turn: Turn): void {
  const { state } = turn;
  const { follow } = state;
  if (follow === undefined || state.phase !== "following" || follow.applied.size < state.members.length) return;
  if (follow.checkpoint === "streaming" && follow.checkpointDone !== undefined) {
    const { stateHash } = follow.checkpointDone;
    if (stateHash !== state.lastStateHash) {
      const message = `checkpoint: ${state.checkpointWriter} streamed state ${stateHash} of step ${follow.step}, and the replicas hold ${state.lastStateHash}; they must be the same. Check the memory of that machine.`;
      fail(turn, "E_REPLICAS_DIFFER", message, { checkpointFrom: [] });
      return;
    }
    write(turn, follow.checkpointDone);
    setFollow(turn, { checkpoint: "writing" });
    return;
  }
  const isSaved = follow.checkpoint === "none" || follow.checkpoint === "written";
  if (!follow.isEvaluated || !isSaved) return;
  turn.set({ checkpointWriter: undefined });
  if (follow.step >= state.plan.stopStep) {
    turn.set({ ending: { status: "completed", code: "OK", message: `all ${follow.step} steps are done` } });
    finishRun(turn);
  } else if (state.stopRequest !== undefined) {
    endEarly(turn, state.stopRequest);
  } else beginStep(turn);
}

function write(turn: Turn, { step, files, paramsSha256 }: MessageBody<"checkpointDone">): void {
  const checkpoint: StoredCheckpoint = { step, files, paramsSha256 };
  turn.set({ writing: checkpoint });
  turn.do({ kind: "writeCheckpoint", checkpoint });
}

/** A member is gone after a commit. One that has given all that the last step asks of it is not missed. */
export function onLostWhileFollowing(turn: Turn, lost: WorkerRecord, reason: string): void {
  const follow = turn.state.follow!;
  const { workerId } = lost;
  const hasGivenAll =
    follow.applied.has(workerId) &&
    (!follow.evaluators.includes(workerId) || follow.evaluated.has(workerId)) &&
    (turn.state.checkpointWriter !== workerId || follow.checkpointDone !== undefined);
  if (follow.isLast && hasGivenAll) return;
  fail(turn, "E_WORKER_LOST", lostMessage(lost, reason, `after step ${follow.step}`));
}

export function onFollowingTick(turn: Turn): void {
  const follow = turn.state.follow!;
  const waits = turn.liveMembers().flatMap((worker) => {
    const { workerId } = worker;
    if (!follow.applied.has(workerId)) return [`${nameOf(worker)} did not apply its update`];
    if (follow.evaluators.includes(workerId) && !follow.evaluated.has(workerId))
      return [`${nameOf(worker)} did not finish its evaluation`];
    if (turn.state.checkpointWriter === workerId && follow.checkpointDone === undefined)
      return [`${nameOf(worker)} did not finish its checkpoint`];
    return [];
  });
  const what = waits.join("; ") || "the checkpoint was not written to disk";
  const message = `after step ${follow.step}: ${what} within ${turn.state.plan.timeouts.followMs} ms (followMs). Look at its machine.`;
  fail(turn, "E_STEP_TIMEOUT", message);
}

function setFollow(turn: Turn, change: Partial<FollowUp>): void {
  turn.set({ follow: { ...turn.state.follow!, ...change } });
}
