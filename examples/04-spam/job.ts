/**
 * Spam or ham: the mails of SpamAssassin by the mean and maximum of their words, with F1 on mails that were held out.
 *
 * mails.jsonl.gz lies beside this file, one file of 6,046 mails; pack-mails.ts says what is in it.
 */
import { losses, metrics, optim, schedules } from "@lockstep/core";
import { arrayDataset, type SampleRef } from "@lockstep/data";
import { defineJob } from "@lockstep/worker";
import * as z from "zod";
import { MailNet } from "./mail-net.js";
import { encodeText, learnVocabulary, readMails, splitMails, wordsOf } from "./mails.js";

export const config = z.object({
  splitSeed: z.int().nonnegative().default(0),
  vocabSize: z.int().min(3).default(8_000),
  /** Words of a mail that are looked at. */
  seqLen: z.int().positive().default(200),
  embedDim: z.int().positive().default(64),
  hiddenDim: z.int().positive().default(64),
  dropout: z.number().min(0).max(0.9).default(0.5),
  learningRate: z.number().positive().default(1e-2),
  warmupSteps: z.int().nonnegative().default(20),
  weightDecay: z.number().nonnegative().default(0.1),
});

export default defineJob({
  name: "spam",
  config,
  training: { globalBatchSize: 64, microBatchSize: 16, totalSteps: 500, evalIntervalSteps: 100, maxGradNorm: 1 },
  files: () => ({ mails: "mails.jsonl.gz" }),
  data({ splitSeed, vocabSize, seqLen }, files) {
    const split = splitMails(readMails(files.bytes("mails"), "mails.jsonl.gz"), splitSeed);
    const textOf = (place: number) => split.mails[place]!.text;
    const vocabulary = learnVocabulary(split.train.map(textOf), vocabSize);
    const dataset = (places: readonly number[]) => {
      const ids = new Int32Array(places.length * seqLen);
      for (const [row, place] of places.entries()) {
        ids.set(encodeText(textOf(place), vocabulary, seqLen), row * seqLen);
      }
      const labels = Int32Array.from(places, (place) => Number(split.mails[place]!.isSpam));
      const columns = arrayDataset({ ids: { data: ids, shape: [seqLen] }, labels: { data: labels, shape: [] } });
      const words = (index: number) => wordsOf(textOf(places[index]!)).slice(0, seqLen);
      return {
        size: columns.size,
        batch: (samples: readonly SampleRef[]) => ({
          ...columns.batch(samples),
          words: () => samples.map(({ index }) => words(index)),
        }),
      };
    };
    return { train: dataset(split.train), eval: dataset(split.heldOut) };
  },
  model: ({ vocabSize, embedDim, hiddenDim, dropout }) => new MailNet({ vocabSize, embedDim, hiddenDim, dropout }),
  loss: (model, { ids, labels }) => losses.crossEntropy(model.forward(ids), labels),
  metrics: () => ({
    f1: metrics.streaming.f1Score(),
    precision: metrics.streaming.precisionScore(),
    recall: metrics.streaming.recallScore(),
    rocAuc: metrics.streaming.rocAucScore(),
  }),
  evaluate(model, { ids, labels }, { f1, precision, recall, rocAuc }) {
    const logits = model.forward(ids); // [B, 2]
    const predicted = logits.argMax(1);
    for (const metric of [f1, precision, recall]) metric.update(labels, predicted);
    rocAuc.update(labels, logits.softmax(1).select(1, 1));
    return losses.crossEntropy(logits, labels);
  },
  explain: (model, { ids, labels, words }) => ({
    kind: "tokens",
    inputs: model.embedding.forward(ids),
    outputs: (embedded) => model.classify(embedded, ids),
    targets: labels,
    classNames: ["ham", "spam"],
    pieces: words(),
  }),
  optimizer: ({ weightDecay }, model) => new optim.AdamW(model.parameters(), { weightDecay }),
  schedule: ({ learningRate, warmupSteps, totalSteps }) =>
    schedules.warmup(schedules.cosine({ from: learningRate, to: 0, steps: Math.max(1, totalSteps - warmupSteps) }), {
      warmupSteps,
    }),
});
