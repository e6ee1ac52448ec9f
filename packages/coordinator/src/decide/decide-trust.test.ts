import { expect, test } from "vitest";
import { hashB, ScriptedRun } from "./scripted-run.testkit.js";

test("values that are not finite are computed by another worker; if it has finite ones, the first gets a strike", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.start("w0", "w1");
  run.step();
  const failed = { step: 2, generation: 1, attempt: 0, code: "E_NOT_FINITE", message: "NaN", tensor: null };
  run.say("w0", { name: "stepFailed", body: { ...failed, accusedId: "w1", node: [2, 4] } });
  const { assignment } = run.state.step!;
  expect(assignment).toMatchObject({ attempt: 1, nodesByRank: [expect.arrayContaining([[0, 2]]), []] });
  expect(run.covered()).toEqual([0, 1, 2, 3]);
  run.step();
  expect(run.state.committedStep).toBe(2);
  expect(run.state.strikes.get("w1")).toBe(1);
});

test("values that are not finite for two workers end the run with their words and the state before the step (L6)", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.start("w0", "w1");
  run.step();
  const failed = { step: 2, generation: 1, code: "E_NOT_FINITE", tensor: "wte" };
  run.say("w1", {
    name: "stepFailed",
    body: { ...failed, attempt: 0, message: "loss is NaN", accusedId: "w1", node: [2, 4] },
  });
  run.say("w0", {
    name: "stepFailed",
    body: { ...failed, attempt: 1, message: "loss is NaN here too", accusedId: "w0", node: [2, 3] },
  });
  expect(run.state.ending).toMatchObject({ code: "E_NOT_FINITE" });
  expect(run.state.ending!.message).toContain("loss is NaN here too");
  expect(run.last("w0", "checkpointRequest")).toMatchObject({ step: 1 });
});

test("refused frames are strikes, the third one a ban; a banned worker is not let in again", () => {
  const run = new ScriptedRun({ minWorkers: 3, maxWorkers: 3, stopStep: 9 });
  run.start("w0", "w1", "w2");
  for (let attempt = 0; attempt < 3; attempt++) {
    const body = { step: 1, generation: 1, attempt, code: "E_FRAME_REFUSED", message: "twice", tensor: null };
    run.say("w0", { name: "stepFailed", body: { ...body, accusedId: "w2", node: null } });
  }
  expect(run.types().filter((type) => type === "strike")).toHaveLength(3);
  expect(run.last("w2", "refused")).toMatchObject({ code: "E_BANNED" });
  expect(run.state.members).toEqual(["w0", "w1"]);
  expect(run.journal.find(({ kind }) => kind === "ban")).toMatchObject({ workerId: "w2" });
  run.join("w2");
  expect(run.last("w2", "refused")).toMatchObject({ code: "E_BANNED" });
});

test("a link that breaks makes the members dial anew, and is replaced by the relay when it breaks again", () => {
  const run = new ScriptedRun({ stopStep: 9 });
  run.start("w0", "w1");
  for (const generation of [1, 2]) {
    const body = { step: 1, generation, attempt: 0, code: "E_PEER_LOST", message: "gone", tensor: null };
    run.say("w0", { name: "stepFailed", body: { ...body, accusedId: "w1", node: null } });
    expect(run.state).toMatchObject({ phase: "linking", generation: generation + 1, members: ["w0", "w1"] });
    run.linkAll();
  }
  expect(run.last("w0", "routes")!.relayPairs).toHaveLength(2);
});

test("a node of unusual norm is computed again; equal bits are accepted, other ones decided by a third computation", () => {
  const run = new ScriptedRun({ minWorkers: 3, maxWorkers: 3, stopStep: 999 });
  run.start("w0", "w1", "w2");
  while (run.state.recentNorms.length < 40) run.step();
  const nodes = run.state.step!.assignment.nodesByRank;
  const [lo, hi] = nodes[1]![0]!;
  const huge = { nodeSquares: [[lo, hi, 1e12]] as [number, number, number][] };
  run.report("w0");
  run.report("w1", huge);
  run.report("w2");
  expect(run.events.at(-1)!.reason).toContain("times the usual one");
  expect(run.state.step!.assignment.nodesByRank[1]).not.toContainEqual([lo, hi]);
  const k = run.state.step!.assignment.step;
  run.step();
  expect(run.events.find(({ type }) => type === "outlier")!.reason).toContain("equal bits");
  expect(run.state.committedStep).toBe(k);
  expect(run.state.strikes.size).toBe(0);
  run.report("w0");
  run.report("w1", huge);
  run.report("w2");
  for (const id of ["w0", "w1", "w2"]) run.report(id, { gradientHash: hashB });
  for (const id of ["w0", "w1", "w2"]) run.report(id, { gradientHash: hashB });
  expect(run.state.committedStep).toBe(k + 1);
  expect(run.state.strikes.size).toBe(1);
});

test("an audit has another worker compute a node again", () => {
  const trust = { auditRate: 1, outlierFactor: 20, maxStrikes: 3 };
  const run = new ScriptedRun({ stopStep: 9, trust });
  run.start("w0", "w1");
  const before = run.state.step!.assignment.nodesByRank;
  run.step();
  expect(run.events.at(-1)!.reason).toContain("audited");
  const after = run.state.step!.assignment.nodesByRank;
  expect(after).not.toEqual(before);
  expect(run.covered()).toEqual([0, 1, 2, 3]);
  run.step();
  expect(run.types()).toContain("audited");
  expect(run.state.committedStep).toBe(1);
});
