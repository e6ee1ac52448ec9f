/** The benchmark model gpt-small as a job: random tokens, M = 8 micro-batches of two sequences of 128 tokens. */
import { Generator, losses, optim, schedules, tensor } from "@lockstep/core";
import { Gpt, gptConfig } from "@lockstep/models";
import { defineJob } from "@lockstep/worker";

const { vocabSize, seqLen } = gptConfig("gpt-small");
const numSequences = 512;

export default defineJob({
  name: "bench-gpt-small",
  training: { globalBatchSize: 16, microBatchSize: 2, totalSteps: 1000, maxGradNorm: 1 },
  unit: "tokens",
  data: () => {
    const random = new Generator(3);
    const tokens = Int32Array.from({ length: numSequences * (seqLen + 1) }, () => random.integer(vocabSize));
    return {
      train: {
        size: numSequences,
        batch: (samples: readonly { readonly index: number }[]) => {
          const shape = [samples.length, seqLen];
          const rows = (shift: number): Int32Array => {
            const out = new Int32Array(samples.length * seqLen);
            samples.forEach(({ index }, row) => {
              const start = index * (seqLen + 1) + shift;
              out.set(tokens.subarray(start, start + seqLen), row * seqLen);
            });
            return out;
          };
          return { inputs: tensor(rows(0), { shape }), targets: tensor(rows(1), { shape }) };
        },
      },
    };
  },
  model: () => new Gpt(gptConfig("gpt-small")),
  loss: (model, { inputs, targets }) => losses.crossEntropy(model.forward(inputs), targets),
  optimizer: (_config, model) => new optim.AdamW(model.parameters()),
  schedule: () => schedules.constant(1e-3),
});
