import { expect, test } from "vitest";
import { hashA, hashB, ScriptedRun } from "./scripted-run.testkit.js";

test("the run begins when everyone who joined is ready and there are enough", () => {
  const run = new ScriptedRun({ minWorkers: 2, maxWorkers: 4 });
  run.join("w0");
  run.ready("w0");
  expect(run.state.phase).toBe("rendezvous");
  expect(run.last("w0", "notice")!.message).toBe("1 of at least 2 workers ready; waiting for 1 more to join");
  run.join("w1");
  run.join("w2");
  run.ready("w1");
  expect(run.state.phase).toBe("rendezvous");
  run.ready("w2");
  expect(run.state.members).toEqual(["w0", "w1", "w2"]);
});

test("workers beyond the limit wait as spares, and move up when one before them leaves", () => {
  const run = new ScriptedRun({ minWorkers: 2, maxWorkers: 2, joinFailure: "refuse" });
  run.join("w0");
  run.join("w1");
  run.join("w2");
  expect(run.last("w2", "welcome")).toBeUndefined();
  expect(run.last("w2", "notice")!.code).toBe("SPARE");
  run.leave("w0");
  expect(run.last("w2", "welcome")!.workerId).toBe("w2");
  run.ready("w1");
  run.ready("w2");
  expect(run.state.members).toEqual(["w1", "w2"]);
});

test("there are never more members than micro-batches", () => {
  const run = new ScriptedRun({ numMicroBatches: 2, minWorkers: 1, maxWorkers: 8 });
  for (const id of ["w0", "w1", "w2"]) run.join(id);
  run.ready("w0");
  run.ready("w1");
  expect(run.state.members).toEqual(["w0", "w1"]);
  expect(run.state.workers.get("w2")!.status).toBe("spare");
});

test("too few workers within the join timeout end the run with its own code", () => {
  const run = new ScriptedRun();
  run.join("w0");
  run.tick(299_999);
  expect(run.summary).toBeUndefined();
  run.tick(300_000);
  expect(run.summary).toMatchObject({ status: "failed", steps: 0, error: { code: "E_JOIN_TIMEOUT" } });
  expect(run.summary!.error!.message).toContain("1 of 2 workers joined within 300000 ms");
});

test("at the join deadline those who are ready begin, if they are enough", () => {
  const run = new ScriptedRun({ minWorkers: 1, maxWorkers: 3, joinFailure: "refuse" });
  run.join("w0");
  run.join("w1");
  run.ready("w0");
  expect(run.state.phase).toBe("rendezvous");
  run.tick(300_000);
  expect(run.state.members).toEqual(["w0"]);
  expect(run.state.workers.get("w1")!.status).toBe("preparing");
});

test("workers that joined in time may take longer than the join timeout to prepare, but not for ever", () => {
  const run = new ScriptedRun();
  run.join("w0");
  run.join("w1");
  run.ready("w0");
  run.tick(300_000);
  expect(run.summary).toBeUndefined();
  run.tick(600_000);
  expect(run.summary!.error!.code).toBe("E_PREPARE_TIMEOUT");
  expect(run.summary!.error!.message).toContain('worker "w1"');
});

test.each([
  [{ protocolVersion: 1 }, "E_PROTOCOL_VERSION"],
  [{ numericsVersion: 2 }, "E_NUMERICS_VERSION"],
  [{ lockstepVersion: "0.0.9" }, "E_LOCKSTEP_VERSION"],
  [{ numericClasses: ["fused"] }, "E_NUMERIC_CLASS"],
])("a hello with %o is refused with %s", (change, code) => {
  const run = new ScriptedRun({ joinFailure: "refuse" });
  run.join("w0", change);
  expect(run.last("w0", "refused")!.code).toBe(code);
  expect(run.closed).toEqual(["w0"]);
  expect(run.state.workers.size).toBe(0);
  expect(run.summary).toBeUndefined();
});

test("where all workers are needed, a refused one ends the run with the same words", () => {
  const run = new ScriptedRun({ joinFailure: "fail" });
  run.join("w0", { protocolVersion: 1 });
  expect(run.summary!.error!.code).toBe("E_PROTOCOL_VERSION");
});

test("another probe hash in one class refuses the worker and names the first tensor that differs", () => {
  const run = new ScriptedRun({ joinFailure: "refuse", minWorkers: 2 });
  run.join("w0");
  run.join("w1");
  run.ready("w0");
  run.ready("w1", {
    probe: {
      hash: hashB,
      tensors: [
        { name: "w", hash: "a".repeat(32) },
        { name: "b", hash: hashB },
      ],
    },
  });
  expect(run.last("w1", "refused")).toMatchObject({ code: "E_PROBE" });
  expect(run.last("w1", "refused")!.message).toContain('the first tensor that differs is "b"');
});

test.each([
  [{ layout: { hash: hashB, gradientFloats: 11, numTensors: 2 } }, "E_LAYOUT"],
  [{ grid: { numMicroBatches: 4, numEvalMicroBatches: 9, samplesPerStep: 32 } }, "E_GRID"],
  [{ grid: { numMicroBatches: 8, numEvalMicroBatches: 3, samplesPerStep: 32 } }, "E_GRID"],
  [{ state: { step: 0, stateHash: hashB } }, "E_INITIAL_STATE"],
  [{ numericClass: "fused" }, "E_NUMERIC_CLASS"],
])("a worker that is ready with %o is refused with %s", (change, code) => {
  const run = new ScriptedRun({ joinFailure: "refuse" });
  run.join("w0");
  run.join("w1");
  run.ready("w0");
  run.ready("w1", change);
  expect(run.last("w1", "refused")!.code).toBe(code);
  expect(run.state.phase).toBe("rendezvous");
});

test("a job that fails to load ends a run that needs this worker, and only refuses it elsewhere", () => {
  const body = {
    phase: "load",
    code: "E_JOB",
    message: "job: data() threw",
    step: null,
    tensor: null,
    isStateIntact: false,
  } as const;
  const strict = new ScriptedRun({ joinFailure: "fail" });
  strict.join("w0");
  strict.say("w0", { name: "workerError", body });
  expect(strict.summary!.error).toMatchObject({ code: "E_JOB" });
  const open = new ScriptedRun({ joinFailure: "refuse" });
  open.join("w0");
  open.say("w0", { name: "workerError", body });
  expect(open.summary).toBeUndefined();
  expect(open.last("w0", "refused")!.message).toContain("data() threw");
});

test("one too many after the start waits as a spare and is stopped with the others", () => {
  const run = new ScriptedRun({ stopStep: 1 });
  run.start("w0", "w1");
  run.join("late");
  expect(run.last("late", "welcome")).toBeUndefined();
  expect(run.last("late", "notice")!.message).toContain("2 workers are there already");
  run.step();
  run.follow();
  expect(run.last("late", "stop")!.status).toBe("completed");
});

test("a late worker gets a snapshot, every gradient since, and a place at the first commit at which it is level", () => {
  const run = new ScriptedRun({ maxWorkers: 3, stopStep: 99 });
  run.start("w0", "w1");
  run.step();
  run.join("late");
  expect(run.last("late", "welcome")).toMatchObject({ resume: null, initFrom: null });
  run.ready("late");
  run.step();
  expect(run.last("w0", "commit")).toMatchObject({ step: 2, snapshotRank: 0, gradientRank: 0 });
  expect(run.last("w0", "commit")!.next).not.toBeNull();
  run.step();
  run.checkpointDone("w0");
  expect(run.last("late", "restore")).toMatchObject({ step: 2, stateHash: hashA });
  const gradient = { sha256: "d".repeat(64), byteLength: 40 };
  run.say("w0", { name: "gradientStored", body: { step: 3, gradient } });
  expect(run.last("late", "applyGradient")).toEqual({ step: 3, gradient });
  run.say("late", { name: "level", body: { step: 2, stateHash: hashA } });
  run.step();
  expect(run.last("w0", "commit")).toMatchObject({ step: 4, next: null, gradientRank: 0 });
  run.applied("w0");
  run.applied("w1");
  expect(run.state.phase).toBe("following");
  run.say("w0", { name: "gradientStored", body: { step: 4, gradient } });
  run.say("late", { name: "level", body: { step: 4, stateHash: hashA } });
  expect(run.state.members).toEqual(["w0", "w1", "late"]);
  expect(run.state.generation).toBe(2);
});

test("a late worker that does not become level in time holds nobody up", () => {
  const run = new ScriptedRun({ maxWorkers: 3, stopStep: 99 });
  run.start("w0", "w1");
  run.step();
  run.join("late");
  run.ready("late", { state: { step: 1, stateHash: hashA } });
  run.step();
  run.applied("w0");
  run.applied("w1");
  expect(run.state.phase).toBe("following");
  run.tick(run.nowMs + 2_001);
  expect(run.state).toMatchObject({ phase: "stepping", generation: 1, committedStep: 2 });
});

test("a late worker with other bits of the state than the run is given a snapshot, not a place", () => {
  const run = new ScriptedRun({ maxWorkers: 3, stopStep: 99 });
  run.start("w0", "w1");
  run.step();
  run.step();
  run.join("late");
  run.ready("late", { state: { step: 1, stateHash: hashB } });
  run.say("late", { name: "level", body: { step: 1, stateHash: hashB } });
  expect(run.types()).toContain("differs");
  run.step();
  expect(run.last("w0", "commit")).toMatchObject({ snapshotRank: 0 });
});

test("a worker that comes back keeps its identity and is asked for its state again", () => {
  const run = new ScriptedRun({ stopStep: 99 });
  run.start("w0", "w1");
  run.step();
  run.leave("w1");
  const held = { runId: "run", term: 1, step: 1, stateHash: hashA, reported: null };
  run.join("w1", { held });
  expect(run.last("w1", "welcomeBack")).toEqual({ runId: "run", term: 1 });
  run.ready("w1", { state: { step: 1, stateHash: hashA } });
  expect(run.state.workers.get("w1")!.status).toBe("joining");
});

test.each([
  [{ runId: "other", term: 1 }, "E_OTHER_RUN"],
  [{ runId: "run", term: 2 }, "E_STALE_TERM"],
])("a worker that comes back from %o is refused with %s", (past, code) => {
  const run = new ScriptedRun({ joinFailure: "refuse" });
  run.join("w0", { held: { ...past, step: 1, stateHash: hashA, reported: null } });
  expect(run.last("w0", "refused")!.code).toBe(code);
});

/** A joiner whose line breaks after it was sent the snapshot of step 2; the run is at step 4 then. */
function joinerCutOff(): ScriptedRun {
  const run = new ScriptedRun({ maxWorkers: 3, stopStep: 99 });
  run.start("w0", "w1");
  run.step();
  run.join("late");
  run.ready("late");
  run.step();
  run.step();
  run.checkpointDone("w0");
  storeGradient(run, 3);
  run.leave("late");
  run.step();
  storeGradient(run, 4);
  return run;
}

function storeGradient(run: ScriptedRun, step: number): void {
  const gradient = { sha256: String(step).repeat(64), byteLength: 40 };
  run.say("w0", { name: "gradientStored", body: { step, gradient } });
}

test("a joiner whose line broke is given the same snapshot, and every gradient since, when it is back", () => {
  const run = joinerCutOff();
  expect(run.last("w0", "commit")).toMatchObject({ step: 4, gradientRank: 0 });
  expect(run.released).toEqual([]);
  const files = run.last("late", "restore")!.files;
  run.join("late", { held: { runId: "run", term: 1, step: 0, stateHash: hashA, reported: null } });
  run.ready("late", { state: { step: 0, stateHash: hashA } });
  const sent = run.sent.slice(run.sent.findLastIndex(({ message }) => message.name === "welcomeBack"));
  const toLate = sent.flatMap(({ to, message }) => (to === "late" ? [message] : []));
  expect(toLate.map(({ name, body }) => [name, "step" in body ? body.step : undefined])).toEqual([
    ["welcomeBack", undefined],
    ["restore", 2],
    ["applyGradient", 3],
    ["applyGradient", 4],
  ]);
  expect(run.last("late", "restore")!.files).toEqual(files);
});

test("what a joiner needs goes when it does not come back", () => {
  const run = joinerCutOff();
  run.tick(run.nowMs + 10_000);
  run.step();
  expect(run.released).toHaveLength(3);
  expect(run.last("w0", "commit")).toMatchObject({ step: 5, gradientRank: null });
});
