import { losses, metrics } from "@lockstep/core";
import { expect, test } from "vitest";
import { assertJob } from "../job/assert-job.js";
import { defineJob } from "../job/define-job.js";
import { jobMetrics } from "../job/job-metrics.js";
import { parseJobConfig } from "../job/parse-config.js";
import { evaluatedMessages } from "../session/evaluated-messages.js";
import { tinyMlpJob } from "./tiny-jobs.testkit.js";
import { prepared } from "./training-engine.testkit.js";

const { streaming } = metrics;

const measuredJob = {
  ...tinyMlpJob,
  name: "measured",
  metrics: () => ({ mse: streaming.meanSquaredError(), r2: streaming.r2Score(), auc: streaming.rocAucScore() }),
  evaluate(model: unknown, batch: unknown, own: Record<string, metrics.Metric<unknown[], number>>) {
    const { x, y } = batch as { x: import("@lockstep/core").Tensor; y: import("@lockstep/core").Tensor };
    const prediction = (model as { forward(x: unknown): typeof y }).forward(x);
    own.mse!.update(y, prediction);
    own.r2!.update(y, prediction);
    own.auc!.update(y.select(1, 0).gt(0), prediction.select(1, 0));
    return losses.mseLoss(prediction, y);
  },
} as unknown as typeof tinyMlpJob;

test("every micro-batch gives a state, and the values are the same bits whoever evaluated which", () => {
  const engine = prepared(measuredJob);
  const valuesOf = jobMetrics(measuredJob, parseJobConfig(measuredJob, {}))!.valuesOf;
  const statesOf = (results: ReturnType<typeof engine.evaluate>) => results.map(([, , , state]) => state!);
  const whole = valuesOf(statesOf(engine.evaluate({ lo: 0, hi: 3 })));
  expect(Object.keys(whole)).toEqual(["mse", "r2", "auc"]);
  const results = engine.evaluate({ lo: 0, hi: 3 });
  const loss =
    results.reduce((sum, [, part]) => sum + part, 0) / results.reduce((sum, [, , weight]) => sum + weight, 0);
  expect(whole.mse).toBeCloseTo(loss, 6);
  const other = prepared(measuredJob);
  const shared = [
    ...engine.evaluate({ lo: 2, hi: 3 }),
    ...other.evaluate({ lo: 1, hi: 2 }),
    ...engine.evaluate({ lo: 0, hi: 1 }),
  ];
  expect(valuesOf(statesOf(shared))).toEqual(whole);
});

test("a job without metrics gives no states", () => {
  expect(prepared(tinyMlpJob).evaluate({ lo: 0, hi: 1 })[0]!.length).toBe(3);
  expect(jobMetrics(tinyMlpJob, parseJobConfig(tinyMlpJob, {}))).toBeUndefined();
});

test("large states travel in several messages, each with whole micro-batches", () => {
  const place = { step: 1, generation: 2, evalMs: 3 };
  const results = [0, 1, 2, 3].map((m): [number, number, number, Uint8Array<ArrayBuffer>] => [
    m,
    m,
    1,
    new Uint8Array(400_000),
  ]);
  const messages = evaluatedMessages(place, results);
  expect(messages.map((message) => message.losses.map(([m]) => m))).toEqual([
    [0, 1],
    [2, 3],
  ]);
  expect(messages.map((message) => message.states!.map(([m]) => m))).toEqual([
    [0, 1],
    [2, 3],
  ]);
  expect(evaluatedMessages(place, [])).toEqual([{ ...place, losses: [] }]);
  expect(evaluatedMessages(place, [[5, 1, 2]])).toEqual([{ ...place, losses: [[5, 1, 2]] }]);
});

test("a state too large to send is an error that names the metrics", () => {
  const evaluate = (_model: unknown, { x, y }: never, own: { kept: metrics.Metric<[], number> }) => {
    own.kept.update();
    return losses.mseLoss(y, y ?? x);
  };
  const kept = () =>
    new metrics.Metric<[], number>({
      name: "kept",
      mode: "max",
      measure: () => ({ rows: [new Array<number>(200_000).fill(0)] }),
      value: () => 0,
    });
  const job = { ...tinyMlpJob, metrics: () => ({ kept: kept() }), evaluate } as unknown as typeof tinyMlpJob;
  expect(() => prepared(job).evaluate({ lo: 1, hi: 2 })).toThrow(
    expect.objectContaining({ code: "E_METRIC_STATE", fields: expect.objectContaining({ microBatch: 1 }) }),
  );
});

test("what bestMetric and the job's metrics may be is checked before anything starts", () => {
  const config = (change: object) => parseJobConfig(measuredJob, change as Record<string, unknown>);
  expect(jobMetrics(measuredJob, config({ bestMetric: "auc" }))!.bestBy).toEqual({ metric: "auc", mode: "max" });
  expect(jobMetrics(measuredJob, config({ bestMetric: "mse" }))!.bestBy).toEqual({ metric: "mse", mode: "min" });
  expect(jobMetrics(measuredJob, config({ bestMetric: "mse", bestMode: "max" }))!.bestBy!.mode).toBe("max");
  expect(jobMetrics(measuredJob, config({}))!.bestBy).toBeUndefined();
  expect(() => jobMetrics(measuredJob, config({ bestMetric: "acc" }))).toThrow(
    expect.objectContaining({ code: "E_CONFIG", fields: { bestMetric: "acc", names: ["mse", "r2", "auc"] } }),
  );
  const wrong = (made: unknown) => ({ ...tinyMlpJob, metrics: () => made }) as unknown as typeof tinyMlpJob;
  for (const made of [{ a: 1 }, { loss: streaming.r2Score() }, { "a b": streaming.r2Score() }, 3]) {
    expect(() => jobMetrics(wrong(made), config({}))).toThrow(expect.objectContaining({ code: "E_JOB_METRICS" }));
  }
  expect(() => assertJob({ ...tinyMlpJob, metrics: () => ({}) }, "job.ts")).toThrow(/metrics\(\) and no evaluate\(\)/);
});

test("the types of a job's metrics reach its evaluate()", () => {
  const job = defineJob({
    name: "typed",
    data: tinyMlpJob.data,
    model: tinyMlpJob.model,
    loss: tinyMlpJob.loss,
    optimizer: tinyMlpJob.optimizer,
    schedule: tinyMlpJob.schedule,
    metrics: () => ({ accuracy: streaming.accuracyScore() }),
    evaluate: (model, batch, own) => {
      // @ts-expect-error there is no such metric
      own.precision;
      own.accuracy.update([1], [1]);
      return tinyMlpJob.loss(model, batch as never);
    },
  });
  expect(Object.keys(job.metrics!(parseJobConfig(tinyMlpJob, {})))).toEqual(["accuracy"]);
});
