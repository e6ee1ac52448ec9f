/** Four words, and whether they praise: "good" does and "bad" does not, unless there is a "not". Shows its tokens and its attention. */
import { losses, nn, optim, schedules, type Tensor, tensor } from "@lockstep/core";
import type { SampleRef } from "@lockstep/data";
import { defineJob } from "@lockstep/worker";
import * as z from "zod";

const words = ["the", "film", "was", "not", "good", "<bad>"];
const sentences = [
  [0, 1, 2, 4],
  [0, 1, 2, 5],
  [1, 2, 3, 4],
  [1, 2, 3, 5],
  [4, 1, 2, 0],
  [5, 1, 2, 0],
];

class Net extends nn.Module {
  readonly embedding = new nn.Embedding(words.length, 8);
  readonly attention = new nn.MultiheadAttention({ embedDim: 8, numHeads: 2, batchFirst: true });
  readonly head = new nn.Linear(8, 2);

  attend(x: Tensor) {
    return this.attention.forward(x, x, x, { needWeights: true, averageAttnWeights: false }); // output [B, T, C], weights [B, H, T, T]
  }
  forward(x: Tensor): Tensor {
    return this.head.forward(this.attend(x).output.add(x).relu().mean(1)); // [B, T, C] -> [B, 2]
  }
}

function dataset(size: number) {
  return {
    size,
    batch: (samples: readonly SampleRef[]) => {
      const rows = samples.map(({ index }) => sentences[index % sentences.length]!);
      const praises = rows.map((row) => Number(row.includes(4) !== row.includes(3)));
      return { ids: tensor(rows, { dtype: "i32" }), y: tensor(praises, { dtype: "i32" }), rows };
    },
  };
}

export default defineJob({
  name: "words",
  config: z.object({}),
  training: { globalBatchSize: 12, microBatchSize: 6, totalSteps: 60, evalIntervalSteps: 20 },
  data: () => ({ train: dataset(24), eval: dataset(12) }),
  model: () => new Net(),
  loss: (model, { ids, y }) => losses.crossEntropy(model.forward(model.embedding.forward(ids)), y),
  explain: (model, { ids, y, rows }) => {
    const inputs = model.embedding.forward(ids);
    return {
      kind: "tokens",
      inputs,
      outputs: (embedded) => model.forward(embedded),
      targets: y,
      classNames: ["no", "praise"],
      pieces: rows.map((row) => row.map((id) => words[id]!)),
      attention: () => model.attend(inputs).weights!,
    };
  },
  optimizer: (_config, model) => new optim.AdamW(model.parameters()),
  schedule: () => schedules.constant(0.02),
});
