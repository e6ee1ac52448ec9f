/**
 * @file What one worker does next: pure, no sockets, no clock, no tensors. session/run-worker.ts executes the effects.
 *
 * Invariants: a step is applied only after its commit, and only if the commit's gradient hash is the one reported (L2);
 *             nothing of an older generation or attempt changes the state; while the state is changed or read, orders wait;
 *             after `stopped` nothing happens.
 */
import type { Assignment, CoordinatorMessage, MessageBody } from "@lockstep/protocol";
import { decideCutOff, goAway } from "./decide-away.js";
import { beginCatching, decideCaught } from "./decide-catch-up.js";
import { decideFailure, finish, idle, isCurrent, same, send, unexpected } from "./decide-failure.js";
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
      return decidePrepared(state, event.ready);
    case "linked":
      if (event.generation !== state.generation || state.phase !== "linking") return same(state);
      return {
        state,
        effects: [send({ name: "linkReport", body: { generation: event.generation, links: [...event.links] } })],
      };
    case "routed":
      return decideRouted(state, event.generation);
    case "progress": {
      const { place, begunNodes, doneMicroBatches } = event;
      if (!isCurrent(state, place) || state.phase !== "computing") return same(state);
      const { step, generation, attempt } = place;
      const body = { step, generation, attempt, begunNodes, doneMicroBatches };
      return { state, effects: [send({ name: "progress", body })] };
    }
    case "reduced":
      return decideReduced(state, event.outcome);
    case "applied":
      return decideApplied(state, event.step, event.measures);
    case "evaluated":
      if (state.phase !== "evaluating") return same(state);
      return goOn(
        { ...state, phase: "idle" },
        event.bodies.map((body) => send({ name: "evaluated", body })),
      );
    case "caught":
    case "notCaught": {
      const decision = decideCaught(state, event);
      return decision.state.phase === "ready" ? goOn(decision.state, decision.effects) : decision;
    }
    case "stored":
      return { state, effects: [send(event.message)] };
    case "failed":
    case "stepFailed":
    case "graceOver":
      return decideFailure(state, event);
    case "disconnected":
      return decideCutOff(state, event.reason);
    case "reconnected":
      if (state.phase !== "away") return same(state);
      return { state: { ...state, phase: "returning" }, effects: [], reason: "the coordinator is reached again" };
    case "gaveUp":
      return finish(state, { status: "disconnected", code: "E_DISCONNECTED", reason: event.reason });
    case "interrupted":
      return finish(state, { status: "interrupted", code: "E_INTERRUPTED", reason: event.reason }, [
        send({ name: "goodbye", body: { reason: event.reason } }),
      ]);
    default:
      return event satisfies never;
  }
}

/** Phases in which the state is being changed or read: orders wait until that is done. */
function isBusy({ phase }: WorkerState): boolean {
  return phase === "applying" || phase === "evaluating" || phase === "catching";
}

/** What was being done is done: the orders that came meanwhile, or the way back to a lost coordinator. */
function goOn(state: WorkerState, effects: readonly WorkerEffect[]): WorkerDecision {
  if (state.isCutOff) return goAway({ ...state, orders: [] }, effects);
  let decision: WorkerDecision = { state: { ...state, orders: [] }, effects };
  const orders = [...state.orders];
  while (orders.length > 0 && !isBusy(decision.state)) {
    const next = decideMessage(decision.state, orders.shift()!);
    decision = { ...next, effects: [...decision.effects, ...next.effects] };
  }
  return { ...decision, state: { ...decision.state, orders: [...decision.state.orders, ...orders] } };
}

function decideMessage(state: WorkerState, message: CoordinatorMessage): WorkerDecision {
  switch (message.name) {
    case "refused":
      return finish(state, { status: "refused", code: message.body.code, reason: message.body.message });
    case "notice":
      return same(state, message.body.message);
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
      if (isBusy(state)) return { state: { ...state, orders: [...state.orders, message] }, effects: [] };
      return decideOrder(state, message);
  }
}

type Order = Exclude<
  CoordinatorMessage,
  { readonly name: "refused" | "notice" | "stop" | "blobChunk" | "blobAck" | "blobError" | "pong" }
>;

function decideOrder(state: WorkerState, message: Order): WorkerDecision {
  switch (message.name) {
    case "welcome":
      return decideWelcome(state, message.body);
    case "welcomeBack":
      return decideWelcomeBack(state, message.body);
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
    case "evaluate": {
      const { step, generation, ranges } = message.body;
      if (step !== state.step) return unexpected(state, `evaluate of step ${step}`);
      return { state: { ...state, phase: "evaluating" }, effects: [{ kind: "evaluate", step, generation, ranges }] };
    }
    case "checkpointRequest":
      return decideCheckpointRequest(state, message.body);
    case "restore":
    case "applyGradient":
    case "applyKept":
      return beginCatching(state, message);
    default:
      return message satisfies never;
  }
}

function decideWelcome(state: WorkerState, welcome: MessageBody<"welcome">): WorkerDecision {
  if (state.phase !== "joining") return unexpected(state, "welcome");
  const { workerId, runId, term, jobName } = welcome;
  return {
    state: { ...state, phase: "preparing", workerId, runId, term },
    effects: [{ kind: "prepare", welcome }],
    reason: `admitted to run ${runId} of job "${jobName}"`,
  };
}

function decideWelcomeBack(state: WorkerState, { runId, term }: MessageBody<"welcomeBack">): WorkerDecision {
  const { ready, measures } = state;
  if (state.phase !== "returning" || ready === undefined || measures === undefined)
    return unexpected(state, "welcomeBack");
  if (runId !== state.runId || term < state.term) {
    const reason = `the coordinator is of term ${term} of run ${runId}, and this worker has worked for term ${state.term} of run ${state.runId}; a coordinator that another one has followed must not go on. Stop it.`;
    return finish(state, { status: "refused", code: "E_STALE_TERM", reason });
  }
  const body = { ...ready, state: { step: state.step, stateHash: measures.stateHash } };
  return {
    state: { ...state, phase: "ready", term },
    effects: [send({ name: "ready", body })],
    reason: `back in run ${runId}, term ${term}, with the state after step ${state.step}`,
  };
}

function decidePrepared(state: WorkerState, ready: MessageBody<"ready">): WorkerDecision {
  const { step, stateHash } = ready.state;
  return {
    state: { ...state, phase: "ready", ready, step, measures: { stateHash, gradNorm: null, learningRate: null } },
    effects: [send({ name: "ready", body: ready })],
  };
}

function decideGeneration(state: WorkerState, start: MessageBody<"startGeneration">): WorkerDecision {
  if (start.generation <= state.generation) return same(state, `generation ${start.generation} is over`);
  if (state.phase === "joining" || state.phase === "preparing") return unexpected(state, "startGeneration");
  const own = start.members.find((member) => member.workerId === state.workerId);
  if (own === undefined) return unexpected(state, "startGeneration without this worker");
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
function begin(state: WorkerState, assignment: Assignment, effects: readonly WorkerEffect[] = []): WorkerDecision {
  if (assignment.step !== state.step + 1) return unexpected(state, `assign of step ${assignment.step}`);
  const rank = state.rank;
  if (rank === undefined) return unexpected(state, "assign");
  return {
    state: { ...state, phase: "computing", assignment, reported: undefined, commit: undefined },
    effects: [...effects, { kind: "startStep", assignment, rank }],
  };
}

function decideReduced(state: WorkerState, outcome: StepOutcome): WorkerDecision {
  if (state.phase !== "computing" || !isCurrent(state, outcome) || state.measures === undefined) return same(state);
  const reported = { step: outcome.step, gradientHash: outcome.gradientHash };
  return {
    state: { ...state, phase: "reported", reported, deferredFailure: undefined },
    effects: [send({ name: "stepReport", body: { ...outcome, previous: state.measures } })],
  };
}

function decideCommit(state: WorkerState, commit: MessageBody<"commit">): WorkerDecision {
  if (state.phase !== "reported" || !isCurrent(state, commit))
    return unexpected(state, `commit of step ${commit.step}`);
  const own = state.reported?.gradientHash;
  if (commit.gradientHash !== own) {
    return decideFailure(state, {
      kind: "failed",
      phase: "step",
      error: {
        code: "E_GRADIENT_HASH",
        message: `commit: the gradient of step ${commit.step} has hash ${own} here and ${commit.gradientHash} in the commit; all workers must hold the same bits. Resume the run without this worker; check its memory.`,
        fields: { step: commit.step, own, committed: commit.gradientHash },
      },
    });
  }
  const upload: WorkerEffect[] =
    commit.gradientRank === state.rank ? [{ kind: "uploadGradient", step: commit.step }] : [];
  return {
    state: { ...state, phase: "applying", commit },
    effects: [...upload, { kind: "apply", step: commit.step }],
  };
}

function decideApplied(state: WorkerState, step: number, measures: StateMeasures): WorkerDecision {
  const { commit } = state;
  if (state.phase !== "applying" || commit === undefined || commit.step !== step) return same(state);
  const applied: WorkerState = { ...idle(state), step, measures, reported: undefined };
  const { generation } = commit;
  const snapshot: WorkerEffect[] = commit.snapshotRank === state.rank ? [{ kind: "snapshot", step, generation }] : [];
  if (commit.next !== null && !state.isCutOff) {
    const decision = begin({ ...applied, phase: "idle" }, commit.next, snapshot);
    return state.orders.length === 0 ? decision : goOn(decision.state, decision.effects);
  }
  const report = send({ name: "applied", body: { step, generation, ...measures } });
  return goOn({ ...applied, phase: "idle" }, [...snapshot, report]);
}

function decideAbort(state: WorkerState, abort: MessageBody<"abortStep">): WorkerDecision {
  const { step, measures } = state;
  const level: WorkerEffect[] =
    measures === undefined ? [] : [send({ name: "level", body: { step, stateHash: measures.stateHash } })];
  if (!isCurrent(state, abort) || (state.phase !== "computing" && state.phase !== "reported"))
    return { state, effects: level };
  return {
    state: { ...idle(state), phase: "idle" },
    effects: [{ kind: "abortStep", reason: abort.reason }, ...level],
    reason: `step ${abort.step} is given up: ${abort.reason}`,
  };
}

/** Nothing else is to be done: whatever runs is given up first. */
function decideCheckpointRequest(state: WorkerState, request: MessageBody<"checkpointRequest">): WorkerDecision {
  const { step, generation, reason } = request;
  if (step !== state.step || state.measures === undefined)
    return unexpected(state, `checkpointRequest of step ${step}`);
  const isRunning = state.phase === "computing" || state.phase === "reported";
  return {
    state: isRunning ? { ...idle(state), phase: "idle" } : state,
    effects: [...(isRunning ? [{ kind: "abortStep", reason } as const] : []), { kind: "snapshot", step, generation }],
    reason: `checkpoint of step ${step}: ${reason}`,
  };
}
