/**
 * @file What one worker does next: pure, no sockets, no clock, no tensors. session/run-worker.ts executes the effects.
 *
 * Invariants: a step is applied only after its commit, and only if the commit's gradient hash is the one reported (L2);
 *             nothing of an older generation or attempt changes the state; after `stopped` nothing happens.
 */
import type { Assignment, CoordinatorMessage, MessageBody, WorkerMessage } from "@lockstep/protocol";
import { decideFailure, finish, same, send, unexpected } from "./decide-failure.js";
import type {
  StateMeasures,
  StepOutcome,
  WorkerDecision,
  WorkerEffect,
  WorkerEvent,
  WorkerState,
} from "./worker-state.js";

export function decideWorker(state: WorkerState, event: WorkerEvent): WorkerDecision {
  if (state.phase === "stopped") return same(state);
  switch (event.kind) {
    case "message":
      return decideMessage(state, event.message);
    case "prepared":
      return {
        state: {
          ...state,
          phase: "ready",
          step: event.ready.state.step,
          measures: { stateHash: event.ready.state.stateHash, gradNorm: null, learningRate: null },
        },
        effects: [send({ name: "ready", body: event.ready })],
      };
    case "linked":
      if (event.generation !== state.generation) return same(state);
      return {
        state,
        effects: [send({ name: "linkReport", body: { generation: event.generation, links: [...event.links] } })],
      };
    case "routed":
      return decideRouted(state, event.generation);
    case "reduced":
      return decideReduced(state, event.outcome);
    case "applied":
      return decideApplied(state, event.step, event.measures);
    case "evaluated":
      return decideFollowUp(state, "evaluating", { name: "evaluated", body: event.body });
    case "stored":
      return decideFollowUp(state, "checkpointing", { name: "checkpointDone", body: event.body });
    case "failed":
    case "peerLost":
    case "graceOver":
      return decideFailure(state, event);
    case "disconnected":
      return finish(state, { status: "disconnected", code: "E_DISCONNECTED", reason: event.reason });
    case "interrupted":
      return finish(state, { status: "interrupted", code: "E_INTERRUPTED", reason: event.reason }, [
        send({ name: "goodbye", body: { reason: event.reason } }),
      ]);
    default:
      return event satisfies never;
  }
}

function decideMessage(state: WorkerState, message: CoordinatorMessage): WorkerDecision {
  switch (message.name) {
    case "welcome":
      if (state.phase !== "joining") return unexpected(state, message.name);
      return {
        state: { ...state, phase: "preparing", workerId: message.body.workerId },
        effects: [{ kind: "prepare", welcome: message.body }],
        reason: `admitted to run ${message.body.runId} of job "${message.body.jobName}"`,
      };
    case "refused":
      return finish(state, { status: "refused", code: message.body.code, reason: message.body.message });
    case "notice":
      return same(state, message.body.message);
    case "startGeneration":
      return decideGeneration(state, message.body);
    case "routes":
      if (message.body.generation !== state.generation || state.phase !== "linking") return same(state);
      return { state, effects: [{ kind: "route", routes: message.body }] };
    case "assign":
      return decideAssignment(state, message.body.assignment);
    case "commit":
      return decideCommit(state, message.body);
    case "abortStep":
      return decideAbort(state, message.body);
    case "checkpointRequest":
      return decideCheckpointRequest(state, message.body);
    case "stop": {
      const { status, code, reason } = message.body;
      return finish(state, { status, code, reason }, [
        { kind: "abortStep", reason },
        send({ name: "goodbye", body: { reason: `stop: ${reason}`.slice(0, 4_000) } }),
      ]);
    }
    case "blobChunk":
    case "blobAck":
    case "blobError":
    case "pong":
      return same(state);
    default:
      return message satisfies never;
  }
}

function decideGeneration(state: WorkerState, start: MessageBody<"startGeneration">): WorkerDecision {
  if (start.generation <= state.generation) return same(state, `generation ${start.generation} is over`);
  if (state.phase === "joining" || state.phase === "preparing") return unexpected(state, "startGeneration");
  const own = start.members.find((member) => member.workerId === state.workerId);
  if (own === undefined) {
    return {
      state: { ...idle(state), phase: "ready", generation: start.generation, rank: undefined },
      effects: [{ kind: "abortStep", reason: `generation ${start.generation} begins without this worker` }],
      reason: `generation ${start.generation} has ${start.members.length} members and this worker is none of them`,
    };
  }
  return {
    state: { ...idle(state), phase: "linking", generation: start.generation, rank: own.rank },
    effects: [
      { kind: "abortStep", reason: `generation ${start.generation} begins` },
      { kind: "link", start, rank: own.rank },
    ],
    reason: `generation ${start.generation}: ${start.members.length} workers, this one is rank ${own.rank}; ${start.reason}`,
  };
}

function decideRouted(state: WorkerState, generation: number): WorkerDecision {
  if (generation !== state.generation || state.phase !== "linking") return same(state);
  const next: WorkerState = { ...state, phase: "idle", waitingAssignment: undefined };
  return state.waitingAssignment === undefined ? { state: next, effects: [] } : begin(next, state.waitingAssignment);
}

function decideAssignment(state: WorkerState, assignment: Assignment): WorkerDecision {
  if (assignment.generation !== state.generation) {
    return same(state, `an assignment of generation ${assignment.generation} came in generation ${state.generation}`);
  }
  if (state.phase === "linking") return { state: { ...state, waitingAssignment: assignment }, effects: [] };
  if (state.phase !== "idle") return unexpected(state, "assign");
  return begin(state, assignment);
}

/** Starts an attempt. @param state a state in which nothing else runs. */
function begin(state: WorkerState, assignment: Assignment): WorkerDecision {
  if (assignment.step !== state.step + 1) return unexpected(state, `assign of step ${assignment.step}`);
  const rank = state.rank;
  if (rank === undefined) return unexpected(state, "assign");
  return {
    state: { ...state, phase: "computing", assignment, gradientHash: undefined, commit: undefined },
    effects: [{ kind: "startStep", assignment, rank }],
  };
}

function decideReduced(state: WorkerState, outcome: StepOutcome): WorkerDecision {
  if (state.phase !== "computing" || !isCurrent(state, outcome) || state.measures === undefined) return same(state);
  return {
    state: { ...state, phase: "reported", gradientHash: outcome.gradientHash },
    effects: [send({ name: "stepReport", body: { ...outcome, previous: state.measures } })],
  };
}

function decideCommit(state: WorkerState, commit: MessageBody<"commit">): WorkerDecision {
  if (state.phase !== "reported" || !isCurrent(state, commit))
    return unexpected(state, `commit of step ${commit.step}`);
  if (commit.gradientHash !== state.gradientHash) {
    return decideFailure(state, {
      kind: "failed",
      phase: "step",
      error: {
        code: "E_GRADIENT_HASH",
        message: `commit: the gradient of step ${commit.step} has hash ${state.gradientHash} here and ${commit.gradientHash} in the commit; all workers must hold the same bits. Resume the run without this worker; check its memory.`,
        fields: { step: commit.step, own: state.gradientHash, committed: commit.gradientHash },
      },
    });
  }
  return { state: { ...state, phase: "applying", commit }, effects: [{ kind: "apply", step: commit.step }] };
}

function decideApplied(state: WorkerState, step: number, measures: StateMeasures): WorkerDecision {
  const { commit } = state;
  if (state.phase !== "applying" || commit === undefined || commit.step !== step) return same(state);
  const applied: WorkerState = { ...state, step, measures, assignment: undefined, gradientHash: undefined };
  if (commit.next !== null && state.checkpointRequest === undefined) {
    return begin({ ...applied, phase: "idle", commit: undefined }, commit.next);
  }
  const body = { step, generation: commit.generation, ...measures };
  return followCommit(applied, [send({ name: "applied", body })], { isEvaluated: false });
}

/** Evaluation, then checkpoint, then idle. */
function followCommit(state: WorkerState, effects: WorkerEffect[], done: { isEvaluated: boolean }): WorkerDecision {
  const { commit, rank } = state;
  const generation = state.generation;
  if (commit !== undefined && rank !== undefined) {
    const range = commit.evaluate?.[rank] ?? null;
    if (range !== null && range[0] < range[1] && !done.isEvaluated) {
      const evaluate: WorkerEffect = { kind: "evaluate", step: state.step, generation, range };
      return { state: { ...state, phase: "evaluating" }, effects: [...effects, evaluate] };
    }
    if (commit.checkpointRank === rank) {
      const checkpoint: WorkerEffect = { kind: "checkpoint", step: state.step, generation };
      const next: WorkerState = { ...state, phase: "checkpointing", commit: undefined };
      return { state: next, effects: [...effects, checkpoint] };
    }
  }
  return settle(state, effects);
}

/** Idle, unless a checkpoint was asked for meanwhile. */
function settle(state: WorkerState, effects: readonly WorkerEffect[]): WorkerDecision {
  const request = state.checkpointRequest;
  const next: WorkerState = { ...idle(state), phase: "idle", checkpointRequest: undefined };
  if (request === undefined || request.step !== state.step) return { state: next, effects };
  const checkpoint: WorkerEffect = { kind: "checkpoint", step: state.step, generation: request.generation };
  return { state: { ...next, phase: "checkpointing" }, effects: [...effects, checkpoint] };
}

function decideFollowUp(
  state: WorkerState,
  phase: "evaluating" | "checkpointing",
  message: WorkerMessage,
): WorkerDecision {
  if (state.phase !== phase) return same(state);
  return phase === "evaluating"
    ? followCommit(state, [send(message)], { isEvaluated: true })
    : settle(state, [send(message)]);
}

function decideAbort(state: WorkerState, abort: MessageBody<"abortStep">): WorkerDecision {
  if (!isCurrent(state, abort) || (state.phase !== "computing" && state.phase !== "reported")) {
    return { state: { ...state, deferredFailure: undefined }, effects: [] };
  }
  return {
    state: { ...idle(state), phase: "idle", deferredFailure: undefined },
    effects: [{ kind: "abortStep", reason: abort.reason }],
    reason: `step ${abort.step} is given up: ${abort.reason}`,
  };
}

function decideCheckpointRequest(state: WorkerState, request: MessageBody<"checkpointRequest">): WorkerDecision {
  const isRunning = ["applying", "evaluating", "checkpointing"].includes(state.phase);
  if (isRunning) return { state: { ...state, checkpointRequest: request }, effects: [] };
  if (request.step !== state.step) return unexpected(state, `checkpointRequest of step ${request.step}`);
  const decision = settle({ ...state, checkpointRequest: request, deferredFailure: undefined }, [
    { kind: "abortStep", reason: request.reason },
  ]);
  return { ...decision, reason: `checkpoint of step ${request.step}: ${request.reason}` };
}

function isCurrent(
  state: WorkerState,
  message: { readonly step: number; readonly generation: number; readonly attempt: number },
): boolean {
  const current = state.assignment;
  return (
    current !== undefined &&
    current.step === message.step &&
    current.generation === message.generation &&
    current.attempt === message.attempt
  );
}

/** The state without anything of a step. */
function idle(state: WorkerState): WorkerState {
  return { ...state, assignment: undefined, gradientHash: undefined, commit: undefined, waitingAssignment: undefined };
}
