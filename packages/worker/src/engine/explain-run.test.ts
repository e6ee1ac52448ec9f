import { createCpuBackend, nn, type Tensor, tensor, withBackend } from "@lockstep/core";
import { afterAll, describe, expect, test } from "vitest";
import { assertJob } from "../job/assert-job.js";
import { createJobFiles } from "../job/job-files.js";
import { parseJobConfig } from "../job/parse-config.js";
import { buildTraining } from "./build-training.js";
import { chooseSamples, explainRun } from "./explain-run.js";
import { tinyMlpJob } from "./tiny-jobs.testkit.js";

const backend = createCpuBackend();
afterAll(() => backend.dispose());

interface Batch {
  readonly x: Tensor;
  readonly y: Tensor;
}

/** Two scores of three columns, by fixed weights: what is expected can be computed by hand. */
class Scores extends nn.Module {
  readonly fc = new nn.Linear(3, 2, { bias: false });
  forward(x: Tensor): Tensor {
    return this.fc.forward(x);
  }
}

const rows = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 2],
  [1, 1, -1],
  [0, -2, 0],
];
const labels = [0, 1, 0, 1, 1];

function trainingOf(explain: unknown, rest: object = {}) {
  const dataset = {
    size: rows.length,
    batch: (samples: readonly { readonly index: number }[]): Batch => ({
      x: tensor(samples.map(({ index }) => rows[index]!)),
      y: tensor(
        samples.map(({ index }) => labels[index]!),
        { dtype: "i32" },
      ),
    }),
  };
  const job = {
    ...tinyMlpJob,
    name: "shown",
    training: { globalBatchSize: 4, microBatchSize: 2, totalSteps: 2 },
    data: () => ({ train: dataset, eval: dataset }),
    model: () => new Scores(),
    explain,
    ...rest,
  } as unknown as typeof tinyMlpJob;
  const source = { job, config: parseJobConfig(job, {}), seed: 1, files: createJobFiles([]), backend };
  const training = buildTraining(source);
  withBackend(backend, () =>
    training.model.loadStateDict({
      "fc.weight": tensor([
        [1, 2, 3],
        [0, 4, -1],
      ]),
    }),
  );
  return training;
}

const columns = (model: Scores, { x, y }: Batch) => ({
  kind: "columns",
  inputs: x,
  targets: y,
  outputs: (inputs: Tensor) => model.forward(inputs),
  classNames: ["no", "yes"],
  pieces: [["a", "b", "c"]],
});

describe("explainRun", () => {
  test("predicts all evaluation data, and explains the worst mistakes first", () => {
    // Scores: [1, 0], [2, 4], [6, -2], [0, 5], [-4, -8].
    const training = trainingOf(columns);
    const shown = explainRun(training, { numSamples: 3 })!;
    expect(shown).toMatchObject({ kind: "columns", isClassifier: true, classNames: ["no", "yes"], targets: labels });
    expect(shown.predictions.map(({ value }) => value)).toEqual([0, 1, 0, 1, 0]);
    expect(shown.predictions[0]!.probabilities![0]).toBeCloseTo(Math.E / (Math.E + 1), 6);
    expect(shown.samples.map(({ index }) => index)).toEqual([4, 0, 1]);
    const [wrong] = shown.samples;
    expect(wrong).toMatchObject({ target: 1, prediction: { value: 0 }, pieces: ["a", "b", "c"], attention: undefined });
    expect([...wrong!.inputs.values]).toEqual([0, -2, 0]);
    expect([...wrong!.gradientTimesInput.values]).toEqual([0, -4, 0]);
    expect([...wrong!.integratedGradients.values]).toEqual([0, -4, 0]);
    expect(wrong!.completeness).toEqual({ expected: -4, found: -4 });
  });

  test("leaves the model as it was: no gradients, the same parameters to train", () => {
    const training = trainingOf(columns);
    explainRun(training);
    const [weight] = training.model.parameters();
    expect([weight!.requiresGrad, weight!.grad]).toEqual([true, undefined]);
  });

  test("sums the attributions of tokens over their features, and crops padding from attention", () => {
    const weights = [
      [
        [
          [1, 0, 0],
          [0.5, 0.5, 0],
          [0.2, 0.3, 0.5],
        ],
      ],
    ];
    const tokens = (model: Scores, { x, y }: Batch) => ({
      kind: "tokens",
      inputs: x.reshape([x.shape[0]!, 3, 1]).mul(tensor([1, 1])),
      targets: y,
      outputs: (inputs: Tensor) => model.forward(inputs.sum(2)),
      pieces: Array.from({ length: x.shape[0]! }, () => ["to", "be"]),
      attention: () => tensor(Array.from({ length: x.shape[0]! }, () => weights[0]!)),
    });
    const [first] = explainRun(trainingOf(tokens), { numSamples: 1 })!.samples;
    expect(first!.index).toBe(4);
    expect(first!.gradientTimesInput).toEqual({ shape: [3], values: Float32Array.of(0, -8, 0) });
    expect(first!.attention).toEqual({ shape: [1, 2, 2], values: Float32Array.of(1, 0, 0.5, 0.5) });
  });

  test("says nothing of a job that offers nothing", () => {
    expect(explainRun(trainingOf(undefined))).toBeUndefined();
  });

  const bad: readonly [what: string, change: object | (() => unknown), part: string][] = [
    ["no object", () => 3, "gave 3; it must give { kind"],
    ["an unknown kind", { kind: "sound" }, 'kind "sound", which is not one of image, columns, tokens'],
    ["inputs of another rank", { kind: "image" }, 'inputs f32 [2, 3] for kind "image"'],
    ["targets of another length", { targets: tensor([1]) }, "targets f32 [1]"],
    ["outputs that are no function", { outputs: 3 }, "outputs of type number"],
    ["names that are no texts", { classNames: [1, 2] }, "classNames that are not a list of texts"],
    ["names for other columns", { pieces: [["a"]] }, "pieces of 1 names for 3 columns"],
    ["names for other classes", { classNames: ["a"] }, "1 classNames for outputs f32 [2, 2]"],
    ["scores and f32 targets", { targets: tensor([0, 1]) }, "scores of classes need i32 targets"],
    ["a target that is no class", { targets: tensor([0, 2], { dtype: "i32" }) }, "a target is 2"],
  ];
  test.each(bad)("refuses %s, with what it was", (_what, change, part) => {
    const explain = (model: Scores, batch: Batch) =>
      typeof change === "function" ? (change as () => unknown)() : { ...columns(model, batch), ...change };
    const refused = { code: "E_JOB_EXPLAIN", message: expect.stringContaining(part) };
    expect(() => explainRun(trainingOf(explain))).toThrow(expect.objectContaining(refused));
  });
  test("refuses an explain that is no function before anything is called", () => {
    expect(() => assertJob({ ...tinyMlpJob, explain: 3 }, "job.ts")).toThrow("has a explain that is not a function");
  });
});

test("chooseSamples takes values by their error, half of them, then others in order", () => {
  const predictions = [0, 5, 1, 2].map((value) => ({ value, probabilities: undefined }));
  expect(chooseSamples({ targets: [0, 1, 1, 0], predictions, numSamples: 3 })).toEqual([1, 3, 0]);
  expect(chooseSamples({ targets: [0, 5, 1, 2], predictions, numSamples: 2 })).toEqual([0, 1]);
});
