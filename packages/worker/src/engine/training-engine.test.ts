import { createHash } from "node:crypto";
import { createCpuBackend, nn, OutOfMemoryError, optim, type Tensor, tensor } from "@lockstep/core";
import { createSampler } from "@lockstep/data";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { type AnyJob, defineJob, type JobDataset } from "../job/define-job.js";
import { createJobFiles } from "../job/job-files.js";
import { parseJobConfig } from "../job/parse-config.js";
import type { ReadyBucket } from "./compute-engine.js";
import { tinyGptJob, tinyMlpJob } from "./tiny-jobs.testkit.js";
import { TrainingEngine, type TrainingEngineOptions } from "./training-engine.js";

const sha256 = (parts: readonly Uint8Array[]): string => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

function createEngine(job: AnyJob, options: Partial<TrainingEngineOptions> = {}): TrainingEngine {
  return new TrainingEngine({
    job,
    config: parseJobConfig(job),
    seed: 7,
    workerId: "w-a",
    files: createJobFiles([]),
    backend: createCpuBackend(),
    nowMs: () => 0,
    sha256,
    maxBytes: 2 ** 32,
    ...options,
  });
}

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

/** Trains steps from `first` on alone, as a plain division would reduce them. */
function trainAlone(engine: TrainingEngine, first: number, last: number): string {
  const { training } = engine;
  const { backend } = training.source;
  let stateHash = "";
  for (let step = first; step <= last; step++) {
    let ready: ReadyBucket | undefined;
    engine.computeNodes(
      { step, nodes: [{ lo: 0, hi: training.numMicroBatches }] },
      {
        onBucket: (bucket) => {
          ready ??= bucket;
        },
        shouldStop: () => false,
      },
    );
    const words = new Float32Array((backend as ReturnType<typeof createCpuBackend>).wasmMemory.buffer);
    const begin = ready!.address / 4;
    const sum = words.slice(begin, begin + training.layout.length);
    words.set(
      sum.map((x) => Math.fround(x / Math.fround(ready!.weight))),
      reducedAddressOf.get(engine)! / 4,
    );
    ({ stateHash } = engine.applyStep(step));
  }
  return stateHash;
}

const reducedAddressOf = new WeakMap<TrainingEngine, number>();
function prepared(job: AnyJob, options: Partial<TrainingEngineOptions> = {}): TrainingEngine {
  const engine = createEngine(job, options);
  reducedAddressOf.set(engine, engine.prepare().info.reducedAddress);
  return engine;
}

const neverStop = { onBucket: () => {}, shouldStop: () => false };

describe("a step's nodes", () => {
  test("buckets are ready before the backward pass of the last micro-batch has ended", () => {
    const engine = prepared(tinyGptJob);
    const { training } = engine;
    let numBuckets = 0;
    let bucketsWhenLastLayerRan = -1;
    // The embedding is the first layer: its gradient is the last to be computed.
    const original = training.source.backend.kernels.embeddingBackward;
    training.source.backend.kernels.embeddingBackward = (...args) => {
      bucketsWhenLastLayerRan = numBuckets;
      original(...args);
    };
    engine.computeNodes(
      { step: 1, nodes: [{ lo: 0, hi: training.numMicroBatches }] },
      {
        onBucket: () => {
          numBuckets++;
        },
        shouldStop: () => false,
      },
    );
    expect(bucketsWhenLastLayerRan).toBeGreaterThan(0);
    expect(bucketsWhenLastLayerRan).toBeLessThan(numBuckets);
  });

  test("never need more than floor(log2 M) + 1 vectors for one node, and use the same memory in every step", () => {
    const engine = prepared(tinyGptJob);
    const numMicroBatches = engine.training.numMicroBatches;
    expect(numMicroBatches).toBe(6);
    trainAlone(engine, 1, 2);
    const { usedBytes } = engine.training.source.backend.memory();
    trainAlone(engine, 3, 5);
    expect(engine.training.source.backend.memory().usedBytes).toBe(usedBytes);
    expect(engine.peakVectors).toBeLessThanOrEqual(1 + Math.floor(Math.log2(numMicroBatches)) + 1);
  });

  test("finished nodes are kept for a new attempt: only what is missing is computed", () => {
    const job = countingJob();
    const engine = prepared(job.job);
    job.reset();
    const computed = engine.computeNodes({ step: 1, nodes: [{ lo: 0, hi: 2 }] }, neverStop);
    expect(job.numBatches()).toBe(2);
    const both = engine.computeNodes(
      {
        step: 1,
        nodes: [
          { lo: 0, hi: 2 },
          { lo: 2, hi: 3 },
        ],
      },
      neverStop,
    );
    expect(job.numBatches()).toBe(3);
    expect(both.losses.slice(0, 2)).toEqual(computed.losses);
  });

  test("stop after the micro-batch that runs when told so", () => {
    const job = countingJob();
    const engine = prepared(job.job);
    job.reset();
    const { isComplete } = engine.computeNodes(
      { step: 1, nodes: [{ lo: 0, hi: 4 }] },
      { onBucket: () => {}, shouldStop: () => job.numBatches() >= 2 },
    );
    expect([isComplete, job.numBatches()]).toEqual([false, 2]);
  });
});

/** A job of four micro-batches that counts the batches made. */
function countingJob() {
  let count = 0;
  const train = valuesOf(64, (index) => index / 64);
  const counting: JobDataset<Values> = {
    size: 64,
    batch: (samples) => {
      count++;
      return train.batch(samples);
    },
  };
  const job = { ...numbersJob(counting), training: { globalBatchSize: 8, microBatchSize: 2 } };
  return {
    job,
    numBatches: () => count,
    reset: () => {
      count = 0;
    },
  };
}

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
    reducedAddressOf.set(twice, twice.prepare().info.reducedAddress);
    expect(trainAlone(twice, 1, 2)).toBe(trainAlone(once, 1, 2));
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

describe("a checkpoint", () => {
  const saved = () => {
    const engine = prepared(tinyMlpJob);
    trainAlone(engine, 1, 2);
    const { files, step } = engine.exportState();
    return { step, files: new Map(files.map(({ name, bytes }) => [name, bytes])) };
  };

  test("L4 gives the bits back: the state hash and everything after it", () => {
    const whole = prepared(tinyMlpJob);
    const expected = trainAlone(whole, 1, 4);
    const resumed = prepared(tinyMlpJob, { restore: saved() });
    expect(trainAlone(resumed, 3, 4)).toBe(expected);
    expect(resumed.exportState().paramsSha256).toBe(whole.exportState().paramsSha256);
  });

  test("of another architecture names the tensor and both shapes", () => {
    const config = parseJobConfig(tinyMlpJob, { hiddenDim: 9 });
    expect(() => prepared(tinyMlpJob, { config, restore: saved() })).toThrow(
      expect.objectContaining({
        code: "E_CHECKPOINT",
        fields: expect.objectContaining({ name: "fc1.weight", stored: [7, 3], model: [9, 3] }),
      }),
    );
  });

  test("with a flipped byte does not have the hash it was written with", () => {
    const restore = saved();
    const weights = restore.files.get("model.safetensors")!;
    weights[weights.length - 3]! ^= 1;
    expect(() => prepared(tinyMlpJob, { restore })).toThrow(expect.objectContaining({ code: "E_CHECKPOINT" }));
  });

  test("whose optimizer counts another step does not have the hash it was written with", () => {
    const restore = saved();
    const trainer = JSON.parse(new TextDecoder().decode(restore.files.get("trainer.json")));
    trainer.optimizer.numSteps++;
    restore.files.set("trainer.json", new TextEncoder().encode(JSON.stringify(trainer)));
    expect(() => prepared(tinyMlpJob, { restore })).toThrow(
      expect.objectContaining({ code: "E_CHECKPOINT", message: expect.stringContaining("the state read has hash") }),
    );
  });

  test("of another seed is refused", () => {
    expect(() => prepared(tinyMlpJob, { seed: 8, restore: saved() })).toThrow(
      expect.objectContaining({ code: "E_CHECKPOINT", fields: { key: "seed", found: 7, expected: 8 } }),
    );
  });

  test("its weights can start another run", () => {
    const initFrom = saved().files.get("model.safetensors")!;
    const fresh = prepared(tinyMlpJob);
    const tuned = prepared(tinyMlpJob, { initFrom });
    expect(tuned.exportState().paramsSha256).not.toBe(fresh.exportState().paramsSha256);
    expect(tuned.exportState().step).toBe(0);
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
