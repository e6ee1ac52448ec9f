/** @file Every optimizer, and what a job can ask of the update, over several workers: the same bits, and the same after a resume. */
import { type nn, optim, schedules, type Tensor } from "@lockstep/core";
import { describe, expect, test } from "vitest";
import { tinyGptJob, tinyMlpJob } from "../engine/tiny-jobs.testkit.js";
import { createEngine, prepared, reducedOf, trainAlone } from "../engine/training-engine.testkit.js";
import { assertJob } from "../job/assert-job.js";
import type { AnyJob } from "../job/define-job.js";
import { runJob } from "./simulated-job.testkit.js";

const steps = 4;
type Make = (model: nn.Module) => optim.Optimizer;

const optimizers: Readonly<Record<string, Make>> = {
  Sgd: (model) => new optim.Sgd(model.parameters(), { momentum: 0.9, dampening: 0.1, weightDecay: 0.1 }),
  Adagrad: (model) => new optim.Adagrad(model.parameters(), { learningRateDecay: 0.1, initialAccumulator: 0.1 }),
  Adadelta: (model) => new optim.Adadelta(model.parameters()),
  RmsProp: (model) => new optim.RmsProp(model.parameters(), { centered: true, momentum: 0.9 }),
  Adam: (model) => new optim.Adam(model.parameters(), { amsgrad: true, l1: 0.01 }),
  AdamW: (model) =>
    new optim.AdamW(
      optim.parameterGroups(model, [{ match: optim.isBiasOrNorm, weightDecay: 0, learningRateScale: 2 }]),
    ),
  Adamax: (model) => new optim.Adamax(model.parameters()),
  Nadam: (model) => new optim.Nadam(model.parameters()),
  Lion: (model) => new optim.Lion(model.parameters(), { weightDecay: 0.1 }),
  Muon: (model) => new optim.Muon(model.parameters(), { weightDecay: 0.1 }),
};

/** A run on three workers, and the same stopped after two steps and resumed on one. */
async function threeWaysEqual(job: AnyJob): Promise<string> {
  const one = await runJob(job, 1, { steps });
  const three = await runJob(job, 3, { steps });
  expect([one.errors, three.errors]).toEqual([[], []]);
  expect(three.paramsSha256).toBe(one.paramsSha256);
  expect(three.stateHashes).toEqual(one.stateHashes);
  expect(three.evalLoss).toBe(one.evalLoss);
  const half = await runJob(job, 3, { steps: 2 });
  const rest = await runJob(job, 1, { steps: steps - 2, restore: { step: 2, files: half.checkpoint } });
  expect(rest.errors).toEqual([]);
  expect(rest.paramsSha256).toBe(one.paramsSha256);
  expect(rest.stateHashes.at(-1)).toBe(one.stateHashes.at(-1));
  expect(rest.evalLoss).toBe(one.evalLoss);
  return one.paramsSha256!;
}

describe("L1 L4 the same bits with 1 and 3 workers and after a resume", () => {
  test("every optimizer has a row here", () => {
    const isOptimizer = (value: unknown): boolean =>
      typeof value === "function" && value.prototype instanceof optim.Optimizer;
    expect(
      Object.entries(optim)
        .flatMap(([name, value]) => (isOptimizer(value) ? [name] : []))
        .sort(),
    ).toEqual(Object.keys(optimizers).sort());
  });

  const found = new Set<string>();
  test.each(Object.keys(optimizers))("%s", async (name) => {
    found.add(await threeWaysEqual({ ...tinyMlpJob, optimizer: (_config, model) => optimizers[name]!(model) }));
    expect(found.size).toBe(Object.keys(optimizers).indexOf(name) + 1);
  });

  test("Muon on embeddings, attention and norms", async () => {
    await threeWaysEqual({
      ...tinyGptJob,
      optimizer: (_config, model) =>
        new optim.Muon(optim.parameterGroups<optim.MuonSettings>(model, [{ match: "tokens", method: "adamW" }])),
    });
  });

  test("an average of the weights, clipping by value and by norm", async () => {
    const job: AnyJob = {
      ...tinyMlpJob,
      training: { ...tinyMlpJob.training, maxGradValue: 0.05, maxGradNorm: 0.1 },
      ema: { decay: 0.5 },
    };
    expect(await threeWaysEqual(job)).not.toBe(await threeWaysEqual({ ...job, training: tinyMlpJob.training! }));
  });
});

describe("an average of the weights", () => {
  const job: AnyJob = { ...tinyMlpJob, ema: { decay: 0.5, warmup: false } };
  const values = (tensors: Iterable<readonly [string, Tensor]>) => [...tensors].map(([, t]) => [...t.dataSync()]);

  test("is the formula's, changes no weight, and is what is evaluated", () => {
    const [engine, plain] = [prepared(job), prepared(tinyMlpJob)];
    const { model, average } = engine.training;
    const expected = values(model.namedParameters());
    for (let step = 1; step <= 3; step++) {
      trainAlone(engine, step, step);
      for (const [i, weights] of values(model.namedParameters()).entries()) {
        for (const [k, weight] of weights.entries()) {
          expected[i]![k] = Math.fround(Math.fround(0.5 * expected[i]![k]!) + Math.fround(0.5 * weight));
        }
      }
    }
    trainAlone(plain, 1, 3);
    expect(values(average!.namedState())).toEqual(expected);
    expect(engine.exportState().paramsSha256).toBe(plain.exportState().paramsSha256);
    const before = engine.exportState().files.map(({ sha256 }) => sha256);
    const ofAverages = engine.evaluate({ lo: 0, hi: 3 });
    expect(ofAverages).not.toEqual(plain.evaluate({ lo: 0, hi: 3 }));
    expect(engine.exportState().files.map(({ sha256 }) => sha256)).toEqual(before);
    average!.swap();
    expect(values(model.namedParameters())).toEqual(expected);
    average!.swap();
  });

  test("travels to a worker that joins, and is refused by a job without one", () => {
    const engine = prepared(job);
    trainAlone(engine, 1, 2);
    const state = engine.exportState();
    const joiner = prepared(job);
    expect(joiner.importState(state)).toEqual({ step: 2, stateHash: state.stateHash });
    expect(trainAlone(joiner, 3, 4)).toBe(trainAlone(engine, 3, 4));
    expect(() => prepared(tinyMlpJob).importState(engine.exportState())).toThrow(
      expect.objectContaining({ code: "E_CHECKPOINT" }),
    );
  });

  test("begins from the weights that a run is started with", () => {
    const trained = prepared(tinyMlpJob);
    trainAlone(trained, 1, 3);
    const initFrom = trained.exportState().files[0]!.bytes;
    const { model, average } = prepared(job, { initFrom }).training;
    expect(values(average!.namedState())).toEqual(values(model.namedParameters()));
  });

  test("is refused when it is no object or its decay is out of range", () => {
    expect(() => assertJob({ ...tinyMlpJob, ema: 0.9 }, "job.ts")).toThrow("has an ema that is no object");
    expect(() => prepared({ ...job, ema: { decay: 1 } })).toThrow("WeightEma: decay is 1; it must be in [0, 1).");
  });
});

describe("frozen parameters", () => {
  const frozen: AnyJob = {
    ...tinyMlpJob,
    model: (config, data) => {
      const model = tinyMlpJob.model(config, data);
      for (const [name, parameter] of model.namedParameters()) {
        if (name.startsWith("fc1")) parameter.requiresGrad = false;
      }
      return model;
    },
  };

  test("have no place in the flat gradient, no state, and stay as they were on any number of workers", async () => {
    const engine = prepared(frozen);
    expect(engine.training.layout.parameters.map(({ name }) => name)).toEqual(["fc2.bias", "fc2.weight"]);
    expect([...engine.training.optimizer.namedState()].map(([name]) => name)).toEqual([
      "2.firstMoment",
      "2.secondMoment",
      "3.firstMoment",
      "3.secondMoment",
    ]);
    expect(await threeWaysEqual(frozen)).not.toBe((await runJob(tinyMlpJob, 2, { steps })).paramsSha256);
    const initial = new Map(engine.training.model.namedParameters().map(([name, p]) => [name, [...p.dataSync()]]));
    trainAlone(engine, 1, 4);
    for (const [name, parameter] of engine.training.model.namedParameters()) {
      if (name.startsWith("fc1")) expect([...parameter.dataSync()]).toEqual(initial.get(name));
      else expect([...parameter.dataSync()]).not.toEqual(initial.get(name));
    }
  });

  test("alone are no job", () => {
    const none: AnyJob = {
      ...tinyMlpJob,
      optimizer: (config, model) => {
        const optimizer = tinyMlpJob.optimizer(config, model);
        for (const parameter of model.parameters()) parameter.requiresGrad = false;
        return optimizer;
      },
    };
    expect(() => createEngine(none).prepare()).toThrow(
      expect.objectContaining({ code: "E_JOB_MODEL", fields: { job: "tiny-mlp", numParameters: 4 } }),
    );
  });
});

describe("a learning rate that falls on a plateau", () => {
  const training = { ...tinyMlpJob.training, evalIntervalSteps: 1, totalSteps: 8 };
  const job: AnyJob = {
    ...tinyMlpJob,
    training,
    schedule: () => () => 0.5,
    plateau: { patience: 0, factor: 0.5, threshold: 0.05 },
  };
  const rates = ({ reports }: { reports: readonly { step: number; previous: { learningRate: number | null } }[] }) =>
    [...new Map(reports.map(({ step, previous }) => [step - 1, previous.learningRate]))].filter(([, r]) => r !== null);

  test("falls by the held-out losses, the same with 1 and 3 workers and after a resume", async () => {
    const one = await runJob(job, 1, { steps: 8 });
    const three = await runJob(job, 3, { steps: 8 });
    expect([one.errors, three.errors]).toEqual([[], []]);
    expect(three.stateHashes).toEqual(one.stateHashes);
    const half = await runJob(job, 3, { steps: 4 });
    const rest = await runJob(job, 1, { steps: 4, restore: { step: 4, files: half.checkpoint } });
    expect(rest.paramsSha256).toBe(one.paramsSha256);
    expect(rest.stateHashes.at(-1)).toBe(one.stateHashes.at(-1));
    expect(rates(three)).toEqual(rates(one));
    // What the losses of states 1, 2, ... say, one step later.
    const engine = prepared(job);
    const rule = new schedules.ReduceOnPlateau(job.plateau);
    const expected: [number, number][] = [];
    for (let step = 1; step < 8; step++) {
      if (step > 1) {
        const sums = engine.evaluate({ lo: 0, hi: 3 });
        rule.observe(sums.reduce((total, [, sum]) => total + sum, 0) / 10);
      }
      expected.push([step, 0.5 * rule.factor]);
      trainAlone(engine, step, step);
    }
    expect(rates(one)).toEqual(expected);
    expect(expected.at(-1)![1]).toBeLessThan(0.2);
    expect(expected[1]![1]).toBe(0.5);
  });

  test("looks every evalIntervalSteps, and at the averages where the job keeps them", async () => {
    const rare: AnyJob = { ...job, training: { ...training, evalIntervalSteps: 3 }, ema: { decay: 0.5 } };
    const run = await runJob(rare, 2, { steps: 8 });
    expect(run.errors).toEqual([]);
    expect(run.stateHashes).toEqual((await runJob(rare, 1, { steps: 8 })).stateHashes);
    const engine = prepared(rare);
    trainAlone(engine, 1, 3);
    expect(engine.training.plateau!.state().best).toBeNull();
    const loss = engine.evaluate({ lo: 0, hi: 3 }).reduce((total, [, sum]) => total + sum, 0) / 10;
    trainAlone(engine, 4, 4);
    expect(engine.training.plateau!.state().best).toBeCloseTo(loss, 5);
    // Each of the ten held-out samples once, divided by the step's twenty.
    expect([...reducedOf(engine).slice(-2)]).toEqual([0.5, expect.closeTo(loss / 2, 5)]);
  });

  test("is refused in a job that does not evaluate", () => {
    const message = (changed: AnyJob) => expect(() => createEngine(changed).prepare());
    message({ ...job, training: { ...training, evalIntervalSteps: 0 } }).toThrow(
      'job "tiny-mlp": it has a plateau, evalIntervalSteps 0 and eval data; it must evaluate for its plateau. Set evalIntervalSteps, and return eval data.',
    );
    const train = tinyMlpJob.data({} as never, undefined as never).train;
    message({ ...job, data: () => ({ train }) }).toThrow(
      expect.objectContaining({
        code: "E_JOB_SCHEDULE",
        fields: { job: "tiny-mlp", evalIntervalSteps: 1, hasEvalData: false },
      }),
    );
    expect(() => assertJob({ ...job, plateau: 3 }, "job.ts")).toThrow("has a plateau that is no object");
  });
});
