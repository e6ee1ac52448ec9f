/** @file How a run ends: at its last step, by Ctrl-C, or because something went wrong. A run with committed steps leaves a checkpoint. */
import type { Ending, WorkerRecord } from "../state/coordinator-state.js";
import { requestSnapshot } from "./snapshots.js";
import { flushMetrics, summaryOf } from "./step-metrics.js";
import type { Turn } from "./turn.js";

export interface FailOptions {
  /** Workers that may stream the last checkpoint, best first. Default: all that hold the last committed state. */
  readonly checkpointFrom?: readonly WorkerRecord[];
}

/** Ends the run as failed. A run that is already ending goes on doing so. */
export function fail(turn: Turn, code: string, message: string, options: FailOptions = {}): void {
  endEarly(turn, { status: "failed", code, message }, options);
}

/**
 * Ends the run before its last step: one worker streams the last committed state if the disk does not have it, everyone else stops
 * at once.
 */
export function endEarly(turn: Turn, ending: Ending, options: FailOptions = {}): void {
  const { state } = turn;
  if (state.phase === "stopped" || state.phase === "ending") return;
  turn.log(ending.status === "failed" ? "failed" : "stopping", ending.message, { code: ending.code });
  const { plan, snapshot, committedStep } = state;
  turn.set({
    phase: "ending",
    ending,
    step: undefined,
    follow: undefined,
    deadlineMs: turn.nowMs + plan.timeouts.lastCheckpointMs,
  });
  if (state.writing?.step === committedStep) {
    stopWorkers(turn, ending, undefined);
    return;
  }
  const candidates = options.checkpointFrom ?? holders(turn);
  const current = snapshot?.step === committedStep ? snapshot.writerId : undefined;
  const writer = candidates.find(({ workerId }) => workerId === current) ?? candidates[0];
  if (isStored(turn) || writer === undefined || state.writing !== undefined) {
    finishRun(turn);
    return;
  }
  stopWorkers(turn, ending, writer.workerId);
  if (writer.workerId === current) turn.set({ snapshot: { ...snapshot!, reasons: [...snapshot!.reasons, "last"] } });
  else requestSnapshot(turn, writer, { reasons: ["last"], isForJoiners: false, why: ending.message });
}

function isStored({ state }: Turn): boolean {
  return state.committedStep <= (state.stored?.step ?? state.plan.startStep);
}

/** Who holds the last committed state, as far as is known. */
function holders(turn: Turn): WorkerRecord[] {
  const { committedStep } = turn.state;
  const ready = turn.withStatus("ready", "joining").filter(({ held }) => held?.step === committedStep);
  return [...turn.liveMembers(), ...ready];
}

/** After each event of a run that is ending: is there anything left to wait for? */
export function endIfDone(turn: Turn): void {
  const { phase, snapshot, writing } = turn.state;
  if (phase !== "ending") return;
  if (writing !== undefined || (snapshot !== undefined && turn.worker(snapshot.writerId) !== undefined)) return;
  if (!isStored(turn))
    turn.log(
      "checkpointFailed",
      `checkpoint of step ${turn.state.committedStep}: it could not be had; the run ends without it`,
    );
  finishRun(turn);
}

/** The checkpoint of a run that is ending did not come in time: end without it. */
export function giveUpCheckpoint(turn: Turn, why: string): void {
  turn.log("checkpointFailed", `checkpoint of step ${turn.state.committedStep}: ${why}; the run ends without it`);
  turn.set({ snapshot: undefined, writing: undefined });
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
  turn.journal({ kind: "end", status: ending.status, step: state.committedStep });
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
