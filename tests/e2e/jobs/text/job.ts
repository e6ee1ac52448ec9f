/** A language model of a few thousand parameters on a file beside this module. A small vocabSize makes tokens fall out of it. */
import { losses, optim, schedules } from "@lockstep/core";
import { charTokenizer, textDataset } from "@lockstep/data";
import { Gpt } from "@lockstep/models";
import { defineJob } from "@lockstep/worker";
import * as z from "zod";

export default defineJob({
  name: "text",
  config: z.object({
    file: z.string().default("long.txt"),
    seqLen: z.int().positive().default(64),
    vocabSize: z.int().positive().default(40),
  }),
  training: { globalBatchSize: 8, microBatchSize: 2, totalSteps: 4 },
  unit: "tokens",
  files: ({ file }) => ({ text: file }),
  data: ({ seqLen, vocabSize }, files) => {
    const text = files.text("text");
    const tokenizer = charTokenizer(text);
    const tokens = tokenizer.encode(text);
    const train = textDataset(tokens, { seqLen, vocabSize });
    return { tokenizer, train, eval: textDataset(tokens, { seqLen, vocabSize, offset: "zero" }) };
  },
  model: ({ seqLen, vocabSize }) =>
    new Gpt({ vocabSize, seqLen, numLayers: 1, numHeads: 2, embedDim: 16, dropout: 0.1 }),
  loss: (model, { inputs, targets }) => losses.crossEntropy(model.forward(inputs), targets),
  optimizer: (_config, model) => new optim.AdamW(model.parameters()),
  schedule: () => schedules.constant(1e-2),
});
