import { expect, test } from "vitest";
import { hashA, hashB, ScriptedRun } from "./scripted-run.testkit.js";

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
  expect(run.last("w1", "commit")).toMatchObject({ step: 3, next: null, checkpointRank: 0, isLast: true });
  expect(run.last("w1", "commit")!.evaluate).toEqual([
    [0, 1],
    [1, 3],
  ]);
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

test("intervals decide when to evaluate and to save, and the next step waits for both", () => {
  const run = new ScriptedRun({ stopStep: 4, evalIntervalSteps: 2, checkpointIntervalSteps: 3 });
  run.start("w0", "w1");
  run.step();
  run.step();
  expect(run.last("w0", "commit")).toMatchObject({ step: 2, next: null, checkpointRank: null });
  expect(run.state.phase).toBe("following");
  run.follow();
  expect(run.last("w0", "assign")!.assignment.step).toBe(3);
  run.step();
  expect(run.last("w0", "commit")).toMatchObject({ step: 3, evaluate: null, checkpointRank: 0 });
  run.applied("w0");
  run.applied("w1");
  run.checkpointDone("w0");
  expect(run.state.phase).toBe("following");
  run.written();
  expect(run.state.phase).toBe("stepping");
  expect(run.events.find(({ type }) => type === "evaluated")).toMatchObject({ step: 2, evalLoss: 2 });
});

test("a report of another attempt or step changes nothing", () => {
  const run = new ScriptedRun();
  run.start("w0", "w1");
  run.report("w0", { attempt: 1 });
  run.report("w0", { step: 2 });
  run.report("w0", { generation: 9 });
  expect(run.state.step!.reports.size).toBe(0);
});

test("links that could not be dialled become relay pairs, from the side that would have listened", () => {
  const run = new ScriptedRun();
  run.join("w0");
  run.join("w1");
  run.ready("w0");
  run.ready("w1");
  run.links("w0");
  run.links("w1", { blocked: [0] });
  expect(run.last("w0", "routes")!.relayPairs).toEqual([[0, 1]]);
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

test("a replica outvoted by a strict majority is named and one of the majority saves the state", () => {
  const run = new ScriptedRun({ minWorkers: 3, maxWorkers: 3 });
  run.start("w0", "w1", "w2");
  run.step();
  run.report("w0", { previous: { stateHash: hashB, gradNorm: null, learningRate: null } });
  run.report("w1");
  run.report("w2");
  expect(run.last("w1", "checkpointRequest")).toMatchObject({ step: 1 });
  expect(run.last("w0", "stop")!.status).toBe("failed");
  run.checkpointDone("w1");
  run.written();
  expect(run.summary!.error!.message).toMatch(/^replicas: worker "w0" holds other bits of the state after step 1/);
  expect(run.summary!.error!.message).toContain("The checkpoint of step 1 is there");
});

test("a gradient that differs ends the run at the state before it, which all still share", () => {
  const run = new ScriptedRun();
  run.start("w0", "w1");
  run.step();
  run.report("w0");
  run.report("w1", { gradientHash: hashB });
  expect(run.state.committedStep).toBe(1);
  expect(run.last("w0", "checkpointRequest")).toMatchObject({ step: 1 });
});

test("states that differ after the last step are found although no step follows", () => {
  const run = new ScriptedRun({ stopStep: 1 });
  run.start("w0", "w1");
  run.step();
  run.applied("w0", hashA);
  run.applied("w1", hashB);
  expect(run.summary).toMatchObject({ status: "failed", error: { code: "E_REPLICAS_DIFFER" } });
});

test("a checkpoint whose state is not the replicas' is not written", () => {
  const run = new ScriptedRun({ stopStep: 1 });
  run.start("w0", "w1");
  run.step();
  run.applied("w0");
  run.applied("w1");
  run.checkpointDone("w0", hashB);
  expect(run.writes).toEqual([]);
  expect(run.summary!.error!.code).toBe("E_REPLICAS_DIFFER");
});

test("a checkpoint that cannot be written fails the last step and only warns before it", () => {
  const run = new ScriptedRun({ stopStep: 2, checkpointIntervalSteps: 1 });
  run.start("w0", "w1");
  for (const expected of [1, 2]) {
    run.step();
    run.applied("w0");
    run.applied("w1");
    run.evaluated("w0");
    run.evaluated("w1");
    run.checkpointDone("w0");
    run.event({ kind: "checkpointWriteFailed", step: expected, message: "no space left on device" });
  }
  expect(run.types()).toContain("checkpointFailed");
  expect(run.summary).toMatchObject({ status: "failed", error: { code: "E_CHECKPOINT_WRITE" } });
  expect(run.summary!.error!.message).toContain("no space left on device");
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
