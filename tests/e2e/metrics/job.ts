/** Two classes of points and a small network, measured at every evaluation by metrics that count, that add, and that keep all scores. */
import { losses, metrics, nn, optim, schedules, type Tensor, tensor } from "@lockstep/core";
import type { SampleRef } from "@lockstep/data";
import { defineJob } from "@lockstep/worker";
import * as z from "zod";

/** A number in -1..1 that looks random and is the same everywhere. */
function mixed(a: number, b: number): number {
  const word = Math.imul(Math.imul(a + 1, 0x9e3779b1) ^ Math.imul(b + 7, 0x85ebca6b), 0xc2b2ae35) >>> 8;
  return word / 0x800000 - 1;
}

class Net extends nn.Module {
  readonly fc1 = new nn.Linear(4, 8);
  readonly fc2 = new nn.Linear(8, 2);
  forward(x: Tensor): Tensor {
    return this.fc2.forward(this.fc1.forward(x).tanh()); // [B, 4] -> [B, 2]
  }
}

function points(first: number, size: number) {
  return {
    size,
    batch: (samples: readonly SampleRef[]) => {
      const rows = samples.map(({ index }) => [0, 1, 2, 3].map((i) => mixed(first + index, i)));
      const labels = rows.map(([a, b, c]) => Number(a! * b! + 0.3 * c! > 0));
      return { x: tensor(rows), y: tensor(labels, { dtype: "i32" }) };
    },
  };
}

export default defineJob({
  name: "scores",
  config: z.object({}),
  training: { globalBatchSize: 16, microBatchSize: 4, totalSteps: 6, evalIntervalSteps: 2 },
  data: () => ({ train: points(0, 64), eval: points(1_000, 30) }),
  model: () => new Net(),
  loss: (model, { x, y }) => losses.crossEntropy(model.forward(x), y),
  metrics: () => ({
    accuracy: metrics.streaming.accuracyScore(),
    f1: metrics.streaming.f1Score({ average: "macro" }),
    auc: metrics.streaming.rocAucScore(),
    brier: metrics.streaming.brierScore(),
    perplexity: metrics.streaming.perplexity(),
  }),
  evaluate: (model, { x, y }, { accuracy, f1, auc, brier, perplexity }) => {
    const logits = model.forward(x);
    const probability = logits.softmax(1).select(1, 1);
    const predicted = logits.argMax(1);
    accuracy.update(y, predicted);
    f1.update(y, predicted);
    auc.update(y, probability);
    brier.update(y, probability);
    const loss = losses.crossEntropy(logits, y);
    perplexity.update(loss);
    return loss;
  },
  explain: (model, { x, y }) => ({
    kind: "columns",
    inputs: x,
    outputs: (points) => model.forward(points),
    targets: y,
    classNames: ["outside", "inside"],
    pieces: [["a", "b", "c", "d"]],
  }),
  optimizer: (_config, model) => new optim.AdamW(model.parameters()),
  schedule: () => schedules.constant(0.05),
});
