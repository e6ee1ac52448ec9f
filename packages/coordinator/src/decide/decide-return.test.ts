import { expect, test } from "vitest";
import type { RunHistory, RunPlan } from "../state/run-plan.js";
import { nextDeadlineMs } from "./decide.js";
import { hashA, hashB, ScriptedRun } from "./scripted-run.testkit.js";

const gradient = { sha256: "d".repeat(64), byteLength: 40 };
const held = (step: number, reported: number | null = null, stateHash = hashA) => ({
  runId: "run",
  term: 1,
  step,
  stateHash,
  reported: reported === null ? null : { step: reported, gradientHash: hashB },
});

/** A worker that held a state before says so, and is ready at once. */
function comeBack(run: ScriptedRun, id: string, step: number, past = held(step)): void {
  run.join(id, { held: past });
  run.ready(id, { state: { step, stateHash: past.stateHash } });
}

function takenUp(change: Partial<RunHistory> = {}, plan: Partial<RunPlan> = {}): ScriptedRun {
  const history: RunHistory = {
    generation: 4,
    committedStep: 8,
    metrics: undefined,
    members: ["w0", "w1"],
    storedSteps: [5],
    evaluations: new Map(),
    best: undefined,
    strikes: new Map(),
    banned: new Map(),
    ...change,
  };
  return new ScriptedRun({ startStep: 5, stopStep: 20, history, ...plan });
}

test("a lost worker that comes back behind the run gets a snapshot and the gradients since, while the others go on", () => {
  const run = new ScriptedRun({ stopStep: 99 });
  run.start("w0", "w1");
  run.step();
  run.leave("w1");
  run.linkAll();
  for (let i = 0; i < 4; i++) run.step();
  comeBack(run, "w1", 1);
  run.step();
  expect(run.last("w0", "commit")).toMatchObject({ step: 6, snapshotRank: 0, gradientRank: 0, next: { step: 7 } });
  run.step();
  run.checkpointDone("w0");
  // Nothing is written: it was for the one that catches up.
  expect(run.writes).toEqual([]);
  expect(run.last("w1", "restore")).toMatchObject({ step: 6, stateHash: hashA });
  run.say("w0", { name: "gradientStored", body: { step: 7, gradient } });
  expect(run.last("w1", "applyGradient")).toEqual({ step: 7, gradient });
  expect(run.state.workers.get("w1")).toMatchObject({ status: "joining", sentStep: 7 });
});

test("a worker that comes back level with the run is a member again after one pause, with its old identity", () => {
  const run = new ScriptedRun({ stopStep: 99 });
  run.start("w0", "w1");
  run.step();
  run.leave("w1");
  run.linkAll();
  comeBack(run, "w1", 1);
  expect(run.events.find(({ type }) => type === "returned")).toMatchObject({ workerId: "w1", heldStep: 1 });
  expect(run.last("w1", "restore")).toBeUndefined();
  run.step();
  expect(run.last("w0", "commit")).toMatchObject({ step: 2, next: null, snapshotRank: null, gradientRank: 0 });
  run.applied("w0");
  run.say("w0", { name: "gradientStored", body: { step: 2, gradient } });
  expect(run.last("w1", "applyGradient")).toEqual({ step: 2, gradient });
  expect(run.state).toMatchObject({ phase: "following", generation: 2 });
  run.say("w1", { name: "level", body: { step: 2, stateHash: hashA } });
  expect(run.state).toMatchObject({ phase: "linking", generation: 3, members: ["w0", "w1"] });
  run.linkAll();
  expect(run.last("w1", "assign")!.assignment).toMatchObject({ step: 3, generation: 3, attempt: 0 });
  expect(run.covered()).toEqual([0, 1, 2, 3]);
  run.step();
  // Nobody catches up any more: what was kept for it goes.
  expect(run.released).toEqual([gradient.sha256]);
  expect(run.last("w0", "commit")).toMatchObject({ step: 3, snapshotRank: null, gradientRank: null });
});

test("all members are lost and come back: the run goes on where it was", () => {
  const run = new ScriptedRun({ minWorkersToGoOn: 2, stopStep: 99 });
  run.start("w0", "w1");
  run.step();
  run.step();
  run.leave("w0");
  run.leave("w1");
  expect(run.state).toMatchObject({ phase: "rendezvous", committedStep: 2, members: [] });
  comeBack(run, "w1", 2);
  expect(run.state.phase).toBe("rendezvous");
  comeBack(run, "w0", 2);
  expect(run.state).toMatchObject({ phase: "linking", generation: 2, members: ["w1", "w0"] });
  run.linkAll();
  expect(run.last("w0", "assign")!.assignment).toMatchObject({ step: 3, generation: 2 });
  expect(run.covered()).toEqual([0, 1, 2, 3]);
});

test("survivors that wait say what they hold; who has the reported gradient of the last step applies it", () => {
  const run = new ScriptedRun({ minWorkersToGoOn: 2, stopStep: 99 });
  run.start("w0", "w1");
  run.step();
  run.report("w0");
  run.leave("w1");
  run.applied("w0");
  expect(run.state).toMatchObject({ phase: "rendezvous", committedStep: 2 });
  run.say("w0", { name: "level", body: { step: 2, stateHash: hashA } });
  comeBack(run, "w1", 1, held(1, 2));
  expect(run.last("w1", "applyKept")).toEqual({ step: 2, gradientHash: hashB });
  expect(run.state.phase).toBe("rendezvous");
  run.say("w1", { name: "level", body: { step: 2, stateHash: hashA } });
  expect(run.state).toMatchObject({ phase: "linking", members: ["w0", "w1"] });
});

test("the stragglers of a run taken up again are waited for from when the first came back, and no longer", () => {
  const run = takenUp();
  run.nowMs = 1_000;
  comeBack(run, "w0", 8);
  expect(nextDeadlineMs(run.state)).toBeLessThanOrEqual(4_000);
  run.tick(3_999);
  expect(run.state).toMatchObject({ phase: "rendezvous", isSettled: false });
  run.tick(4_000);
  expect(run.state).toMatchObject({ phase: "linking", committedStep: 8, generation: 5, members: ["w0"] });
  expect(run.journal.some(({ kind }) => kind === "rewind")).toBe(false);
  // The other one comes after all.
  comeBack(run, "w1", 8);
  expect(run.state.workers.get("w1")!.status).toBe("joining");
  expect(run.state.committedStep).toBe(8);
});

test("all members that the journal knows are back: nobody is waited for", () => {
  const run = takenUp();
  comeBack(run, "w0", 8);
  comeBack(run, "w1", 8);
  expect(run.state).toMatchObject({ phase: "linking", committedStep: 8, generation: 5, members: ["w0", "w1"] });
  expect(run.beginsAt).toEqual([8]);
  expect(run.last("w0", "startGeneration")!.generation).toBe(5);
  expect(run.journal).toContainEqual({
    kind: "membership",
    term: 1,
    generation: 5,
    members: [
      { workerId: "w0", name: "w0" },
      { workerId: "w1", name: "w1" },
    ],
  });
});

test("nobody comes back: fresh workers begin with the checkpoint, and the steps after it are done again", () => {
  const run = takenUp();
  run.join("new0");
  run.ready("new0");
  run.tick(10_000);
  // One is less than minWorkers, which a run without its members needs.
  expect(run.state.phase).toBe("rendezvous");
  run.join("new1");
  run.ready("new1");
  expect(run.state).toMatchObject({ phase: "linking", committedStep: 5, members: ["new0", "new1"] });
  expect(run.beginsAt).toEqual([5]);
  expect(run.journal).toContainEqual({ kind: "rewind", step: 5 });
});

test("a fresh worker beside one that came back gets the run's state", () => {
  const run = takenUp({ members: ["w0"] });
  run.join("new0");
  run.ready("new0", { state: { step: 5, stateHash: hashB } });
  comeBack(run, "w0", 8);
  expect(run.state).toMatchObject({ committedStep: 8, members: ["w0"] });
  expect(run.state.workers.get("new0")!.status).toBe("joining");
  expect(run.last("w0", "checkpointRequest")).toMatchObject({ step: 8 });
  run.checkpointDone("w0");
  expect(run.last("new0", "restore")).toMatchObject({ step: 8, stateHash: hashA });
});

test("returning members that hold different bits of the largest step end the run and say who holds what", () => {
  const run = takenUp({}, { joinFailure: "refuse" });
  run.join("w0", { held: held(8) });
  run.join("w1", { held: held(8, null, hashB) });
  run.ready("w0", { state: { step: 8, stateHash: hashA } });
  run.ready("w1", { state: { step: 8, stateHash: hashB } });
  // The second is refused when its ready is compared with the first one's.
  expect(run.last("w1", "refused")!.code).toBe("E_INITIAL_STATE");
  expect(run.closed).toEqual(["w1"]);
});

test("a last step whose line was never written gets it when its run is taken up again", () => {
  const metrics = {
    step: 8,
    loss: 1.25,
    learningRate: null,
    gradNorm: null,
    samplesPerSec: 1,
    stepMs: 1,
    computeMs: 1,
    commMs: 1,
    worldSize: 2,
    generation: 4,
    bytesSent: 1,
  };
  const run = takenUp({ metrics });
  comeBack(run, "w0", 8);
  comeBack(run, "w1", 8);
  run.linkAll();
  run.step();
  expect(run.metrics).toEqual([{ ...metrics, gradNorm: 0.5, learningRate: 0.01 }]);
  const behind = takenUp({ metrics });
  comeBack(behind, "w0", 7);
  comeBack(behind, "w1", 7);
  behind.linkAll();
  behind.step();
  expect(behind.metrics).toEqual([]);
});

test.each([
  ["evaluated already", new Map([[8, 0.5]]), false],
  ["not evaluated yet", new Map<number, number>(), true],
])("a run that died after its last step, %s, is finished by those who come back", (_, evaluations, isEvaluated) => {
  const run = takenUp({ evaluations }, { stopStep: 8 });
  comeBack(run, "w0", 8);
  comeBack(run, "w1", 8);
  // What they cannot say again is not asked: the grid comes with their ready.
  expect(run.state.phase).toBe("following");
  expect(run.last("w0", "evaluate") !== undefined).toBe(isEvaluated);
  if (isEvaluated) for (const id of ["w0", "w1"]) run.evaluated(id);
  expect(run.last("w0", "checkpointRequest")).toMatchObject({ step: 8 });
  run.checkpointDone("w0");
  run.written();
  expect(run.summary).toMatchObject({ status: "completed", steps: 8, evalLoss: isEvaluated ? 2 : 0.5 });
  expect(run.last("w1", "stop")!.status).toBe("completed");
});

test("strikes and bans outlive the coordinator", () => {
  const run = takenUp(
    { strikes: new Map([["w1", 2]]), banned: new Map([["w2", { name: "w2", reason: "lied" }]]) },
    { maxWorkers: 3, joinFailure: "refuse" },
  );
  run.join("w2", { held: held(8) });
  expect(run.last("w2", "refused")).toMatchObject({ code: "E_BANNED" });
  expect(run.last("w2", "refused")!.message).toContain("lied");
  comeBack(run, "w0", 8);
  comeBack(run, "w1", 8);
  run.linkAll();
  run.event({ kind: "violated", workerId: "w1", what: "a frame of 2 bytes" });
  expect(run.last("w1", "refused")).toMatchObject({ code: "E_BANNED" });
  expect(run.state).toMatchObject({ generation: 6, members: ["w0"] });
});
