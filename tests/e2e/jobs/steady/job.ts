/**
 * A regression whose steps are long enough to be hit in every phase: 16 micro-batches, about 50 ms a step for one worker, 100 kB of
 * parameters in several buckets. `width` makes it slower or faster.
 */
import { nn, optim, schedules, type Tensor, tensor } from "@lockstep/core";
import type { SampleRef } from "@lockstep/data";
import { defineJob } from "@lockstep/worker";
import * as z from "zod";

const inputDim = 32;
const trainSize = 8_192;

/** A number in -1..1 that looks random and is the same everywhere. */
function mixed(a: number, b: number): number {
  const word = Math.imul(Math.imul(a + 1, 0x9e3779b1) ^ Math.imul(b + 7, 0x85ebca6b), 0xc2b2ae35) >>> 8;
  return word / 0x800000 - 1;
}

class Net extends nn.Module {
  readonly fc1: nn.Linear;
  readonly fc2: nn.Linear;
  readonly fc3: nn.Linear;

  constructor(width: number) {
    super();
    this.fc1 = new nn.Linear(inputDim, width);
    this.fc2 = new nn.Linear(width, width);
    this.fc3 = new nn.Linear(width, 1);
  }

  forward(x: Tensor): Tensor {
    const hidden = this.fc2.forward(this.fc1.forward(x).tanh()).tanh(); // [B, width]
    return this.fc3.forward(hidden); // [B, 1]
  }
}

function dataset(first: number, size: number) {
  return {
    size,
    batch: (samples: readonly SampleRef[]) => {
      const rows = samples.map(({ index }) => Array.from({ length: inputDim }, (_, i) => mixed(first + index, i)));
      const targets = rows.map((row) => [row[0]! * row[1]! + 0.5 * row[2]!]);
      return { x: tensor(rows), y: tensor(targets), numSamples: samples.length };
    },
  };
}

export default defineJob({
  name: "steady",
  config: z.object({
    width: z.int().positive().default(144),
    learningRate: z.number().positive().default(0.01),
  }),
  training: { globalBatchSize: 4_800, microBatchSize: 300, totalSteps: 60, bucketBytes: 16_384 },
  data: () => ({ train: dataset(0, trainSize), eval: dataset(10_000, 64) }),
  model: ({ width }) => new Net(width),
  loss: (model, { x, y, numSamples }) => {
    const difference = model.forward(x).sub(y);
    return { sum: difference.mul(difference).sum(), weight: numSamples };
  },
  optimizer: (_config, model) => new optim.AdamW(model.parameters(), { weightDecay: 0.01 }),
  schedule: ({ learningRate, totalSteps }) => schedules.cosine({ from: learningRate, steps: totalSteps }),
});
