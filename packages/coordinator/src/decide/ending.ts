/** @file How a run ends: at its last step, by Ctrl-C, or because something went wrong. A run with committed steps leaves a checkpoint. */
import type { Ending, WorkerRecord } from "../state/coordinator-state.js";
import { flushMetrics, summaryOf } from "./step-metrics.js";
import { nameOf, type Turn } from "./turn.js";

export interface FailOptions {
  /** Members that may stream the last checkpoint, best first. Default: all that are connected, by rank. */
  readonly checkpointFrom?: readonly WorkerRecord[];
}

/** Ends the run as failed. A run that is already ending goes on doing so. */
export function fail(turn: Turn, code: string, message: string, options: FailOptions = {}): void {
  endEarly(turn, { status: "failed", code, message }, options);
}

/**
 * Ends the run before its last step: one member streams the last committed state if the disk does not have it, everyone else stops
 * at once.
 */
export function endEarly(turn: Turn, ending: Ending, options: FailOptions = {}): void {
  const { state } = turn;
  if (state.phase === "stopped" || state.phase === "ending") return;
  turn.log(ending.status === "failed" ? "failed" : "stopping", ending.message, { code: ending.code });
  const { follow, plan } = state;
  turn.set({ phase: "ending", ending, step: undefined, deadlineMs: turn.nowMs + plan.timeouts.lastCheckpointMs });
  if (state.writing !== undefined) {
    stopWorkers(turn, ending, undefined);
    return;
  }
  const isStored = state.committedStep <= (state.stored?.step ?? plan.startStep);
  const candidates = options.checkpointFrom ?? turn.liveMembers();
  const current = follow?.checkpoint === "streaming" ? state.checkpointWriter : undefined;
  const writer = candidates.find(({ workerId }) => workerId === current) ?? candidates[0];
  if (isStored || writer === undefined) {
    finishRun(turn);
    return;
  }
  turn.set({ checkpointWriter: writer.workerId });
  stopWorkers(turn, ending, writer.workerId);
  if (writer.workerId === current) return;
  const { generation, committedStep: step } = state;
  turn.send(writer.workerId, {
    name: "checkpointRequest",
    body: { generation, step, reason: ending.message.slice(0, 4_000) },
  });
}

/** The checkpoint of a run that is ending could not be had: end without it. */
export function giveUpCheckpoint(turn: Turn, why: string): void {
  turn.log("checkpointFailed", `checkpoint of step ${turn.state.committedStep}: ${why}; the run ends without it`);
  turn.set({ checkpointWriter: undefined, writing: undefined });
  finishRun(turn);
}

/** The last word: everyone is told, the summary is out. */
export function finishRun(turn: Turn): void {
  flushMetrics(turn, undefined);
  const { state } = turn;
  const ending = withCheckpoint(
    turn,
    state.ending ?? { status: "completed", code: "OK", message: "all steps are done" },
  );
  const summary = summaryOf(state, ending, turn.nowMs);
  turn.log(ending.status === "completed" ? "completed" : "stopped", ending.message, {
    status: ending.status,
    code: ending.code,
  });
  stopWorkers(turn, ending, undefined);
  turn.set({ phase: "stopped", ending, step: undefined, follow: undefined, deadlineMs: Number.POSITIVE_INFINITY });
  turn.do({ kind: "finish", summary });
}

/** Says what is on disk, so that nobody has to look. */
function withCheckpoint(turn: Turn, given: Ending): Ending {
  const { stored, committedStep, plan } = turn.state;
  if (given.status === "completed") return given;
  const ending = { ...given, message: /[.!?]$/.test(given.message) ? given.message : `${given.message}.` };
  const savedStep = stored?.step ?? (plan.startStep > 0 ? plan.startStep : undefined);
  if (savedStep === undefined) {
    const what = committedStep === 0 ? "No step was committed" : `Step ${committedStep} was committed`;
    return { ...ending, message: `${ending.message} ${what}, and no checkpoint is there.` };
  }
  const lost = committedStep - savedStep;
  const note = lost === 0 ? "" : `; the ${lost} steps after it are lost`;
  return {
    ...ending,
    message: `${ending.message} The checkpoint of step ${savedStep} is there${note}. Go on from it with --resume.`,
  };
}

function stopWorkers(turn: Turn, ending: Ending, except: string | undefined): void {
  const body = { status: ending.status, code: ending.code, reason: ending.message.slice(0, 4_000) };
  for (const workerId of turn.state.workers.keys()) {
    if (workerId !== except) turn.send(workerId, { name: "stop", body });
  }
}

/** What a run says about a worker that is gone. */
export function lostMessage(worker: WorkerRecord, reason: string, doing: string): string {
  return `run: ${nameOf(worker)} was lost ${doing} (${reason}); every worker must stay until the run ends.`;
}
