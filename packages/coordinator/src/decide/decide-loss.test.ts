import { expect, test } from "vitest";
import type { RunHistory } from "../state/run-plan.js";
import { hashA, hashB, ScriptedRun } from "./scripted-run.testkit.js";

test("a worker lost in the middle of a step costs nothing: the survivors keep their nodes and compute the rest", () => {
  const run = new ScriptedRun({ minWorkers: 3, maxWorkers: 3, numMicroBatches: 8, stopStep: 9 });
  run.start("w0", "w1", "w2");
  run.step();
  const before = run.state.step!.assignment.nodesByRank;
  run.leave("w1");
  expect(run.state).toMatchObject({ phase: "linking", generation: 2, members: ["w0", "w2"] });
  run.linkAll();
  const { assignment } = run.state.step!;
  expect(assignment).toMatchObject({ step: 2, generation: 2, attempt: 0 });
  expect(assignment.nodesByRank[0]).toEqual(expect.arrayContaining(before[0]!));
  expect(assignment.nodesByRank[1]).toEqual(expect.arrayContaining(before[2]!));
  expect(run.covered()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  run.step();
  expect(run.state.committedStep).toBe(2);
  expect(run.summary).toBeUndefined();
});

test("a step that every survivor reported alike counts, although its worker is gone", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.start("w0", "w1");
  run.step();
  run.report("w1");
  run.leave("w0");
  expect(run.last("w1", "commit")).toMatchObject({ step: 2, next: null });
  run.applied("w1");
  expect(run.state).toMatchObject({ phase: "linking", generation: 2, members: ["w1"], committedStep: 2 });
  expect(run.metrics.map(({ step, loss }) => [step, loss])).toEqual([
    [1, 2.5],
    [2, null],
  ]);
});

test("below the least number the run waits, says for whom and until when, and goes on when one comes", () => {
  const run = new ScriptedRun({ minWorkersToGoOn: 2, maxWorkers: 3, stopStep: 9 });
  run.start("w0", "w1");
  run.step();
  run.leave("w1");
  expect(run.state.phase).toBe("rendezvous");
  expect(run.last("w0", "notice")).toMatchObject({ code: "WAITING" });
  expect(run.last("w0", "notice")!.message).toContain("1 of at least 2 workers are there (--min-workers)");
  run.say("w0", { name: "level", body: { step: 1, stateHash: hashA } });
  run.join("w2");
  run.ready("w2");
  expect(run.last("w0", "checkpointRequest")).toMatchObject({ step: 1 });
  run.checkpointDone("w0");
  expect(run.last("w2", "restore")).toMatchObject({ step: 1, stateHash: hashA });
  run.say("w2", { name: "level", body: { step: 1, stateHash: hashA } });
  expect(run.state).toMatchObject({ phase: "linking", members: ["w0", "w2"], generation: 2 });
});

test("a run that waits in vain saves what it has and ends with the code of the join timeout", () => {
  const run = new ScriptedRun({ minWorkersToGoOn: 2, stopStep: 9 });
  run.start("w0", "w1");
  run.step();
  run.leave("w1");
  run.say("w0", { name: "level", body: { step: 1, stateHash: hashA } });
  run.tick(run.nowMs + 300_001);
  expect(run.state.ending).toMatchObject({ code: "E_JOIN_TIMEOUT" });
  expect(run.last("w0", "checkpointRequest")).toMatchObject({ step: 1 });
  run.checkpointDone("w0");
  run.written();
  expect(run.summary).toMatchObject({ status: "failed", steps: 1, error: { code: "E_JOIN_TIMEOUT" } });
});

test("a worker lost before the first step ends a run that needs all of them", () => {
  const run = new ScriptedRun();
  run.join("w0");
  run.join("w1");
  run.leave("w1");
  expect(run.summary).toMatchObject({ status: "failed", error: { code: "E_WORKER_LOST" } });
  expect(run.summary!.error!.message).toContain("No step was committed, and no checkpoint is there.");
});

test("a worker lost while the members dial leads to another generation", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.join("w0");
  run.join("w1");
  run.ready("w0");
  run.ready("w1");
  run.leave("w1");
  expect(run.state).toMatchObject({ phase: "linking", generation: 2, members: ["w0"] });
});

test("what a lost worker was evaluating is given to another one", () => {
  const run = new ScriptedRun({ stopStep: 9, evalIntervalSteps: 1 });
  run.start("w0", "w1");
  run.step();
  run.applied("w0");
  run.applied("w1");
  expect(run.last("w0", "evaluate")!.ranges).toEqual([[0, 1]]);
  run.leave("w1");
  expect(run.last("w0", "evaluate")!.ranges).toEqual([[1, 3]]);
  // It says both apart, in whatever order.
  const body = { step: 1, generation: 1, evalMs: 1 };
  run.say("w0", { name: "evaluated", body: { ...body, losses: [[0, 6, 3]] } });
  expect(run.state.phase).toBe("following");
  const rest: [number, number, number][] = [
    [1, 6, 3],
    [2, 6, 3],
  ];
  run.say("w0", { name: "evaluated", body: { ...body, losses: rest } });
  expect(run.events.find(({ type }) => type === "evaluated")).toMatchObject({ evalLoss: 2 });
  expect(run.state.members).toEqual(["w0"]);
});

test("the one that uploads the last checkpoint is lost: another one does it", () => {
  const run = new ScriptedRun({ stopStep: 1 });
  run.start("w0", "w1");
  run.step();
  run.applied("w0");
  run.applied("w1");
  run.leave("w0");
  run.evaluated("w1");
  run.evaluated("w1");
  expect(run.last("w1", "checkpointRequest")).toMatchObject({ step: 1 });
  run.checkpointDone("w1");
  run.written();
  expect(run.summary).toMatchObject({ status: "completed", steps: 1 });
});

test("silence makes a suspect, more of it evicts; a word in time clears", () => {
  const run = new ScriptedRun({ minWorkers: 3, maxWorkers: 3, stopStep: 9 });
  run.start("w0", "w1", "w2");
  run.step();
  const since = run.nowMs;
  run.tick(since + 700, ["w1"]);
  expect(run.types().filter((type) => type === "suspect")).toHaveLength(1);
  run.event({ kind: "heard", workerId: "w1" });
  expect(run.events.at(-1)).toMatchObject({ type: "heard", workerId: "w1" });
  run.tick(run.nowMs + 1_250, ["w1"]);
  expect(run.events.find(({ type }) => type === "evicted")!.reason).toContain('worker "w1"');
  expect(run.closed).toEqual(["w1"]);
  expect(run.state).toMatchObject({ generation: 2, members: ["w0", "w2"] });
});

test("a coordinator that was held up itself blames nobody", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.start("w0", "w1");
  run.step();
  run.nowMs += 60_000;
  run.event({ kind: "tick" });
  expect(run.types()).toContain("late");
  expect(run.types()).not.toContain("evicted");
  expect(run.state.members).toEqual(["w0", "w1"]);
});

test("a step that takes too long evicts whoever keeps it", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.start("w0", "w1");
  run.step();
  const { attempt, generation } = run.state.step!.assignment;
  run.say("w0", { name: "progress", body: { step: 2, generation, attempt, begunNodes: 1, doneMicroBatches: 2 } });
  run.tick(run.nowMs + 20_001);
  expect(run.events.find(({ type }) => type === "evicted")!.reason).toContain('worker "w1"');
  expect(run.state.members).toEqual(["w0"]);
});

test("links that are not reported in time evict the one that owes them", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.join("w0");
  run.join("w1");
  run.ready("w0");
  run.ready("w1");
  run.links("w0");
  run.tick(run.nowMs + 15_001);
  expect(run.state).toMatchObject({ phase: "linking", generation: 2, members: ["w0"] });
});

test("nodes that a straggler has not begun are given to an idle worker", () => {
  const run = new ScriptedRun({ numMicroBatches: 6, stopStep: 99 });
  run.start("w0", "w1");
  run.step();
  run.step();
  const { assignment } = run.state.step!;
  const [straggler, idle] = assignment.nodesByRank[0]!.length > 1 ? [0, 1] : [1, 0];
  const progress = (rank: number, begunNodes: number, doneMicroBatches: number) => {
    const { step, generation, attempt } = assignment;
    const body = { step, generation, attempt, begunNodes, doneMicroBatches };
    run.say(run.state.members[rank]!, { name: "progress", body });
  };
  progress(straggler!, 1, 0);
  progress(idle!, 1, 6);
  run.tick(run.nowMs + 2_000);
  const now = run.state.step!.assignment;
  expect(now.attempt).toBe(1);
  expect(now.nodesByRank[straggler!]).toEqual(assignment.nodesByRank[straggler!]!.slice(0, 1));
  expect(run.covered()).toEqual([0, 1, 2, 3, 4, 5]);
});

test("a worker that cannot go on is left out; a second one that fails alike ends the run", () => {
  const run = new ScriptedRun({ minWorkers: 3, maxWorkers: 3, stopStep: 9 });
  run.start("w0", "w1", "w2");
  run.step();
  const body = {
    phase: "step",
    code: "E_OUT_OF_MEMORY",
    message: "memory is full",
    step: 2,
    tensor: null,
    isStateIntact: true,
  } as const;
  run.say("w2", { name: "workerError", body });
  expect(run.state).toMatchObject({ generation: 2, members: ["w0", "w1"] });
  run.say("w1", { name: "workerError", body });
  expect(run.state.ending).toMatchObject({ code: "E_OUT_OF_MEMORY" });
  expect(run.last("w0", "checkpointRequest")).toMatchObject({ step: 1 });
});

const history = (change: Partial<RunHistory> = {}): RunHistory => ({
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
});
const held = (step: number, reported: number | null = null) => ({
  runId: "run",
  term: 1,
  step,
  stateHash: hashA,
  reported: reported === null ? null : { step: reported, gradientHash: hashB },
});

test("a run that is taken up again goes on from the largest step that a returning worker holds", () => {
  const run = new ScriptedRun({ startStep: 5, stopStep: 20, history: history() });
  run.join("w0", { held: held(7, 8) });
  run.ready("w0", { state: { step: 7, stateHash: hashB } });
  expect(run.state.isSettled).toBe(false);
  run.join("w1", { held: held(8) });
  run.ready("w1", { state: { step: 8, stateHash: hashA } });
  expect(run.beginsAt).toEqual([8]);
  expect(run.state).toMatchObject({ committedStep: 8, generation: 5, members: ["w1"] });
  expect(run.last("w0", "applyKept")).toEqual({ step: 8, gradientHash: hashB });
  run.links("w1");
  expect(run.last("w1", "assign")!.assignment.step).toBe(9);
});

test("members that do not come back are waited for only so long; a step that nobody holds is done again", () => {
  const run = new ScriptedRun({ startStep: 5, stopStep: 20, history: history() });
  run.join("w1", { held: held(7, 8) });
  run.ready("w1", { state: { step: 7, stateHash: hashA } });
  expect(run.state.phase).toBe("rendezvous");
  run.tick(run.nowMs + 3_001);
  expect(run.state).toMatchObject({ committedStep: 7, members: ["w1"] });
  expect(run.journal).toContainEqual({ kind: "rewind", step: 7 });
});

test("Ctrl-C ends the run after the current step with a checkpoint", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.start("w0", "w1");
  run.step();
  run.event({ kind: "stop", reason: "Ctrl-C" });
  run.step();
  expect(run.last("w0", "commit")).toMatchObject({ step: 2, next: null, snapshotRank: 0, isLast: true });
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
  expect(run.summary).toMatchObject({ status: "interrupted", steps: 1 });
  expect(run.writes).toEqual([1]);
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

test("a checkpoint of a failing run that does not come is given up after its deadline", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.start("w0", "w1");
  run.step();
  run.report("w0");
  run.report("w1", { gradientHash: hashB });
  run.tick(run.nowMs + 10_001);
  expect(run.summary!.status).toBe("failed");
  expect(run.last("w1", "stop")!.code).toBe("E_REPLICAS_DIFFER");
});
