import { createCpuBackend, nn, OutOfMemoryError, optim, type Tensor, tensor } from "@lockstep/core";
import { createSampler } from "@lockstep/data";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { type AnyJob, defineJob, type JobDataset } from "../job/define-job.js";
import { tinyGptJob, tinyMlpJob } from "./tiny-jobs.testkit.js";
import { createEngine, neverStop, prepare, prepared, trainAlone } from "./training-engine.testkit.js";

class OneWeight extends nn.Module {
  linear = new nn.Linear(1, 1);
  forward(x: Tensor): Tensor {
    return this.linear.forward(x);
  }
}

interface Values {
  readonly x: Tensor;
}

function valuesOf(size: number, numberAt: (index: number) => number): JobDataset<Values> {
  return { size, batch: (samples) => ({ x: tensor(samples.map(({ index }) => [numberAt(index)])) }) };
}

/** Trains one weight on numbers. */
function numbersJob(
  train: JobDataset<Values>,
  loss: (y: Tensor) => { sum: Tensor; weight: number } = (y) => ({ sum: y.mul(y).sum(), weight: y.shape[0]! }),
): AnyJob {
  return defineJob({
    name: "numbers",
    config: z.object({}),
    training: { globalBatchSize: 4, microBatchSize: 2, totalSteps: 5 },
    data: () => ({ train }),
    model: () => new OneWeight(),
    loss: (model, batch) => loss(model.forward(batch.x)),
    optimizer: (_, model) => new optim.Sgd(model.parameters()),
    schedule: () => () => 0.01,
  });
}

test("a step alone has the bits of a plain division", () => {
  const [divided, alone] = [prepared(tinyGptJob), prepared(tinyGptJob)];
  const hashes = [1, 2, 3].map(() => alone.stepAlone().stateHash);
  expect(hashes).toEqual([1, 2, 3].map((step) => trainAlone(divided, step, step)));
  expect(new Set(hashes).size).toBe(3);
});

describe("L6 nothing silent", () => {
  test("a loss that is NaN at step 3 names step, micro-batch and worker, and the state stays", () => {
    const { index } = createSampler({ seed: 7, size: 512, globalBatchSize: 4, microBatchSize: 2 }).microBatch(2, 1)[0]!;
    const engine = prepared(numbersJob(valuesOf(512, (i) => (i === index ? Number.NaN : 1))));
    const before = trainAlone(engine, 1, 2);
    const failing = () => engine.computeNodes({ step: 3, nodes: [{ lo: 0, hi: 2 }] }, neverStop);
    expect(failing).toThrow(
      expect.objectContaining({
        code: "E_NOT_FINITE",
        fields: expect.objectContaining({ step: 3, microBatch: 1, workerId: "w-a", value: "NaN" }),
      }),
    );
    expect(engine.exportState()).toMatchObject({ step: 2, stateHash: before });
  });

  test("a gradient that is not finite under a finite loss names the parameter", () => {
    const job = numbersJob(
      valuesOf(64, () => 0),
      (y) => ({ sum: y.sub(y).abs().sqrt().sum(), weight: 2 }),
    );
    expect(() => {
      const engine = prepared(job);
      engine.computeNodes({ step: 1, nodes: [{ lo: 0, hi: 2 }] }, neverStop);
    }).toThrow(
      expect.objectContaining({
        code: "E_NOT_FINITE",
        fields: expect.objectContaining({ step: 1, parameter: "linear.weight" }),
      }),
    );
  });

  test("a job without samples, or with a loss of the wrong form, is refused with what it gave", () => {
    expect(() => prepared(numbersJob(valuesOf(0, () => 0)))).toThrow(
      expect.objectContaining({ code: "E_JOB_DATA", fields: { job: "numbers", part: "train", size: 0 } }),
    );
    const vector = numbersJob(
      valuesOf(8, () => 1),
      (y) => ({ sum: y, weight: 2 }),
    );
    expect(() => prepared(vector)).toThrow(expect.objectContaining({ code: "E_JOB_LOSS" }));
  });
});

describe("the probe", () => {
  test("finds a job that uses Math.random in its loss", () => {
    const job = numbersJob(
      valuesOf(64, (i) => i / 64),
      (y) => ({ sum: y.mul(Math.random()).sum(), weight: 2 }),
    );
    expect(() => prepared(job)).toThrow(
      expect.objectContaining({ code: "E_NOT_DETERMINISTIC", fields: expect.objectContaining({ tensor: "the loss" }) }),
    );
  });

  test("finds a job that uses Math.random for its weights", () => {
    class RandomWeights extends OneWeight {
      constructor() {
        super();
        const { bias } = this.linear;
        bias!.backend.write(bias!.buffer, bias!.offset, Float32Array.of(Math.random()));
      }
    }
    const job: AnyJob = { ...numbersJob(valuesOf(64, (i) => i)), model: () => new RandomWeights() };
    expect(() => prepared(job)).toThrow(
      expect.objectContaining({ fields: expect.objectContaining({ tensor: "the initial linear.bias" }) }),
    );
  });

  test("changes nothing: training after it gives the same bits as after two of them", () => {
    const once = prepared(tinyGptJob);
    const twice = createEngine(tinyGptJob);
    twice.prepare();
    prepare(twice);
    expect(trainAlone(twice, 1, 2)).toBe(trainAlone(once, 1, 2));
  });

  test("is the same whatever state a worker begins with", () => {
    const trained = prepared(tinyMlpJob);
    const fresh = createEngine(tinyMlpJob).prepare();
    trainAlone(trained, 1, 3);
    const { step, files } = trained.exportState();
    const bytes = new Map(files.map((file) => [file.name, file.bytes]));
    const resumed = createEngine(tinyMlpJob, { restore: { step, files: bytes } }).prepare();
    const tuned = createEngine(tinyMlpJob, { initFrom: bytes.get("model.safetensors")! }).prepare();
    expect([resumed.probe, tuned.probe]).toEqual([fresh.probe, fresh.probe]);
    expect(new Set([fresh, resumed, tuned].map(({ info }) => info.stateHash)).size).toBe(3);
    expect(resumed.info).toMatchObject({ step: 3, stateHash: trained.exportState().stateHash });
  });

  test("a job that does not fit is refused with the table before the first step", () => {
    expect(() => prepared(tinyMlpJob, { maxBytes: 1000 })).toThrow(
      expect.objectContaining({ code: "E_MEMORY_PLAN", message: expect.stringContaining("optimizer state") }),
    );
  });
});

describe("a job whose memory is full", () => {
  /** A backend in which the n-th allocation and all after it fail. */
  const fullAfter = (numAllocations: number) => {
    const backend = createCpuBackend();
    const allocate = backend.allocate.bind(backend);
    let count = 0;
    backend.allocate = (byteLength) => {
      if (count++ < numAllocations) return allocate(byteLength);
      throw new OutOfMemoryError("allocate: full", { usedBytes: 900, askedBytes: byteLength });
    };
    return { backend, count: () => count };
  };

  test.each(["its model", "its optimizer", "its probe"])("while %s is built is refused with the table", (part) => {
    const counted = fullAfter(Infinity);
    prepared(tinyMlpJob, { backend: counted.backend });
    const { count } = counted;
    const numAllocations = { "its model": 1, "its optimizer": 5, "its probe": count() - 3 }[part]!;
    const text = part === "its model" ? /parameters .* not known yet/ : /parameters .* f32\n/;
    const { backend } = fullAfter(numAllocations);
    expect(() => prepared(tinyMlpJob, { backend, maxBytes: 1 << 20 })).toThrow(
      expect.objectContaining({
        code: "E_MEMORY_PLAN",
        message: expect.stringMatching(text),
        fields: expect.objectContaining({ maxBytes: 1 << 20 }),
      }),
    );
  });
});

test("evaluation covers every sample of the eval data once, also in a short last micro-batch", () => {
  const engine = prepared(tinyMlpJob);
  const sums = engine.evaluate({ lo: 0, hi: engine.training.evalGrid.length });
  expect(sums.map(([m, , weight]) => [m, weight])).toEqual([
    [0, 4],
    [1, 4],
    [2, 2],
  ]);
  expect(engine.training.model.training).toBe(true);
});
