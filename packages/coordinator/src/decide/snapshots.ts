/** @file Snapshots on their way from a worker: checkpoints for the disk, states for workers that catch up. */
import type { MessageBody } from "@lockstep/protocol";
import type { CoordinatorState, Snapshot, StoredCheckpoint, WorkerRecord } from "../state/coordinator-state.js";
import { decideRetention } from "../state/retention.js";
import { needsSnapshot, useSnapshot } from "./catch-up.js";
import { releaseBlobs } from "./release-blobs.js";
import { nameOf, type Turn } from "./turn.js";

/** Why a checkpoint of the step just committed is due; empty when it is not. */
export function checkpointReasons(state: CoordinatorState, nowMs: number): readonly string[] {
  const { checkpoints } = state.plan;
  const reasons = [...state.wantedCheckpoint];
  const add = (reason: string, isDue: boolean): void => {
    if (isDue && !reasons.includes(reason)) reasons.push(reason);
  };
  add("steps", checkpoints.intervalSteps > 0 && state.committedStep % checkpoints.intervalSteps === 0);
  add("time", checkpoints.intervalMs > 0 && nowMs - state.storedAtMs >= checkpoints.intervalMs);
  add("last", state.committedStep >= state.plan.stopStep || state.stopRequest !== undefined);
  return reasons;
}

/** The member whose snapshot is taken with the commit, if one is due and none is under way. */
export function beginSnapshotWithCommit(turn: Turn, reasons: readonly string[]): WorkerRecord | undefined {
  const { state } = turn;
  const isForJoiners = needsSnapshot(state);
  if (reasons.length === 0 && !isForJoiners) return undefined;
  if (state.snapshot !== undefined || state.writing !== undefined) {
    turn.set({ wantedCheckpoint: reasons });
    return undefined;
  }
  // The last rank has the least to do by tie-breaking; the first one is the reference of most else.
  const writer = turn.liveMembers()[0];
  if (writer !== undefined) noteSnapshot(turn, writer, { reasons, isForJoiners });
  return writer;
}

/** Asks a worker that has nothing else to do for a snapshot of the committed state. */
export function requestSnapshot(
  turn: Turn,
  writer: WorkerRecord,
  {
    reasons,
    isForJoiners,
    why,
  }: { readonly reasons: readonly string[]; readonly isForJoiners: boolean; readonly why: string },
): void {
  noteSnapshot(turn, writer, { reasons, isForJoiners });
  const { generation, committedStep: step } = turn.state;
  turn.send(writer.workerId, { name: "checkpointRequest", body: { generation, step, reason: why.slice(0, 4_000) } });
}

function noteSnapshot(turn: Turn, writer: WorkerRecord, what: Pick<Snapshot, "reasons" | "isForJoiners">): void {
  turn.set({
    wantedCheckpoint: [],
    snapshot: {
      ...what,
      step: turn.state.committedStep,
      writerId: writer.workerId,
      requestedAtMs: turn.nowMs,
      done: undefined,
    },
  });
}

export function onSnapshotDone(turn: Turn, worker: WorkerRecord, body: MessageBody<"checkpointDone">): void {
  const { snapshot } = turn.state;
  if (snapshot?.writerId !== worker.workerId || snapshot.step !== body.step || snapshot.done !== undefined) {
    releaseBlobs(
      turn,
      body.files.map(({ sha256 }) => sha256),
    );
    return;
  }
  turn.set({ snapshot: { ...snapshot, done: body } });
  useIfKnown(turn);
}

/** A snapshot counts once the replicas have agreed on the state it is of. @returns whether it did not agree. */
export function useIfKnown(turn: Turn): void {
  const { snapshot, stateHashes, phase } = turn.state;
  const done = snapshot?.done;
  if (snapshot === undefined || done === undefined) return;
  // In a run that is ending nobody may be left to agree with: then the only copy counts.
  const known = stateHashes.get(snapshot.step) ?? (phase === "ending" ? done.stateHash : undefined);
  if (known === undefined) return;
  turn.set({ snapshot: undefined });
  if (known !== done.stateHash) {
    const worker = turn.worker(snapshot.writerId);
    const who = worker === undefined ? snapshot.writerId : nameOf(worker);
    turn.log(
      "checkpointFailed",
      `checkpoint of step ${snapshot.step}: ${who} uploaded state ${done.stateHash}, and the replicas hold ${known}; it is not used`,
      { workerId: snapshot.writerId },
    );
    releaseBlobs(
      turn,
      done.files.map(({ sha256 }) => sha256),
    );
    turn.set({ wantedCheckpoint: snapshot.reasons });
    return;
  }
  if (snapshot.isForJoiners || needsSnapshot(turn.state)) useSnapshot(turn, done);
  if (snapshot.reasons.length > 0) write(turn, snapshot, done);
}

function write(turn: Turn, { reasons }: Snapshot, done: MessageBody<"checkpointDone">): void {
  const { step, files, paramsSha256, stateHash } = done;
  const { best } = turn.state;
  const evalLoss = best?.step === step ? best.evalLoss : undefined;
  const checkpoint: StoredCheckpoint = { step, files, paramsSha256, stateHash, reasons, evalLoss };
  turn.set({ writing: checkpoint });
  turn.do({ kind: "writeCheckpoint", checkpoint });
}

export function onSnapshotFailed(turn: Turn, worker: WorkerRecord, body: MessageBody<"checkpointFailed">): void {
  const { snapshot } = turn.state;
  if (snapshot?.writerId !== worker.workerId || snapshot.step !== body.step) return;
  noteFailure(turn, body.step, `${nameOf(worker)}: ${body.message}`);
  turn.set({ snapshot: undefined });
}

/** The writer is gone: the checkpoint is taken after the next commit. */
export function dropSnapshotOf(turn: Turn, workerId: string): void {
  const { snapshot } = turn.state;
  if (snapshot?.writerId !== workerId || snapshot.done !== undefined) return;
  turn.set({ snapshot: undefined, wantedCheckpoint: snapshot.reasons });
}

function noteFailure(turn: Turn, step: number, why: string): void {
  const message = `checkpoint of step ${step} was not written: ${why}`;
  turn.set({ checkpointError: message });
  turn.log("checkpointFailed", `${message}; the run goes on`, { checkpointStep: step });
}

export function onCheckpointWriteFailed(turn: Turn, step: number, why: string): void {
  const { writing } = turn.state;
  if (writing?.step !== step) return;
  turn.set({ writing: undefined });
  releaseBlobs(
    turn,
    writing.files.map(({ sha256 }) => sha256),
  );
  noteFailure(turn, step, why);
}

export function onCheckpointWritten(turn: Turn, step: number): void {
  const { state } = turn;
  const { writing } = state;
  if (writing?.step !== step) return;
  const isBest = state.best?.step === step;
  turn.set({
    stored: writing,
    writing: undefined,
    storedAtMs: turn.nowMs,
    storedSteps: [...new Set([...state.storedSteps, step])].sort((a, b) => a - b),
    checkpointError: undefined,
    ...(isBest ? { best: { ...state.best!, isStored: true } } : {}),
  });
  const { files, paramsSha256, reasons } = writing;
  turn.log("checkpoint", `checkpoint of step ${step} is written (${reasons.join(", ")})`, {
    checkpointStep: step,
    files,
    paramsSha256,
    reasons,
  });
  turn.journal({ kind: "checkpoint", step, paramsSha256, reasons });
  releaseBlobs(
    turn,
    writing.files.map(({ sha256 }) => sha256),
  );
  prune(turn);
}

function prune(turn: Turn): void {
  const { storedSteps, best, plan } = turn.state;
  const isBestKept = plan.checkpoints.keepsBest && best?.isStored === true;
  // A joiner may be about to read the one that the run went back to.
  const { base } = turn.state.catchUp;
  const steps = decideRetention(storedSteps, {
    keepLast: plan.checkpoints.keepLast,
    protectedSteps: [...(isBestKept ? [best.step] : []), ...(base === undefined ? [] : [base.step])],
  });
  if (steps.length === 0) return;
  turn.set({ storedSteps: storedSteps.filter((step) => !steps.includes(step)) });
  turn.do({ kind: "removeCheckpoints", steps });
  turn.log(
    "checkpointsRemoved",
    `checkpoints of steps ${steps.join(", ")} are removed: the newest ${plan.checkpoints.keepLast} stay (keepCheckpoints)`,
    { steps },
  );
}
