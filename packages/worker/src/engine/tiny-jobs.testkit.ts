/** @file Small jobs for tests: a two-layer network and a GPT of a few hundred parameters, over data made of formulas. */
import { losses, nn, optim, schedules, type Tensor, tensor } from "@lockstep/core";
import type { SampleRef } from "@lockstep/data";
import * as z from "zod";
import { type AnyJob, defineJob, type JobDataset } from "../job/define-job.js";

interface Pair {
  readonly x: Tensor;
  readonly y: Tensor;
}

/** Points of a smooth function with values of unlike size, so that another order of additions shows. */
function pointsDataset(size: number): JobDataset<Pair> {
  return {
    size,
    batch(samples: readonly SampleRef[]): Pair {
      const inputs = samples.map(({ index }) => [0, 1, 2].map((j) => ((index * 37 + j * 11) % 23) / 11 - 1));
      const targets = inputs.map(([a, b, c]) => [a! * b! - c!, a! + 0.5 * b! * c!]);
      return { x: tensor(inputs), y: tensor(targets) };
    },
  };
}

class TinyMlp extends nn.Module {
  fc1: nn.Linear;
  fc2: nn.Linear;
  constructor(hiddenDim: number) {
    super();
    this.fc1 = new nn.Linear(3, hiddenDim);
    this.fc2 = new nn.Linear(hiddenDim, 2);
  }
  forward(x: Tensor): Tensor {
    return this.fc2.forward(this.fc1.forward(x).tanh());
  }
}

/** Sum of squared errors over the samples. */
function squaredError(prediction: Tensor, target: Tensor) {
  const difference = prediction.sub(target);
  return { sum: difference.mul(difference).sum(), weight: target.shape[0]! };
}

export const tinyMlpJob: AnyJob = defineJob({
  name: "tiny-mlp",
  config: z.object({ hiddenDim: z.int().default(7) }),
  training: { globalBatchSize: 20, microBatchSize: 4, totalSteps: 6, maxGradNorm: 0.7, bucketBytes: 64 },
  data: () => ({ train: pointsDataset(53), eval: pointsDataset(10) }),
  model: (config) => new TinyMlp(config.hiddenDim),
  loss: (model, batch) => squaredError(model.forward(batch.x), batch.y),
  optimizer: (_config, model) => new optim.AdamW(model.parameters(), { weightDecay: 0.01 }),
  schedule: (config) => schedules.linear({ from: 0.05, to: 0, steps: config.totalSteps }),
});

interface Tokens {
  readonly inputs: Tensor;
  readonly targets: Tensor;
}

const vocabSize = 11;
const seqLen = 6;

function sequencesDataset(size: number): JobDataset<Tokens> {
  const tokenAt = (index: number, t: number): number => (index * 5 + t * t * 3 + ((index >> 1) % 3) * t) % vocabSize;
  return {
    size,
    batch(samples) {
      const rows = samples.map(({ index }) => Array.from({ length: seqLen + 1 }, (_, t) => tokenAt(index, t)));
      return {
        inputs: tensor(
          rows.map((row) => row.slice(0, -1)),
          { dtype: "i32" },
        ),
        targets: tensor(
          rows.map((row) => row.slice(1)),
          { dtype: "i32" },
        ),
      };
    },
  };
}

/** One block with tied embeddings and dropout. */
class TinyGpt extends nn.Module {
  tokens = new nn.Embedding(vocabSize, 8);
  norm1 = new nn.LayerNorm(8);
  attention = new nn.CausalSelfAttention({ embedDim: 8, numHeads: 2 });
  norm2 = new nn.LayerNorm(8);
  up = new nn.Linear(8, 16);
  down = new nn.Linear(16, 8);
  dropout = new nn.Dropout(0.25);
  forward(ids: Tensor): Tensor {
    const x = this.dropout.forward(this.tokens.forward(ids)); // [B, T, 8]
    const y = x.add(this.attention.forward(this.norm1.forward(x)));
    const z = y.add(this.down.forward(this.up.forward(this.norm2.forward(y)).gelu()));
    return z.matmul(this.tokens.weight.transpose(0, 1)); // [B, T, V]
  }
}

export const tinyGptJob: AnyJob = defineJob({
  name: "tiny-gpt",
  unit: "tokens",
  training: { globalBatchSize: 12, microBatchSize: 2, totalSteps: 5, maxGradNorm: 1, bucketBytes: 512 },
  data: () => ({ train: sequencesDataset(31), eval: sequencesDataset(5) }),
  model: () => new TinyGpt(),
  loss: (model, batch) => losses.crossEntropy(model.forward(batch.inputs), batch.targets),
  optimizer: (_config, model) => new optim.AdamW(model.parameters(), {}),
  schedule: () => schedules.constant(0.01),
});
