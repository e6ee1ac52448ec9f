/** @file Workers whose gradients come from a GPU: who is let in, who is compared with whom, who audits whom. */
import { expect, test } from "vitest";
import { hashA, hashB, ScriptedRun } from "./scripted-run.testkit.js";

const gpu = "webgpu:acme/one";
const offered = { numericClasses: ["strict", "fused", gpu] };
/** A GPU's probe has other bits than a CPU's. */
const computed = { numericClass: gpu, probe: { hash: hashB, tensors: [{ name: "w", hash: hashB }] } };

/** Members in the order of `classes`; a ready worker of class "strict" has the probe of all CPUs. */
function runOf(classes: readonly ("cpu" | "gpu")[], plan: ConstructorParameters<typeof ScriptedRun>[0] = {}) {
  const run = new ScriptedRun({ minWorkers: classes.length, maxWorkers: classes.length, stopStep: 9, ...plan });
  for (const [i, kind] of classes.entries()) run.join(`w${i}`, kind === "gpu" ? offered : {});
  for (const [i, kind] of classes.entries()) run.ready(`w${i}`, kind === "gpu" ? computed : {});
  run.linkAll();
  return run;
}

test("a GPU trains beside a CPU; that L1 is off is said once", () => {
  const run = runOf(["cpu", "gpu", "gpu"]);
  expect(run.state.members).toEqual(["w0", "w1", "w2"]);
  run.step();
  expect(run.state.committedStep).toBe(1);
  const notices = run.events.filter(({ reason }) => reason.includes("L1 is off"));
  expect(notices).toMatchObject([{ type: "notice", workerId: "w1", numericClass: gpu }]);
});

test("L6 a device that was lost and opened anew stands in the events, with step and micro-batch", () => {
  const run = runOf(["cpu", "gpu"]);
  const notice = { microBatch: 3, code: "E_DEVICE_LOST", message: "the device was lost; another is opened" };
  run.report("w1", { notices: [notice] });
  run.report("w0");
  expect(run.state.committedStep).toBe(1);
  expect(run.events.filter(({ code }) => code === "E_DEVICE_LOST")).toMatchObject([
    {
      type: "notice",
      workerId: "w1",
      step: 1,
      microBatch: 3,
      reason: 'worker "w1": the device was lost; another is opened',
    },
  ]);
});

test("a GPU is refused with the reason where the run asks for a CPU class, before it prepares anything", () => {
  const run = new ScriptedRun({ admitsDevices: false, joinFailure: "refuse" });
  run.join("w0", offered);
  expect(run.last("w0", "welcome")).toBeUndefined();
  expect(run.last("w0", "refused")).toMatchObject({ code: "E_NUMERIC_CLASS" });
  expect(run.last("w0", "refused")!.message).toContain("--numeric strict");
});

test("a worker that says it is a CPU and computes on a GPU is refused where none is admitted", () => {
  const run = new ScriptedRun({ admitsDevices: false, joinFailure: "refuse" });
  run.join("w0");
  run.ready("w0", computed);
  expect(run.last("w0", "refused")).toMatchObject({ code: "E_NUMERIC_CLASS" });
});

test("probes are compared within a class, whoever was ready first", () => {
  const run = new ScriptedRun({ minWorkers: 3, maxWorkers: 3, joinFailure: "refuse" });
  for (const id of ["w0", "w1", "w2"]) run.join(id, offered);
  run.ready("w0");
  run.ready("w1", computed);
  run.ready("w2", { ...computed, probe: { hash: hashA, tensors: [{ name: "w", hash: hashA }] } });
  expect(run.last("w1", "refused")).toBeUndefined();
  expect(run.last("w2", "refused")).toMatchObject({ code: "E_PROBE" });
  expect(run.last("w2", "refused")!.message).toContain("w1");
});

test.each([[["cpu", "gpu", "cpu"]], [["gpu", "cpu", "gpu"]], [["gpu", "gpu", "cpu"]]] as const)(
  "%j: an audit is made by a worker of the class that computed",
  (classes) => {
    const trust = { auditRate: 1, outlierFactor: 20, maxStrikes: 3 };
    const run = runOf(classes, { trust });
    for (let step = 1; step <= 6; step++) {
      const before = run.state.step!.assignment;
      for (const id of run.state.members) if (run.state.step?.assignment === before) run.report(id);
      const { verification, assignment } = run.state.step!;
      expect(verification).toBeDefined();
      const isAudited = ([lo, hi]: readonly [number, number]) => lo === verification!.lo && hi === verification!.hi;
      const [first, second] = [before, assignment].map(({ nodesByRank }) =>
        nodesByRank.findIndex((own) => own.some(isAudited)),
      );
      expect(classes[second!]).toBe(classes[first!]);
      run.step();
      expect(run.state.committedStep).toBe(step);
    }
  },
);
