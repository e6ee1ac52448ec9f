import { expect, test } from "vitest";
import type { RunPlan } from "../state/run-plan.js";
import { hashA, hashB, planWith, ScriptedRun } from "./scripted-run.testkit.js";

const checkpoints = { intervalSteps: 2, intervalMs: 0, keepsBest: false, keepLast: 1 };
const sha = "c".repeat(64);

/** Two workers train to step 5; the checkpoints of steps 2 and 4 are written. */
function trained(plan: Partial<RunPlan> = {}): ScriptedRun {
  const run = new ScriptedRun({ stopStep: 99, checkpoints, maxWorkers: 3, ...plan });
  run.start("w0", "w1");
  for (let k = 1; k <= 5; k++) {
    run.step();
    if (run.state.snapshot !== undefined) {
      run.checkpointDone(run.state.snapshot.writerId);
      run.step();
      run.written();
      k++;
    }
  }
  expect(run.state).toMatchObject({ phase: "stepping", committedStep: 5 });
  return run;
}

function loseAll(run: ScriptedRun): void {
  for (const id of [...run.state.workers.keys()]) run.leave(id);
}

/** A new worker, in the initial state. */
function arrive(run: ScriptedRun, id: string, stateHash = hashB): void {
  run.join(id);
  run.ready(id, { state: { step: 0, stateHash } });
}

test("all are lost: the line says who is awaited and until when", () => {
  const run = trained();
  loseAll(run);
  expect(run.state.phase).toBe("rendezvous");
  const line = run.events.findLast(({ type }) => type === "waiting")!;
  expect(line.reason).toBe(
    'nobody who holds the state after step 5 is here; worker "w0" and worker "w1" may come back with it; after 3 s a new worker makes the run go on from the checkpoint of step 4; the run waits up to 300 s (--join-timeout)',
  );
  expect(line).toMatchObject({ step: 5, waitMs: 300_000, awaited: ["w0", "w1"] });
});

test("a new worker is given the newest checkpoint once nobody came back, and the step after it is computed again", () => {
  const run = trained();
  loseAll(run);
  const lostMs = run.nowMs;
  run.tick(lostMs + 1_000);
  arrive(run, "new");
  run.tick(lostMs + 2_999);
  expect(run.last("new", "restore")).toBeUndefined();
  run.tick(lostMs + 3_000);
  expect(run.last("new", "restore")).toMatchObject({ step: 4, stateHash: hashA, files: [{ sha256: sha }] });
  expect([run.offered, run.beginsAt]).toEqual([[4], [4]]);
  expect(run.journal).toContainEqual({ kind: "rewind", step: 4 });
  expect(run.events.findLast(({ type }) => type === "resumed")).toMatchObject({ step: 4, lostSteps: 1 });
  run.say("new", { name: "level", body: { step: 4, stateHash: hashA } });
  expect(run.state).toMatchObject({ phase: "linking", generation: 3, members: ["new"] });
  run.linkAll();
  expect(run.last("new", "assign")!.assignment).toMatchObject({ step: 5, generation: 3 });
  run.step();
  expect(run.state).toMatchObject({ committedStep: 5, origin: { step: 0, stateHash: hashA } });
});

test("without a checkpoint a new worker begins with what the run began with", () => {
  const run = trained({ checkpoints: { ...checkpoints, intervalSteps: 0 } });
  loseAll(run);
  arrive(run, "new", hashA);
  run.tick(run.nowMs + 3_000);
  expect(run.last("new", "restore")).toBeUndefined();
  expect(run.state).toMatchObject({ phase: "linking", committedStep: 0, members: ["new"] });
  expect(run.beginsAt).toEqual([0]);
});

test("a new worker whose initial state has other bits than the run's does not begin it again", () => {
  const run = trained({ checkpoints: { ...checkpoints, intervalSteps: 0 } });
  loseAll(run);
  arrive(run, "new", hashB);
  run.tick(run.nowMs + 299_000);
  expect(run.state).toMatchObject({ phase: "rendezvous", committedStep: 5 });
  run.tick(run.nowMs + 2_000);
  expect(run.summary!.error).toMatchObject({ code: "E_JOIN_TIMEOUT" });
  expect(run.summary!.error!.message).toContain("nobody who holds the state after step 5 came back");
});

test("a member that comes back in time keeps the run's state: nothing is computed again, the new one gets it too", () => {
  const run = trained();
  loseAll(run);
  arrive(run, "new");
  run.tick(run.nowMs + 2_000);
  run.join("w1", { held: { runId: "run", term: 1, step: 5, stateHash: hashA, reported: null } });
  run.tick(run.nowMs + 2_000);
  expect(run.state).toMatchObject({ phase: "rendezvous", committedStep: 5 });
  run.ready("w1", { state: { step: 5, stateHash: hashA } });
  expect(run.state).toMatchObject({ phase: "linking", committedStep: 5, members: ["w1"] });
  expect(run.beginsAt).toEqual([]);
  expect(run.last("w1", "checkpointRequest")).toMatchObject({ step: 5 });
});

test("a member that comes back too late, with a step that the run has not reached again, gets the run's state", () => {
  const run = trained();
  loseAll(run);
  arrive(run, "new");
  run.tick(run.nowMs + 3_000);
  run.say("new", { name: "level", body: { step: 4, stateHash: hashA } });
  run.linkAll();
  run.join("w0", { held: { runId: "run", term: 1, step: 9, stateHash: hashA, reported: null } });
  run.ready("w0", { state: { step: 9, stateHash: hashA } });
  expect(run.last("w0", "restore")).toMatchObject({ step: 4 });
});

test("somebody who was catching up holds a newer state than the checkpoint: the run goes on from that", () => {
  const run = trained();
  run.join("late");
  run.ready("late");
  for (let k = 6; k <= 7; k++) run.step();
  // Step 6 is a checkpoint as well, whose write is slow.
  run.checkpointDone("w0");
  expect(run.last("late", "restore")).toMatchObject({ step: 6 });
  run.say("late", { name: "level", body: { step: 6, stateHash: hashA } });
  run.step();
  const { committedStep } = run.state;
  expect(committedStep).toBe(8);
  for (const id of ["w0", "w1"]) run.leave(id);
  run.tick(run.nowMs + 4_000);
  // The write is still under way.
  expect(run.state.committedStep).toBe(8);
  run.event({ kind: "checkpointWriteFailed", step: 6, message: "no space" });
  expect(run.state).toMatchObject({ committedStep: 6, members: ["late"], phase: "linking" });
  expect(run.events.findLast(({ type }) => type === "resumed")!.reason).toContain('worker "late" holds it');
  expect(run.offered).toEqual([]);
});

test("nobody comes: the wait ends with its own code", () => {
  const run = trained();
  loseAll(run);
  run.tick(run.nowMs + 299_999);
  expect(run.state.phase).toBe("rendezvous");
  run.tick(run.nowMs + 1);
  expect(run.summary!.error).toMatchObject({ code: "E_JOIN_TIMEOUT" });
});

test("as long as there is no checkpoint, who joins is told the weights that the run began with", () => {
  const initFrom = { sha256: sha, byteLength: 9 };
  const welcome = { ...planWith().welcome, initFrom };
  const run = new ScriptedRun({ stopStep: 99, checkpoints, maxWorkers: 4, welcome });
  run.start("w0", "w1");
  run.step();
  run.join("early");
  expect(run.last("early", "welcome")).toMatchObject({ initFrom, resume: null });
  run.step();
  run.checkpointDone("w0");
  run.step();
  run.written();
  run.join("later");
  expect(run.last("later", "welcome")).toMatchObject({ initFrom: null, resume: null });
});

test("the best state that was lost before it was stored is stored when it comes again", () => {
  const run = new ScriptedRun({
    stopStep: 99,
    evalIntervalSteps: 1,
    checkpoints: { ...checkpoints, intervalSteps: 0, keepsBest: true },
  });
  run.start("w0", "w1");
  run.step();
  for (const id of ["w0", "w1"]) run.applied(id);
  for (const id of ["w0", "w1"]) run.evaluated(id);
  expect(run.state.best).toMatchObject({ step: 1, isStored: false });
  loseAll(run);
  arrive(run, "new", hashA);
  run.tick(run.nowMs + 3_000);
  run.linkAll();
  run.step();
  run.applied("new");
  run.evaluated("new");
  run.checkpointDone("new");
  expect(run.writes).toEqual([1]);
});
