import { expect, test } from "vitest";
import { hashA, hashB, ScriptedRun } from "./scripted-run.testkit.js";

const savedEvery = (intervalSteps: number) => ({ intervalSteps, intervalMs: 0, keepsBest: false, keepLast: 0 });

test("a run of three steps commits each once, evaluates and saves after the last, and says completed", () => {
  const run = new ScriptedRun();
  run.start("w0", "w1");
  expect(run.last("w1", "startGeneration")!.members.map(({ rank, workerId }) => [rank, workerId])).toEqual([
    [0, "w0"],
    [1, "w1"],
  ]);
  expect(run.last("w0", "routes")!.relayPairs).toEqual([]);
  expect(run.last("w0", "assign")!.assignment).toEqual({
    step: 1,
    generation: 1,
    attempt: 0,
    nodesByRank: [[[0, 2]], [[2, 4]]],
  });
  run.step();
  expect(run.last("w0", "commit")!.next!.step).toBe(2);
  run.step();
  run.step();
  expect(run.last("w1", "commit")).toMatchObject({ step: 3, next: null, snapshotRank: 0, isLast: true });
  for (const id of run.state.members) run.applied(id);
  expect(run.last("w0", "evaluate")!.ranges).toEqual([[0, 1]]);
  expect(run.last("w1", "evaluate")!.ranges).toEqual([[1, 3]]);
  run.follow();
  expect(run.writes).toEqual([3]);
  expect(run.summary).toMatchObject({
    schema: 1,
    status: "completed",
    steps: 3,
    worldSize: 2,
    generation: 1,
    trainLoss: 2.5,
    evalLoss: 2,
    paramsSha256: "c".repeat(64),
    samplesSeen: 96,
    samplesPerSec: 320,
    tokensPerSec: null,
    bytesSentPerWorkerPerStep: 40,
    numericClasses: ["strict"],
  });
  expect(run.last("w1", "stop")!.status).toBe("completed");
  expect(run.types().filter((type) => type === "commit").length).toBe(3);
  expect(run.metrics.map(({ step, gradNorm, learningRate }) => [step, gradNorm, learningRate])).toEqual([
    [1, 0.5, 0.01],
    [2, 0.5, 0.01],
    [3, 0.25, 0.02],
  ]);
});

test("intervals decide when to evaluate and to save; the next step waits for the first and not for the second", () => {
  const run = new ScriptedRun({ stopStep: 4, evalIntervalSteps: 2, checkpoints: savedEvery(3) });
  run.start("w0", "w1");
  run.step();
  run.step();
  expect(run.last("w0", "commit")).toMatchObject({ step: 2, next: null, snapshotRank: null });
  expect(run.state.phase).toBe("following");
  run.follow();
  expect(run.last("w0", "assign")!.assignment.step).toBe(3);
  run.step();
  expect(run.last("w0", "commit")).toMatchObject({ step: 3, next: { step: 4 }, snapshotRank: 0 });
  expect(run.state.phase).toBe("stepping");
  run.checkpointDone("w0");
  expect(run.writes).toEqual([]);
  run.report("w0");
  run.report("w1");
  expect(run.writes).toEqual([3]);
  expect(run.events.find(({ type }) => type === "evaluated")).toMatchObject({ step: 2, evalLoss: 2 });
});

test("a run that its caller judges waits for the answer after each evaluation, and completes where it is ended", () => {
  const run = new ScriptedRun({ stopStep: 9, evalIntervalSteps: 2, isJudged: true });
  run.start("w0", "w1");
  run.step();
  expect(run.judged).toEqual([]);
  run.step();
  expect(run.last("w0", "commit")).toMatchObject({ step: 2, next: null });
  run.follow();
  expect(run.judged).toEqual([{ step: 2, evalLoss: 2 }]);
  expect(run.state.phase).toBe("following");
  run.event({ kind: "judged", step: 2, stop: null });
  expect(run.last("w0", "assign")!.assignment.step).toBe(3);
  run.step();
  run.step();
  run.follow();
  run.event({ kind: "judged", step: 4, stop: "no better loss for 3 epochs" });
  run.checkpointDone("w0");
  run.event({ kind: "checkpointWritten", step: 4 });
  expect(run.summary).toMatchObject({ status: "completed", steps: 4 });
  expect(run.events.at(-1)!.reason).toBe("ended after step 4: no better loss for 3 epochs");
});

test("a caller that waits for the checkpoint of its step gets it, though another was being written or its writer left", () => {
  const run = new ScriptedRun({ stopStep: 9, evalIntervalSteps: 1, isJudged: true, checkpoints: savedEvery(1) });
  const evaluated = () => {
    for (const id of ["w0", "w1"]) run.applied(id);
    for (const id of ["w0", "w1"]) run.evaluated(id);
  };
  run.start("w0", "w1");
  run.step();
  evaluated();
  run.checkpointDone("w0");
  run.event({ kind: "judged", step: 1, stop: null });
  run.step();
  evaluated();
  expect(run.judged.map(({ step }) => step)).toEqual([1, 2]);
  expect([run.writes, run.last("w0", "checkpointRequest")]).toEqual([[1], undefined]);
  run.written();
  expect(run.last("w0", "checkpointRequest")).toMatchObject({ step: 2 });
  run.leave("w0");
  expect(run.last("w1", "checkpointRequest")).toMatchObject({ step: 2 });
  run.checkpointDone("w1");
  expect(run.writes).toEqual([1, 2]);
});

test("a caller that never answers ends the run as failed", () => {
  const run = new ScriptedRun({ stopStep: 9, evalIntervalSteps: 1, isJudged: true });
  run.start("w0", "w1");
  run.step();
  run.follow();
  run.tick(run.nowMs + run.state.plan.timeouts.followMs + 1);
  expect(run.state.ending).toMatchObject({ status: "failed", code: "E_CALLBACK" });
});

test("a report of another attempt or step changes nothing", () => {
  const run = new ScriptedRun();
  run.start("w0", "w1");
  run.report("w0", { attempt: 1 });
  run.report("w0", { step: 2 });
  run.report("w0", { generation: 9 });
  expect(run.state.step!.reports.size).toBe(0);
});

test("a pair of which one could not dial the other uses the relay both ways", () => {
  const run = new ScriptedRun();
  run.join("w0");
  run.join("w1");
  run.ready("w0");
  run.ready("w1");
  run.links("w0");
  run.links("w1", { blocked: [0] });
  expect(run.last("w0", "routes")!.relayPairs).toEqual([
    [1, 0],
    [0, 1],
  ]);
  expect(run.events.find(({ type }) => type === "links")!.reason).toContain("connection refused");
});

test("replicas that differ without a majority end the run, name both and save nothing new", () => {
  const run = new ScriptedRun();
  run.start("w0", "w1");
  run.step();
  run.report("w0");
  run.report("w1", { previous: { stateHash: hashB, gradNorm: null, learningRate: null } });
  expect(run.summary).toMatchObject({ status: "failed", steps: 1, error: { code: "E_REPLICAS_DIFFER" } });
  expect(run.summary!.error!.message).toContain('worker "w0"');
  expect(run.summary!.error!.message).toContain('worker "w1"');
  expect(run.writes).toEqual([]);
});

test("a replica outvoted by a strict majority is named, gets a strike and is brought to the run's state", () => {
  const run = new ScriptedRun({ minWorkers: 3, maxWorkers: 3 });
  run.start("w0", "w1", "w2");
  run.step();
  run.report("w0", { previous: { stateHash: hashB, gradNorm: null, learningRate: null } });
  run.report("w1");
  run.report("w2");
  expect(run.events.find(({ type }) => type === "outvoted")!.reason).toContain('worker "w0"');
  expect(run.state.strikes.get("w0")).toBe(1);
  expect(run.state.members).toEqual(["w1", "w2"]);
  expect(run.state.workers.get("w0")!.status).toBe("joining");
  for (const id of ["w1", "w2"]) run.links(id);
  run.step();
  expect(run.last("w1", "commit")).toMatchObject({ step: 2, snapshotRank: 0 });
});

test("a gradient that differs without a majority ends the run at the state before it, which all still share", () => {
  const run = new ScriptedRun();
  run.start("w0", "w1");
  run.step();
  run.report("w0");
  run.report("w1", { gradientHash: hashB });
  expect(run.state.committedStep).toBe(1);
  expect(run.last("w0", "checkpointRequest")).toMatchObject({ step: 1 });
});

test("a gradient that a strict majority outvotes is a strike, and the step is tried again", () => {
  const run = new ScriptedRun({ minWorkers: 3, maxWorkers: 3 });
  run.start("w0", "w1", "w2");
  run.report("w0");
  run.report("w1");
  run.report("w2", { gradientHash: hashB });
  expect(run.state.strikes.get("w2")).toBe(1);
  expect(run.last("w0", "abortStep")).toMatchObject({ step: 1, attempt: 0 });
  expect(run.last("w0", "assign")!.assignment).toMatchObject({ step: 1, attempt: 1 });
  run.step();
  expect(run.state.committedStep).toBe(1);
});

test("states that differ after the last step are found although no step follows", () => {
  const run = new ScriptedRun({ stopStep: 1 });
  run.start("w0", "w1");
  run.step();
  run.applied("w0", hashA);
  run.applied("w1", hashB);
  expect(run.summary).toMatchObject({ status: "failed", error: { code: "E_REPLICAS_DIFFER" } });
});

test("a snapshot whose state is not the replicas' is not written; another one is asked for", () => {
  const run = new ScriptedRun({ stopStep: 1 });
  run.start("w0", "w1");
  run.step();
  for (const id of run.state.members) run.applied(id);
  for (const id of run.state.members) run.evaluated(id);
  run.checkpointDone("w0", hashB);
  expect(run.writes).toEqual([]);
  expect(run.types()).toContain("checkpointFailed");
  expect(run.last("w0", "checkpointRequest")).toMatchObject({ step: 1 });
  run.checkpointDone("w0");
  run.written();
  expect(run.summary).toMatchObject({ status: "completed" });
});

test("a checkpoint that cannot be written fails the last step and only warns before it", () => {
  const run = new ScriptedRun({ stopStep: 2, checkpoints: savedEvery(1) });
  run.start("w0", "w1");
  for (const expected of [1, 2]) {
    run.step();
    run.checkpointDone("w0");
    if (expected === 1) continue;
    run.event({ kind: "checkpointWriteFailed", step: 1, message: "no space left on device" });
    expect(run.summary).toBeUndefined();
    for (const id of run.state.members) run.applied(id);
    for (const id of run.state.members) run.evaluated(id);
    run.checkpointDone("w0");
    run.event({ kind: "checkpointWriteFailed", step: 2, message: "no space left on device" });
  }
  expect(run.summary).toMatchObject({ status: "failed", error: { code: "E_CHECKPOINT_WRITE" } });
  expect(run.summary!.error!.message).toContain("no space left on device");
});

test("checkpoints by time, the best one, and retention", () => {
  const checkpoints = { intervalSteps: 0, intervalMs: 250, keepsBest: true, keepLast: 1 };
  const run = new ScriptedRun({ stopStep: 99, evalIntervalSteps: 2, checkpoints });
  run.start("w0", "w1");
  run.step();
  run.step();
  run.follow();
  expect(run.last("w0", "checkpointRequest")).toMatchObject({ step: 2, reason: "the best held-out loss so far" });
  expect(run.writes).toEqual([2]);
  expect(run.state.best).toEqual({ step: 2, evalLoss: 2, value: 2, isStored: true });
  run.step();
  expect(run.last("w0", "commit")!.snapshotRank).toBeNull();
  run.step();
  run.follow();
  run.step();
  expect(run.last("w0", "commit")).toMatchObject({ step: 5, snapshotRank: 0 });
  run.checkpointDone("w0");
  run.step();
  run.follow();
  expect(run.writes).toEqual([2, 5]);
  // Of two, the newest stays, and the best one beside it.
  expect(run.removed).toEqual([]);
  expect(run.state.storedSteps).toEqual([2, 5]);
});

test("a resumed run counts its steps on", () => {
  const run = new ScriptedRun({ startStep: 10, stopStep: 11 });
  run.start("w0", "w1");
  expect(run.last("w0", "assign")!.assignment.step).toBe(11);
  run.step();
  run.follow();
  expect(run.summary).toMatchObject({ steps: 11, samplesSeen: 352 });
});

test("an evaluation without weight is an error that names the step", () => {
  const run = new ScriptedRun({ stopStep: 1 });
  run.start("w0", "w1");
  run.step();
  run.applied("w0");
  run.applied("w1");
  const body = { step: 1, generation: 1, evalMs: 1 };
  run.say("w0", { name: "evaluated", body: { ...body, losses: [[0, 0, 0]] } });
  run.say("w1", {
    name: "evaluated",
    body: {
      ...body,
      losses: [
        [1, 0, 0],
        [2, 0, 0],
      ],
    },
  });
  expect(run.state.ending).toMatchObject({ code: "E_EVALUATION" });
});

test("a reason to fail that comes from outside ends the run as failed, with its code", () => {
  const run = new ScriptedRun();
  run.start("w0", "w1");
  run.step();
  run.event({ kind: "broken", code: "E_WORKER_START", message: 'run: worker "local-1" ended with status 1.' });
  expect(run.state.phase).toBe("stopped");
  expect(run.summary).toMatchObject({ status: "failed", steps: 1, error: { code: "E_WORKER_START" } });
  expect(run.types()).toContain("failed");
});

test("a resumed run that ends before its next step still says what its checkpoint holds", () => {
  const run = new ScriptedRun({ startStep: 2, startParamsSha256: "d".repeat(64) });
  run.event({ kind: "abort", reason: "interrupted twice" });
  expect(run.summary).toMatchObject({ status: "interrupted", steps: 2, paramsSha256: "d".repeat(64) });
});
