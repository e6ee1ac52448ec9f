import type { Assignment, MessageBody } from "@lockstep/protocol";
import { describe, expect, test } from "vitest";
import { decideWorker } from "./decide-worker.js";
import { initialWorkerState, type WorkerEvent, type WorkerState } from "./worker-state.js";

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
  };
}

function commit(step: number, rest: Partial<MessageBody<"commit">> = {}): WorkerEvent {
  const body = {
    step,
    generation: 1,
    attempt: 0,
    gradientHash: hash("a"),
    next: null,
    evaluate: null,
    checkpointRank: null,
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

const startGeneration: WorkerEvent = {
  kind: "message",
  message: {
    name: "startGeneration",
    body: { generation: 1, members: [member(0, "w-a"), member(1, "w-b")], numMicroBatches: 4, reason: "all are ready" },
  },
};

/** Runs events in order; gives the state and the effects of the last one. */
function after(state: WorkerState, ...events: WorkerEvent[]) {
  let decision = decideWorker(state, events[0]!);
  for (const event of events.slice(1)) decision = decideWorker(decision.state, event);
  return decision;
}

const joined: WorkerState = { ...initialWorkerState, phase: "preparing", workerId: "w-b" };
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

  test("after a commit without a next step: applied, evaluation, checkpoint, idle", () => {
    const last = commit(1, {
      evaluate: [
        [0, 1],
        [1, 2],
      ],
      checkpointRank: 1,
      isLast: true,
    });
    const applying = after(reported, last, applied(1));
    expect(applying.effects.map((e) => (e.kind === "send" ? e.message.name : e.kind))).toEqual(["applied", "evaluate"]);
    const evaluated = after(applying.state, {
      kind: "evaluated",
      body: { step: 1, generation: 1, losses: [], evalMs: 1 },
    });
    expect(evaluated.effects.map((e) => (e.kind === "send" ? e.message.name : e.kind))).toEqual([
      "evaluated",
      "checkpoint",
    ]);
    const stored = after(evaluated.state, {
      kind: "stored",
      body: { generation: 1, step: 1, stateHash: hash("b"), files: [], paramsSha256: hash("d") + hash("d") },
    });
    expect(stored.effects.map((e) => (e.kind === "send" ? e.message.name : e.kind))).toEqual(["checkpointDone"]);
    expect(stored.state.phase).toBe("idle");
  });

  test("a worker without part in the evaluation and the checkpoint is idle after applied", () => {
    const { state, effects } = after(reported, commit(1, { evaluate: [[0, 2], null], checkpointRank: 0 }), applied(1));
    expect(effects.map((e) => (e.kind === "send" ? e.message.name : e.kind))).toEqual(["applied"]);
    expect(state.phase).toBe("idle");
  });

  test("gives a step up when told so, and forgets what it reduced too late", () => {
    const computing = after(idle, assign(1)).state;
    const abort: WorkerEvent = {
      kind: "message",
      message: { name: "abortStep", body: { step: 1, generation: 1, attempt: 0, reason: "w-a is lost" } },
    };
    const { state, effects } = after(computing, abort);
    expect(effects).toEqual([{ kind: "abortStep", reason: "w-a is lost" }]);
    expect(after(state, { kind: "reduced", outcome: outcome(1) }).effects).toEqual([]);
  });

  test("a checkpoint asked for while an update runs is made after it", () => {
    const request: WorkerEvent = {
      kind: "message",
      message: { name: "checkpointRequest", body: { generation: 1, step: 1, reason: "w-a is lost" } },
    };
    const { state, effects } = after(reported, commit(1, { next: assignment(2) }), request, applied(1));
    expect(effects.map((e) => (e.kind === "send" ? e.message.name : e.kind))).toEqual(["applied", "checkpoint"]);
    expect(state.phase).toBe("checkpointing");
  });

  test("a lost peer is reported only after the coordinator had time to name the cause", () => {
    const error = { code: "E_PEER_LOST", message: "rank 0 is gone", fields: {} };
    const waiting = after(idle, assign(1), { kind: "peerLost", error });
    expect(waiting.effects).toEqual([{ kind: "startGrace" }]);
    const silent = after(waiting.state, { kind: "graceOver" });
    expect(silent.effects[1]).toMatchObject({ message: { body: { code: "E_PEER_LOST", isStateIntact: true } } });
    const told = after(waiting.state, {
      kind: "message",
      message: { name: "abortStep", body: { step: 1, generation: 1, attempt: 0, reason: "w-a died" } },
    });
    expect(after(told.state, { kind: "graceOver" }).effects).toEqual([]);
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
