import type { Assignment, CoordinatorMessage, MessageBody } from "@lockstep/protocol";
import { describe, expect, test } from "vitest";
import { decideWorker } from "./decide-worker.js";
import { initialWorkerState, type WorkerEffect, type WorkerEvent, type WorkerState } from "./worker-state.js";

const hash = (digit: string) => digit.repeat(32);

function ready(step = 0): MessageBody<"ready"> {
  return {
    numericClass: "strict",
    layout: { hash: hash("1"), gradientFloats: 10, numTensors: 2 },
    probe: { hash: hash("2"), tensors: [] },
    state: { step, stateHash: hash("3") },
    grid: { numMicroBatches: 4, numEvalMicroBatches: 2, samplesPerStep: 8 },
    prepareMs: 1,
  };
}

function assignment(step: number, generation = 1): Assignment {
  return { step, generation, attempt: 0, nodesByRank: [[[0, 2]], [[2, 4]]] };
}

function outcome(step: number) {
  return {
    step,
    generation: 1,
    attempt: 0,
    gradientHash: hash("a"),
    losses: [[2, 1.5, 2] as [number, number, number]],
    numTokens: null,
    computeMs: 5,
    commMs: 1,
    bytesSent: 40,
    nodeSquares: [],
  };
}

function commit(step: number, rest: Partial<MessageBody<"commit">> = {}): WorkerEvent {
  const body = {
    step,
    generation: 1,
    attempt: 0,
    gradientHash: hash("a"),
    next: null,
    snapshotRank: null,
    gradientRank: null,
    isLast: false,
    ...rest,
  };
  return { kind: "message", message: { name: "commit", body } };
}

const applied = (step: number): WorkerEvent => ({
  kind: "applied",
  step,
  measures: { stateHash: hash("b"), gradNorm: 2, learningRate: 0.1 },
});

const member = (rank: number, workerId: string) => ({
  rank,
  workerId,
  name: workerId,
  listenUrls: [],
  ticket: hash("c"),
});

const startGenerationBody = {
  generation: 1,
  members: [member(0, "w-a"), member(1, "w-b")],
  numMicroBatches: 4,
  reason: "all are ready",
};
const startGeneration: WorkerEvent = {
  kind: "message",
  message: { name: "startGeneration", body: startGenerationBody },
};

/** What effects do, in words: sent messages by their names. */
function namesOf(effects: readonly WorkerEffect[]): string[] {
  return effects.map((effect) => (effect.kind === "send" ? effect.message.name : effect.kind));
}

function order<Name extends CoordinatorMessage["name"]>(name: Name, body: MessageBody<Name>): WorkerEvent {
  return { kind: "message", message: { name, body } as CoordinatorMessage };
}

/** Runs events in order; gives the state and the effects of the last one. */
function after(state: WorkerState, ...events: WorkerEvent[]) {
  let decision = decideWorker(state, events[0]!);
  for (const event of events.slice(1)) decision = decideWorker(decision.state, event);
  return decision;
}

const joined: WorkerState = { ...initialWorkerState, phase: "preparing", workerId: "w-b", runId: "run", term: 1 };
const idle = after(
  joined,
  { kind: "prepared", ready: ready() },
  startGeneration,
  { kind: "linked", generation: 1, links: [] },
  { kind: "routed", generation: 1 },
).state;
const reported = after(idle, assign(1), { kind: "reduced", outcome: outcome(1) }).state;

function assign(step: number): WorkerEvent {
  return { kind: "message", message: { name: "assign", body: { assignment: assignment(step) } } };
}

describe("decideWorker", () => {
  test("takes the rank that the generation gives its workerId, and links", () => {
    const { state, effects } = after(joined, { kind: "prepared", ready: ready() }, startGeneration);
    expect(state).toMatchObject({ phase: "linking", generation: 1, rank: 1 });
    expect(effects.map((e) => e.kind)).toEqual(["abortStep", "link"]);
  });

  test("an assignment that comes while links are made is begun when they are", () => {
    const linking = after(joined, { kind: "prepared", ready: ready() }, startGeneration, assign(1));
    expect(linking.effects).toEqual([]);
    const { state, effects } = after(linking.state, { kind: "routed", generation: 1 });
    expect(state.phase).toBe("computing");
    expect(effects).toEqual([{ kind: "startStep", assignment: assignment(1), rank: 1 }]);
  });

  test("reports a reduced step with the hash of the state before it", () => {
    const { effects } = after(idle, assign(1), { kind: "reduced", outcome: outcome(1) });
    expect(effects).toEqual([
      {
        kind: "send",
        message: {
          name: "stepReport",
          body: { ...outcome(1), previous: { stateHash: hash("3"), gradNorm: null, learningRate: null } },
        },
      },
    ]);
  });

  test("applies a committed step and goes straight on to the next assignment", () => {
    expect(after(reported, commit(1, { next: assignment(2) })).effects).toEqual([{ kind: "apply", step: 1 }]);
    const { state, effects } = after(reported, commit(1, { next: assignment(2) }), applied(1));
    expect(effects).toEqual([{ kind: "startStep", assignment: assignment(2), rank: 1 }]);
    expect(state).toMatchObject({ phase: "computing", step: 1, measures: { gradNorm: 2 } });
  });

  test("L2 does not apply a commit whose gradient hash is not the reported one", () => {
    const { state, effects } = after(reported, commit(1, { gradientHash: hash("f") }));
    expect(state.phase).toBe("failed");
    expect(effects.map((e) => e.kind)).toEqual(["abortStep", "send"]);
    expect(effects[1]).toMatchObject({ message: { name: "workerError", body: { code: "E_GRADIENT_HASH", step: 1 } } });
  });

  test("after a commit without a next step: snapshot in the background, applied, then orders one by one", () => {
    const applying = after(reported, commit(1, { snapshotRank: 1, gradientRank: 1, isLast: true }));
    expect(applying.effects).toEqual([
      { kind: "uploadGradient", step: 1 },
      { kind: "apply", step: 1 },
    ]);
    const idleAgain = after(applying.state, applied(1));
    expect(namesOf(idleAgain.effects)).toEqual(["snapshot", "applied"]);
    expect(idleAgain.state.phase).toBe("idle");
    const evaluating = after(idleAgain.state, order("evaluate", { step: 1, generation: 1, ranges: [[1, 2]] }));
    expect(evaluating.effects).toEqual([{ kind: "evaluate", step: 1, generation: 1, ranges: [[1, 2]] }]);
    const body = { step: 1, generation: 1, losses: [], evalMs: 1 };
    const evaluated = after(evaluating.state, { kind: "evaluated", bodies: [body] });
    expect(namesOf(evaluated.effects)).toEqual(["evaluated"]);
    expect(evaluated.state.phase).toBe("idle");
  });

  test("orders that come while an update runs are done after it, in order", () => {
    const applying = after(reported, commit(1)).state;
    const second = { ...startGenerationBody, generation: 2 };
    const waiting = after(applying, order("startGeneration", second), assign(2));
    expect(waiting.effects).toEqual([]);
    const { state, effects } = after(waiting.state, applied(1));
    expect(namesOf(effects)).toEqual(["applied", "abortStep", "link"]);
    expect(state).toMatchObject({ phase: "linking", generation: 2, step: 1 });
  });

  test("a channel that breaks makes it come back with its state and the gradient that it had reported", () => {
    const away = after(reported, { kind: "disconnected", reason: "reset" });
    expect(away.state.phase).toBe("away");
    const kept = { step: 1, gradientHash: hash("a") };
    const held = { runId: "run", term: 1, step: 0, stateHash: hash("3"), reported: kept };
    expect(away.effects.at(-1)).toEqual({ kind: "reconnect", held });
    const back = after(away.state, { kind: "reconnected" }, order("welcomeBack", { runId: "run", term: 2 }));
    expect(back.effects).toEqual([{ kind: "send", message: { name: "ready", body: ready() } }]);
    const catching = after(back.state, order("applyKept", kept));
    expect(catching.effects).toEqual([{ kind: "applyKept", step: 1 }]);
    const measures = { stateHash: hash("b"), gradNorm: 1, learningRate: 0.1 };
    const caught = after(catching.state, { kind: "caught", step: 1, measures });
    expect(caught.effects).toMatchObject([{ message: { name: "level", body: { step: 1, stateHash: hash("b") } } }]);
  });

  test("a channel that breaks again before it was welcomed back is looked for again", () => {
    const returning = after(reported, { kind: "disconnected", reason: "reset" }, { kind: "reconnected" });
    const again = after(returning.state, { kind: "disconnected", reason: "reset" });
    expect(again.state.phase).toBe("away");
    expect(again.effects.at(-1)).toMatchObject({ kind: "reconnect" });
  });

  test("a channel that breaks under an update is looked for when the update is done", () => {
    const cut = after(reported, commit(1, { next: assignment(2) }), { kind: "disconnected", reason: "reset" });
    expect(cut.effects).toEqual([]);
    const { state, effects } = after(cut.state, applied(1));
    expect(state).toMatchObject({ phase: "away", step: 1 });
    expect(effects.at(-1)).toMatchObject({ kind: "reconnect", held: { step: 1, reported: null } });
  });

  test("a coordinator that another one has followed is refused", () => {
    const away = after(reported, { kind: "disconnected", reason: "reset" }, { kind: "reconnected" }).state;
    const { effects } = after(away, order("welcomeBack", { runId: "run", term: 0 }));
    expect(effects.at(-1)).toMatchObject({ kind: "finish", status: "refused", code: "E_STALE_TERM" });
  });

  test("a snapshot and gradients bring it to the run's state, one after the other", () => {
    const start = after(joined, { kind: "prepared", ready: ready() }).state;
    const restore = { step: 4, stateHash: hash("b"), files: [] };
    const gradient = { sha256: hash("d") + hash("d"), byteLength: 40 };
    const both = after(start, order("restore", restore), order("applyGradient", { step: 5, gradient }));
    expect(both.effects).toEqual([]);
    const measures = { stateHash: hash("b"), gradNorm: null, learningRate: null };
    const { state, effects } = after(both.state, { kind: "caught", step: 4, measures });
    expect(namesOf(effects)).toEqual(["level", "applyGradient"]);
    expect(state).toMatchObject({ phase: "catching", step: 4 });
  });

  test("gives a step up when told so, and forgets what it reduced too late", () => {
    const computing = after(idle, assign(1)).state;
    const abort: WorkerEvent = {
      kind: "message",
      message: { name: "abortStep", body: { step: 1, generation: 1, attempt: 0, reason: "w-a is lost" } },
    };
    const { state, effects } = after(computing, abort);
    expect(effects).toEqual([
      { kind: "abortStep", reason: "w-a is lost" },
      { kind: "send", message: { name: "level", body: { step: 0, stateHash: hash("3") } } },
    ]);
    expect(after(state, { kind: "reduced", outcome: outcome(1) }).effects).toEqual([]);
  });

  test("a checkpoint asked for while an update runs is made after it", () => {
    const request = order("checkpointRequest", { generation: 1, step: 1, reason: "w-a is lost" });
    const { state, effects } = after(reported, commit(1, { next: assignment(2) }), request, applied(1));
    expect(namesOf(effects)).toEqual(["startStep", "abortStep", "snapshot"]);
    expect(state.phase).toBe("idle");
  });

  test("a lost peer is reported only after the coordinator had time to name the cause, and the state is kept", () => {
    const error = { code: "E_PEER_LOST", message: "rank 0 is gone", fields: { workerId: "w-a" } };
    const failed: WorkerEvent = { kind: "stepFailed", place: { step: 1, generation: 1, attempt: 0 }, error };
    const waiting = after(idle, assign(1), failed);
    expect(waiting.effects).toEqual([{ kind: "startGrace" }]);
    const silent = after(waiting.state, { kind: "graceOver" });
    expect(silent.effects[1]).toMatchObject({
      message: { name: "stepFailed", body: { code: "E_PEER_LOST", accusedId: "w-a", attempt: 0 } },
    });
    expect(silent.state.phase).toBe("idle");
    const told = after(waiting.state, order("abortStep", { step: 1, generation: 1, attempt: 0, reason: "w-a died" }));
    expect(after(told.state, { kind: "graceOver" }).effects).toEqual([]);
  });

  test("values of its own that are not finite are told with the node they belong to", () => {
    const error = { code: "E_NOT_FINITE", message: "loss is NaN", fields: { workerId: "w-b", microBatch: 3 } };
    const { effects } = after(idle, assign(1), {
      kind: "stepFailed",
      place: { step: 1, generation: 1, attempt: 0 },
      error,
    });
    expect(effects[1]).toMatchObject({ message: { body: { accusedId: "w-b", node: [2, 4] } } });
  });

  test("an error that nobody else can mend ends this worker", () => {
    const error = { code: "E_JOB_LOSS", message: "no sum", fields: {} };
    const place = { step: 1, generation: 1, attempt: 0 };
    const { state, effects } = after(idle, assign(1), { kind: "stepFailed", place, error });
    expect(state.phase).toBe("failed");
    expect(effects[1]).toMatchObject({ message: { name: "workerError", body: { code: "E_JOB_LOSS" } } });
  });

  test("stops when told so from any phase, and does nothing afterwards", () => {
    const stop: WorkerEvent = {
      kind: "message",
      message: { name: "stop", body: { status: "failed", code: "E_WORKER_LOST", reason: "w-a is lost" } },
    };
    for (const state of [initialWorkerState, joined, idle, reported]) {
      const { effects, state: stopped } = after(state, stop);
      expect(effects.at(-1)).toMatchObject({ kind: "finish", status: "failed", code: "E_WORKER_LOST" });
      expect(after(stopped, assign(1)).effects).toEqual([]);
    }
  });

  test("a commit of a step it did not report is refused, with both sides", () => {
    const { effects } = after(idle, commit(1));
    expect(effects[1]).toMatchObject({ message: { body: { code: "E_PROTOCOL_STATE", isStateIntact: true } } });
  });
});
