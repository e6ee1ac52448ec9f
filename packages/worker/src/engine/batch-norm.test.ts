/** @file Statistics of BatchNorm go through the flat vector: the plain loop and every split into nodes give the same bits (L1, L5). */
import { createHash } from "node:crypto";
import {
  clipGradNorm,
  createCpuBackend,
  flatLayout,
  losses,
  microBatchScope,
  nn,
  optim,
  seedScope,
  type Tensor,
  tensor,
  treeAccumulator,
  treeSplit,
  withBackend,
} from "@lockstep/core";
import { createSampler } from "@lockstep/data";
import { describe, expect, test } from "vitest";
import { type AnyJob, defineJob, type JobDataset } from "../job/define-job.js";
import { createJobFiles } from "../job/job-files.js";
import { parseJobConfig } from "../job/parse-config.js";
import { TrainingEngine } from "./training-engine.js";
import { modelTensors, trainingStateHash } from "./training-state.js";

const seed = 7;
const maxGradNorm = 0.5;

class TinyCnn extends nn.Module {
  conv1 = new nn.Conv2d(1, 3, 3, { padding: 1 });
  bn1 = new nn.BatchNorm2d(3);
  fc = new nn.Linear(12, 5);
  bn2 = new nn.BatchNorm1d(5, { momentum: 0.3 });
  head = new nn.Linear(5, 3);
  forward(x: Tensor): Tensor {
    const features = this.bn1.forward(this.conv1.forward(x)).relu(); // [B, 3, 4, 4]
    const pooled = new nn.MaxPool2d(2).forward(features).flatten(1); // [B, 12]
    return this.head.forward(this.bn2.forward(this.fc.forward(pooled)).relu());
  }
}

interface Images {
  readonly x: Tensor;
  readonly y: Tensor;
}

function imagesDataset(size: number): JobDataset<Images> {
  return {
    size,
    batch(samples) {
      const pixels = samples.flatMap(({ index }) =>
        Array.from({ length: 16 }, (_, i) => (((index * 29 + i * i * 7) % 31) / 15 - 1) * (1 + (index % 3))),
      );
      return {
        x: tensor(Float32Array.from(pixels), { shape: [samples.length, 1, 4, 4] }),
        y: tensor(Int32Array.from(samples, ({ index }) => (index * 5 + (index >> 2)) % 3)),
      };
    },
  };
}

const job: AnyJob = defineJob({
  name: "tiny-cnn",
  training: { globalBatchSize: 16, microBatchSize: 4, totalSteps: 4, maxGradNorm, bucketBytes: 128 },
  data: () => ({ train: imagesDataset(53), eval: imagesDataset(10) }),
  model: () => new TinyCnn(),
  loss: (model, batch) => losses.crossEntropy(model.forward(batch.x), batch.y),
  optimizer: (_config, model) => new optim.AdamW(model.parameters(), {}),
  schedule: () => () => 0.02,
});

type Nodes = readonly (readonly [number, number])[];
const splits: Readonly<Record<string, Nodes>> = {
  "one node": [[0, 4]],
  halves: [
    [0, 2],
    [2, 4],
  ],
  quarters: [
    [0, 1],
    [1, 2],
    [2, 3],
    [3, 4],
  ],
  "unlike parts": [
    [0, 2],
    [2, 3],
    [3, 4],
  ],
};

const bitsOf = (tensors: readonly (readonly [string, Tensor])[]) =>
  Object.fromEntries(tensors.map(([name, t]) => [name, [...new Int32Array(t.dataSync().slice().buffer)]]));

/** The loop of design.md, section 3, L5. */
function plainLoop(numSteps: number): TinyCnn {
  const backend = createCpuBackend();
  return withBackend(backend, () => {
    const model = seedScope(seed, () => new TinyCnn());
    const optimizer = new optim.AdamW(model.parameters(), { learningRate: 0.02 });
    const sampler = createSampler({ seed, size: 53, globalBatchSize: 16, microBatchSize: 4 });
    const data = imagesDataset(53);
    for (let step = 0; step < numSteps; step++) {
      const tree = treeAccumulator(model, 4);
      for (let m = 0; m < 4; m++) {
        microBatchScope({ seed, step, m }, () => {
          const { x, y } = data.batch(sampler.microBatch(step, m));
          const { sum, weight } = losses.crossEntropy(model.forward(x), y);
          sum.backward();
          tree.add(weight);
        });
      }
      tree.assignGradients();
      clipGradNorm(model.parameters(), maxGradNorm);
      optimizer.step();
      optimizer.zeroGrad();
    }
    return model;
  });
}

function createEngine(): { engine: TrainingEngine; reducedAddress: number } {
  const engine = new TrainingEngine({
    job,
    config: parseJobConfig(job),
    seed,
    workerId: "w-a",
    files: createJobFiles([]),
    backend: createCpuBackend(),
    nowMs: () => 0,
    sha256: (parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest("hex"),
    maxBytes: 2 ** 32,
  });
  return { engine, reducedAddress: engine.prepare().info.reducedAddress };
}

interface Part {
  readonly vector: Float32Array;
  readonly weight: number;
}

/** Completes the tree over [lo, hi) from the nodes that workers would have sent. */
function completeTree(parts: ReadonlyMap<string, Part>, lo: number, hi: number): Part {
  const known = parts.get(`${lo}-${hi}`);
  if (known !== undefined) return known;
  const middle = lo + treeSplit(hi - lo);
  const [left, right] = [completeTree(parts, lo, middle), completeTree(parts, middle, hi)];
  return { vector: left.vector.map((x, i) => x + right.vector[i]!), weight: left.weight + right.weight };
}

/** Steps 1..numSteps, each node computed by one call as a worker of its own would; all buckets must have been announced. */
function trainInNodes(numSteps: number, nodes: Nodes): { engine: TrainingEngine; stateHash: string } {
  const { engine, reducedAddress } = createEngine();
  const { layout, source } = engine.training;
  const memory = () => new Float32Array((source.backend as ReturnType<typeof createCpuBackend>).wasmMemory.buffer);
  let stateHash = "";
  for (let step = 1; step <= numSteps; step++) {
    const parts = new Map<string, Part>();
    for (const [lo, hi] of nodes) {
      const buckets = new Set<number>();
      let found: { readonly address: number; readonly weight: number } | undefined;
      const onBucket = (ready: { readonly address: number; readonly weight: number; readonly bucket: number }) => {
        buckets.add(ready.bucket);
        found = ready;
      };
      engine.computeNodes({ step, nodes: [{ lo, hi }] }, { onBucket, shouldStop: () => false });
      expect(buckets.size).toBe(Math.ceil((4 * layout.length) / 128));
      const begin = found!.address / 4;
      parts.set(`${lo}-${hi}`, { vector: memory().slice(begin, begin + layout.length), weight: found!.weight });
    }
    const { vector, weight } = completeTree(parts, 0, 4);
    memory().set(
      vector.map((x) => x / Math.fround(weight)),
      reducedAddress / 4,
    );
    ({ stateHash } = engine.applyStep(step));
  }
  return { engine, stateHash };
}

describe("a CNN with BatchNorm, four micro-batches", () => {
  const expected = plainLoop(4);

  test.each(Object.keys(splits))(
    "L1 L5 %s: parameters and running statistics have the bits of the plain loop",
    (name) => {
      const { engine } = trainInNodes(4, splits[name]!);
      expect(bitsOf(modelTensors(engine.training))).toEqual(bitsOf([...expected.stateDict()]));
      engine.dispose();
    },
  );

  test("running statistics are the weighted means of the micro-batches' statistics, moved once a step", () => {
    const { engine } = trainInNodes(1, splits.halves!);
    const model = engine.training.model as TinyCnn;
    const [mean] = [...model.bn1.namedBuffers()].map(([, buffer]) => buffer.dataSync());
    engine.dispose();
    // Channel means of the whole batch: micro-batches are of one size.
    const means = withBackend(createCpuBackend(), () => {
      const fresh = seedScope(seed, () => new TinyCnn());
      const sampler = createSampler({ seed, size: 53, globalBatchSize: 16, microBatchSize: 4 });
      const samples = [0, 1, 2, 3].flatMap((m) => sampler.microBatch(0, m));
      return fresh.conv1.forward(imagesDataset(53).batch(samples).x).mean([0, 2, 3]).dataSync();
    });
    means.forEach((value, channel) => {
      expect(mean![channel]).toBeCloseTo(0.1 * value, 6);
    });
  });

  test("the state hash sees running statistics, and evaluation uses them", () => {
    const { engine, stateHash } = trainInNodes(2, splits.halves!);
    const [, , before] = engine.evaluate({ lo: 0, hi: 1 })[0]!;
    const loss = () => engine.evaluate({ lo: 0, hi: 1 })[0]![1];
    const first = loss();
    expect(loss()).toBe(first);
    const model = engine.training.model as TinyCnn;
    const [, runningMean] = model.namedBuffers()[0]!;
    runningMean.backend.write(runningMean.buffer, runningMean.offset, Float32Array.from([1, 2, 3]));
    expect(loss()).not.toBe(first);
    expect(before).toBe(4);
    expect(trainingStateHash(engine.training, 2)).not.toBe(stateHash);
    engine.dispose();
  });

  test("statistics lie behind the parameters and out of the global norm; a model without them has the layout it had", () => {
    const { engine } = createEngine();
    const { layout, model } = engine.training;
    const numParameters = model.parameters().length;
    expect(layout.parameters.slice(numParameters).map(({ name, length }) => [name, length])).toEqual([
      ["bn1.statistics", 7],
      ["bn2.statistics", 11],
    ]);
    const { parameters, length } = flatLayout(model.namedParameters());
    expect(layout.parameters.slice(0, numParameters)).toEqual(parameters);
    expect(layout.length).toBe(length + 18);
    engine.dispose();
  });

  test("the probe leaves no trace in running statistics", () => {
    const { engine } = createEngine();
    for (const [name, buffer] of engine.training.model.namedBuffers()) {
      expect(new Set(buffer.dataSync()), name).toEqual(new Set([name.endsWith("runningMean") ? 0 : 1]));
    }
    engine.dispose();
  });
});
