import { expect, test } from "vitest";
import { hashB, ScriptedRun } from "./scripted-run.testkit.js";

test("a worker lost in the middle of a step ends the run: the survivor saves the last committed state", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.start("w0", "w1");
  run.step();
  run.leave("w0", "its connection closed (1006)");
  expect(run.last("w1", "checkpointRequest")).toMatchObject({ step: 1, generation: 1 });
  run.checkpointDone("w1");
  run.written();
  expect(run.summary).toMatchObject({ status: "failed", steps: 1, error: { code: "E_WORKER_LOST" } });
  expect(run.summary!.error!.message).toMatchInlineSnapshot(
    `"run: worker "w0" was lost in step 2 (its connection closed (1006)); every worker must stay until the run ends. The checkpoint of step 1 is there. Go on from it with --resume."`,
  );
  expect(run.last("w1", "stop")).toMatchObject({ status: "failed", code: "E_WORKER_LOST" });
});

test("with three workers the survivors that save nothing stop at once", () => {
  const run = new ScriptedRun({ stopStep: 9, minWorkers: 3, maxWorkers: 3 });
  run.start("w0", "w1", "w2");
  run.step();
  run.leave("w1");
  expect(run.last("w2", "stop")).toMatchObject({ status: "failed" });
  expect(run.last("w0", "stop")).toBeUndefined();
});

test("a step that every survivor reported alike counts, although its worker is gone", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.start("w0", "w1");
  run.step();
  run.report("w1");
  run.leave("w0");
  expect(run.last("w1", "commit")).toMatchObject({ step: 2, next: null });
  expect(run.last("w1", "checkpointRequest")).toMatchObject({ step: 2 });
  run.applied("w1");
  run.checkpointDone("w1");
  run.written();
  expect(run.summary!.steps).toBe(2);
  expect(run.metrics.map(({ step, loss }) => [step, loss])).toEqual([
    [1, 2.5],
    [2, null],
  ]);
});

test("a worker lost before any commit leaves nothing to save, and the message says so", () => {
  const run = new ScriptedRun();
  run.start("w0", "w1");
  run.leave("w1");
  expect(run.summary!.error!.message).toContain("No step was committed, and no checkpoint is there.");
});

test.each(["rendezvous", "linking", "following"] as const)("a worker lost in %s ends the run and is named", (phase) => {
  const run = new ScriptedRun({ stopStep: 5, evalIntervalSteps: 1 });
  run.join("w0");
  run.join("w1");
  if (phase !== "rendezvous") {
    run.ready("w0");
    run.ready("w1");
  }
  if (phase === "following") {
    run.links("w0");
    run.links("w1");
    run.step();
  }
  expect(run.state.phase).toBe(phase);
  run.leave("w1");
  if (phase === "following") {
    run.checkpointDone("w0");
    run.written();
  }
  expect(run.summary).toMatchObject({ status: "failed", error: { code: "E_WORKER_LOST" } });
  expect(run.summary!.error!.message).toContain('worker "w1"');
});

test("a worker that has given all of the last step is not missed", () => {
  const run = new ScriptedRun({ stopStep: 1 });
  run.start("w0", "w1");
  run.step();
  run.applied("w1");
  run.evaluated("w1");
  run.leave("w1");
  run.applied("w0");
  run.evaluated("w0");
  run.checkpointDone("w0");
  run.written();
  expect(run.summary).toMatchObject({ status: "completed", steps: 1 });
});

test("the one that streams the scheduled checkpoint is lost: another one streams it", () => {
  const run = new ScriptedRun({ stopStep: 1 });
  run.start("w0", "w1");
  run.step();
  run.applied("w1");
  run.leave("w0");
  expect(run.last("w1", "checkpointRequest")).toMatchObject({ step: 1 });
});

test("the one that streams the last checkpoint of a failing run is lost too: the run ends without it and says so", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.start("w0", "w1");
  run.step();
  run.leave("w0");
  run.leave("w1");
  expect(run.types()).toContain("checkpointFailed");
  expect(run.summary!.error!.message).toContain("no checkpoint is there");
});

test("a checkpoint of a failing run that does not come is given up after its deadline", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.start("w0", "w1");
  run.step();
  run.leave("w0");
  run.tick(run.nowMs + 10_000);
  expect(run.summary!.status).toBe("failed");
  expect(run.last("w1", "stop")!.code).toBe("E_WORKER_LOST");
});

test("a loss that is not finite ends the run with the worker's words and the state before the step", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.start("w0", "w1");
  run.step();
  run.step();
  const message = "loss: micro-batch 2 of step 3 is NaN; it must be finite.";
  run.say("w1", {
    name: "workerError",
    body: { phase: "step", code: "E_NOT_FINITE", message, step: 3, tensor: "wte", isStateIntact: true },
  });
  expect(run.last("w0", "checkpointRequest")).toMatchObject({ step: 2 });
  run.checkpointDone("w0");
  run.written();
  expect(run.summary!.error!.code).toBe("E_NOT_FINITE");
  expect(run.summary!.error!.message).toContain(message);
  expect(run.summary!.steps).toBe(2);
});

test("a single worker with a bad loss still saves its own intact state", () => {
  const run = new ScriptedRun({ minWorkers: 1, maxWorkers: 1, stopStep: 9 });
  run.start("w0");
  run.step();
  run.say("w0", {
    name: "workerError",
    body: { phase: "step", code: "E_NOT_FINITE", message: "loss is NaN", step: 2, tensor: null, isStateIntact: true },
  });
  expect(run.last("w0", "checkpointRequest")).toMatchObject({ step: 1 });
});

test("a step that nobody ends in time names those that did not report", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.start("w0", "w1");
  run.step();
  run.report("w0");
  run.tick(run.state.deadlineMs - 1);
  expect(run.state.phase).toBe("stepping");
  run.tick(run.state.deadlineMs);
  expect(run.state.ending).toMatchObject({ code: "E_STEP_TIMEOUT" });
  expect(run.state.ending!.message).toContain('worker "w1"');
  expect(run.state.ending!.message).not.toContain('worker "w0"');
  expect(run.last("w0", "checkpointRequest")).toMatchObject({ step: 1 });
});

test("the deadline of a step follows the slowest recent one", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.start("w0", "w1");
  expect(run.state.deadlineMs).toBe(600_000);
  run.nowMs = 30_000;
  run.report("w0");
  run.report("w1");
  expect(run.state.deadlineMs).toBe(30_000 + 20 * 30_000);
});

test("links that are not reported in time end the run", () => {
  const run = new ScriptedRun();
  run.join("w0");
  run.join("w1");
  run.ready("w0");
  run.ready("w1");
  run.links("w0");
  run.tick(30_000);
  expect(run.summary!.error).toMatchObject({ code: "E_LINK_TIMEOUT" });
  expect(run.summary!.error!.message).toContain('worker "w1"');
});

test("what follows a commit has a deadline too, and names what is missing", () => {
  const run = new ScriptedRun({ stopStep: 1 });
  run.start("w0", "w1");
  run.step();
  run.applied("w0");
  run.tick(run.state.deadlineMs);
  expect(run.state.ending!.message).toContain('worker "w1" did not apply its update');
});

test("Ctrl-C ends the run after the current step with a checkpoint", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.start("w0", "w1");
  run.step();
  run.event({ kind: "stop", reason: "Ctrl-C" });
  run.step();
  expect(run.last("w0", "commit")).toMatchObject({
    step: 2,
    next: null,
    checkpointRank: 0,
    evaluate: null,
    isLast: true,
  });
  run.follow();
  expect(run.summary).toMatchObject({ status: "interrupted", steps: 2 });
  expect(run.summary!.error).toBeUndefined();
  expect(run.writes).toEqual([2]);
});

test("Ctrl-C during an evaluation saves the state after it", () => {
  const run = new ScriptedRun({ stopStep: 9, evalIntervalSteps: 1 });
  run.start("w0", "w1");
  run.step();
  run.event({ kind: "stop", reason: "Ctrl-C" });
  run.follow();
  expect(run.last("w0", "checkpointRequest")).toMatchObject({ step: 1 });
  run.checkpointDone("w0");
  run.written();
  expect(run.summary).toMatchObject({ status: "interrupted", steps: 1 });
});

test("Ctrl-C before the first step stops at once, a second one stops without waiting", () => {
  const early = new ScriptedRun();
  early.join("w0");
  early.event({ kind: "stop", reason: "Ctrl-C" });
  expect(early.summary!.status).toBe("interrupted");

  const late = new ScriptedRun({ stopStep: 9 });
  late.start("w0", "w1");
  late.step();
  late.event({ kind: "stop", reason: "Ctrl-C" });
  late.event({ kind: "abort", reason: "Ctrl-C twice" });
  expect(late.summary).toMatchObject({ status: "interrupted", steps: 1 });
  expect(late.last("w1", "stop")!.status).toBe("interrupted");
});

test("a majority may not be outvoted by a replica that left", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.start("w0", "w1");
  run.report("w0", { gradientHash: hashB });
  run.leave("w0");
  expect(run.state.committedStep).toBe(0);
  expect(run.summary!.error!.code).toBe("E_WORKER_LOST");
});
