import { expect, test } from "vitest";
import { ScriptedRun } from "./scripted-run.testkit.js";

/** Metrics whose states are one byte a micro-batch: the value is their digits in the order they are given in. */
const metricValues = (states: readonly Uint8Array[]) => ({ digits: Number(states.map(([byte]) => byte).join("")) });
const body = { step: 1, generation: 1, evalMs: 1 };
const losses = (...places: number[]) => places.map((m): [number, number, number] => [m, 6, 3]);
const states = (...pairs: [number, number][]) =>
  pairs.map(([m, byte]): [number, Uint8Array<ArrayBuffer>] => [m, Uint8Array.of(byte)]);

/** A run that evaluates micro-batch 0 on w0, and 1 and 2 on w1. */
function evaluating(change: ConstructorParameters<typeof ScriptedRun>[0] = {}): ScriptedRun {
  const run = new ScriptedRun({ stopStep: 9, evalIntervalSteps: 1, metricValues, ...change });
  run.start("w0", "w1");
  run.step();
  run.applied("w0");
  run.applied("w1");
  return run;
}

test("states are put in the order of the micro-batches, and values stand in the step's line, the event and the summary", () => {
  const run = evaluating();
  expect(run.metrics).toEqual([]);
  run.say("w1", { name: "evaluated", body: { ...body, losses: losses(1), states: states([1, 8]) } });
  run.say("w1", { name: "evaluated", body: { ...body, losses: losses(2), states: states([2, 9]) } });
  expect(run.state.follow!.evaluating!.has("w1")).toBe(false);
  run.say("w0", { name: "evaluated", body: { ...body, losses: losses(0), states: states([0, 7]) } });
  expect(run.metrics.at(-1)).toMatchObject({ step: 1, evalLoss: 2, metrics: { digits: 789 }, gradNorm: 0.25 });
  expect(run.events.find(({ type }) => type === "evaluated")).toMatchObject({
    reason: "step 1: held-out loss 2.0000, digits 789.0000",
    metrics: { digits: 789 },
  });
  run.event({ kind: "stop", reason: "enough" });
  run.step();
  run.follow();
  run.checkpointDone("w0");
  run.written();
  expect(run.state.metricValues).toEqual({ digits: 789 });
});

test("only what a lost worker had not said yet is given to another one", () => {
  const run = evaluating();
  run.say("w1", { name: "evaluated", body: { ...body, losses: losses(1), states: states([1, 8]) } });
  run.leave("w1");
  expect(run.last("w0", "evaluate")!.ranges).toEqual([[2, 3]]);
  run.say("w0", { name: "evaluated", body: { ...body, losses: losses(0, 2), states: states([0, 7], [2, 9]) } });
  expect(run.metrics.at(-1)).toMatchObject({ metrics: { digits: 789 } });
});

test("a metric can say which state is best, the greatest or the least", () => {
  for (const [mode, isBest] of [
    ["max", [true, false, true]],
    ["min", [true, true, false]],
  ] as const) {
    const checkpoints = {
      intervalSteps: 0,
      intervalMs: 0,
      keepsBest: true,
      keepLast: 0,
      bestBy: { metric: "digits", mode },
    };
    const run = evaluating({ checkpoints });
    [5, 3, 6].forEach((digit, i) => {
      if (i > 0) {
        run.step();
        for (const id of run.state.members) run.applied(id);
      }
      const at = { ...body, step: i + 1, generation: run.state.generation };
      run.say("w0", { name: "evaluated", body: { ...at, losses: losses(0), states: states([0, digit]) } });
      run.say("w1", { name: "evaluated", body: { ...at, losses: losses(1, 2), states: states([1, 0], [2, 0]) } });
    });
    expect(run.events.filter(({ type }) => type === "evaluated").map((event) => event.isBest)).toEqual(isBest);
    expect(run.state.best).toMatchObject({ step: mode === "max" ? 3 : 2, value: mode === "max" ? 600 : 300 });
    const reasons = run.last("w0", "checkpointRequest")!.reason;
    expect(reasons).toBe("the best digits so far");
  }
});

test("a state that is missing, a metric without a value, and states that are too large end the run and say why", () => {
  const missing = evaluating();
  missing.say("w0", { name: "evaluated", body: { ...body, losses: losses(0) } });
  missing.say("w1", { name: "evaluated", body: { ...body, losses: losses(1, 2), states: states([1, 0], [2, 0]) } });
  expect(missing.state.ending).toMatchObject({ code: "E_METRICS" });
  expect(missing.state.ending!.message).toContain("micro-batch 0 of 3 came without its state");

  const none = evaluating({
    metricValues: () => {
      throw new Error("rocAucScore: there must be some of both");
    },
  });
  none.say("w0", { name: "evaluated", body: { ...body, losses: losses(0), states: states([0, 1]) } });
  none.say("w1", { name: "evaluated", body: { ...body, losses: losses(1, 2), states: states([1, 0], [2, 0]) } });
  expect(none.state.ending!.message).toBe("evaluation of step 1: rocAucScore: there must be some of both");

  const large = evaluating();
  const huge: [number, Uint8Array<ArrayBuffer>][] = [[0, new Uint8Array(200 << 20)]];
  large.say("w0", { name: "evaluated", body: { ...body, losses: losses(0), states: huge } });
  expect(large.state.ending).toMatchObject({ code: "E_METRIC_STATE" });
});
