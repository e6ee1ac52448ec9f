/** @file The loss scale of members that compute in 16 bits: who is sent it, how it falls and grows, what is written about it. */
import { expect, test } from "vitest";
import { defaultLossScaling } from "../state/run-plan.js";
import { nextLossScale } from "./loss-scale.js";
import { hashB, ScriptedRun } from "./scripted-run.testkit.js";

const half = "webgpu:acme/one:f16";
const offered = { numericClasses: ["strict", "fused", half] };
const computed = { numericClass: half, probe: { hash: hashB, tensors: [{ name: "w", hash: hashB }] } };

/** w0 on a CPU, w1 on a GPU that stores in 16 bits. */
function mixedRun(plan: ConstructorParameters<typeof ScriptedRun>[0] = {}) {
  const run = new ScriptedRun({ stopStep: 9, ...plan });
  run.join("w0");
  run.join("w1", offered);
  run.ready("w0");
  run.ready("w1", computed);
  run.linkAll();
  return run;
}

function stepWith(run: ScriptedRun, overflows: [number, number][]): void {
  run.nowMs += 100;
  run.report("w0");
  run.report("w1", { overflows });
}

test("assignments name the scale only where a member computes in 16 bits", () => {
  const plain = new ScriptedRun();
  plain.start("w0", "w1");
  plain.step();
  expect([plain.last("w0", "assign")!.assignment, plain.last("w0", "commit")!.next]).toEqual([
    expect.not.objectContaining({ lossScale: expect.anything() }),
    expect.not.objectContaining({ lossScale: expect.anything() }),
  ]);
  const run = mixedRun();
  expect(run.last("w0", "assign")!.assignment.lossScale).toBe(65_536);
  run.step();
  expect(run.last("w0", "commit")!.next!.lossScale).toBe(65_536);
});

test("an overflow lowers the scale of the next step to the least that was needed, with a line for every halving", () => {
  const run = mixedRun();
  stepWith(run, [
    [2, 16_384],
    [3, 32_768],
  ]);
  expect(run.state.committedStep).toBe(1);
  expect(run.last("w1", "commit")!.next!.lossScale).toBe(16_384);
  const lines = run.events.filter(({ type }) => type === "overflow");
  expect(
    lines.map(({ ofStep, microBatch, lossScale, nextLossScale, workerId }) => [
      ...[ofStep, microBatch, lossScale, nextLossScale, workerId],
    ]),
  ).toEqual([
    [1, 2, 65_536, 32_768, "w1"],
    [1, 2, 32_768, 16_384, "w1"],
    [1, 3, 65_536, 32_768, "w1"],
  ]);
  expect(lines[0]!.reason).toContain("micro-batch 2");
  expect(run.events.filter(({ type }) => type === "lossScale")).toMatchObject([{ lossScale: 16_384 }]);
  expect(run.journal.filter(({ kind }) => kind === "lossScale")).toEqual([
    { kind: "lossScale", step: 1, lossScale: 16_384 },
  ]);
});

test("another attempt at a step keeps its scale, and so do its micro-batches when a worker is lost", () => {
  const run = mixedRun({ minWorkersToGoOn: 1 });
  stepWith(run, [[3, 256]]);
  expect(run.state.step!.assignment.lossScale).toBe(256);
  run.leave("w0");
  run.linkAll();
  expect(run.state.step!.assignment).toMatchObject({ step: 2, lossScale: 256 });
});

test("after enough clean steps it doubles, up to the maximum", () => {
  const run = mixedRun({ lossScaling: { initial: 4, growthSteps: 2, max: 8 } });
  const scales: (number | undefined)[] = [];
  for (let step = 1; step <= 6; step++) {
    scales.push(run.state.step!.assignment.lossScale);
    stepWith(run, step === 4 ? [[3, 2]] : []);
  }
  expect(scales).toEqual([4, 4, 8, 8, 2, 2]);
  expect(run.state.step!.assignment.lossScale).toBe(4);
});

test.each([
  ["no overflow, too early", { value: 8, sinceStep: 3 }, { step: 202, least: 8 }, { value: 8, sinceStep: 3 }],
  ["200 clean steps", { value: 8, sinceStep: 3 }, { step: 203, least: 8 }, { value: 16, sinceStep: 203 }],
  [
    "an overflow begins the count anew",
    { value: 8, sinceStep: 3 },
    { step: 203, least: 1 },
    { value: 1, sinceStep: 203 },
  ],
  ["at the maximum", { value: 2 ** 24, sinceStep: 0 }, { step: 999, least: 2 ** 24 }, { value: 2 ** 24, sinceStep: 0 }],
] as const)("%s", (_what, now, at, expected) => {
  expect(nextLossScale(now, { ...at, policy: defaultLossScaling })).toEqual(expected);
});

test("a run that is taken up again has the scale of the step it goes on from", () => {
  const history = {
    ...{ generation: 3, committedStep: 7, metrics: undefined, members: [], storedSteps: [7], best: undefined },
    ...{ evaluations: new Map(), strikes: new Map(), banned: new Map() },
    lossScales: new Map([
      [2, 4_096],
      [5, 1_024],
      [8, 512],
    ]),
  };
  const run = new ScriptedRun({ startStep: 7, history, stopStep: 9, minWorkers: 1, maxWorkers: 1 });
  run.join("w1", offered);
  run.ready("w1", computed);
  run.tick(run.state.plan.timeouts.returnMs + 1_000);
  run.linkAll();
  expect(run.state.step!.assignment).toMatchObject({ step: 8, lossScale: 1_024 });
  expect(run.state.lossScale).toEqual({ value: 1_024, sinceStep: 5 });
});
