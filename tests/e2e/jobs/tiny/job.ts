/**
 * A regression that takes milliseconds. `fault` makes it misbehave on purpose: "random" draws targets from Math.random, "nan" gives the
 * sample nanIndex a NaN as target, "process" computes something else in each process, "huge" asks for more memory than there is.
 */
import { nn, optim, schedules, type Tensor, tensor } from "@lockstep/core";
import type { SampleRef } from "@lockstep/data";
import { defineJob } from "@lockstep/worker";
import * as z from "zod";

const inputDim = 8;
const trainSize = 64;

/** A number in -1..1 that looks random and is the same everywhere. */
function mixed(a: number, b: number): number {
  const word = Math.imul(Math.imul(a + 1, 0x9e3779b1) ^ Math.imul(b + 7, 0x85ebca6b), 0xc2b2ae35) >>> 8;
  return word / 0x800000 - 1;
}

class Net extends nn.Module {
  readonly fc1: nn.Linear;
  readonly fc2: nn.Linear;

  constructor(hiddenDim: number) {
    super();
    this.fc1 = new nn.Linear(inputDim, hiddenDim);
    this.fc2 = new nn.Linear(hiddenDim, 1);
  }

  forward(x: Tensor): Tensor {
    return this.fc2.forward(this.fc1.forward(x).tanh()); // [B, 8] -> [B, 1]
  }
}

function dataset(first: number, size: number, fault: string, nanIndex = -1) {
  const targetOf = (row: readonly number[], index: number): number => {
    if (fault === "nan" && index === nanIndex) return Number.NaN;
    if (fault === "random") return Math.random();
    if (fault === "process") return (globalThis as unknown as { process: { pid: number } }).process.pid / 65_536;
    return row[0]! * row[1]! + 0.5 * row[2]!;
  };
  return {
    size,
    batch: (samples: readonly SampleRef[]) => {
      const rows = samples.map(({ index }) => Array.from({ length: inputDim }, (_, i) => mixed(first + index, i)));
      const targets = rows.map((row, at) => [targetOf(row, samples[at]!.index)]);
      return { x: tensor(rows), y: tensor(targets), numSamples: samples.length };
    },
  };
}

export default defineJob({
  name: "tiny",
  config: z.object({
    hiddenDim: z.int().positive().default(16),
    learningRate: z.number().positive().default(0.05),
    fault: z.enum(["none", "random", "process", "nan", "huge"]).default("none"),
    nanIndex: z.int().default(0),
  }),
  training: { globalBatchSize: 16, microBatchSize: 4, totalSteps: 8, bucketBytes: 256 },
  data: ({ fault, nanIndex }) => ({ train: dataset(0, trainSize, fault, nanIndex), eval: dataset(1_000, 16, "none") }),
  model: ({ hiddenDim, fault }) => new Net(fault === "huge" ? 200_000_000 : hiddenDim),
  loss: (model, { x, y, numSamples }) => {
    const difference = model.forward(x).sub(y);
    return { sum: difference.mul(difference).sum(), weight: numSamples };
  },
  optimizer: (_config, model) => new optim.AdamW(model.parameters(), { weightDecay: 0.01 }),
  schedule: ({ learningRate, totalSteps }) => schedules.cosine({ from: learningRate, steps: totalSteps }),
});
