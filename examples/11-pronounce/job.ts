/**
 * How is it said? English spelling into phonemes, as translation: a GRU reads the letters from both ends, another one writes the phonemes
 * and looks at the letters before each. Words that were never seen are written greedily and measured by edits for each phoneme.
 */
import { losses, metrics, optim, schedules } from "@lockstep/core";
import { greedyDecode, RecurrentSeq2Seq } from "@lockstep/models";
import { defineJob } from "@lockstep/worker";
import * as z from "zod";
import {
  endToken,
  numLetters,
  numPhonemeTokens,
  pronunciationOf,
  readDictionary,
  splitEntries,
  startToken,
} from "./dictionary.js";
import { type WordBatch, wordDataset } from "./word-batches.js";

const config = z.object({
  embedDim: z.int().positive().default(64),
  hiddenDim: z.int().positive().default(128),
  dropout: z.number().min(0).max(0.9).default(0),
  /** Longer words are left out. */
  maxLetters: z.int().min(2).default(12),
  /** Held-out words of each evaluation. */
  evalWords: z.int().positive().default(1024),
  learningRate: z.number().positive().default(4e-3),
  warmupSteps: z.int().nonnegative().default(30),
});

/** No pronunciation in the dictionary has more tokens for so few letters. */
const maxTokens = 24;

const lossOf = (model: RecurrentSeq2Seq, { source, lengths, inputs, targets }: WordBatch) =>
  losses.crossEntropy(model.forward(source, inputs, { lengths }), targets);

export default defineJob({
  name: "pronounce",
  config,
  training: {
    globalBatchSize: 128,
    microBatchSize: 32,
    totalSteps: 1500,
    evalIntervalSteps: 500,
    maxGradNorm: 1,
    bestMetric: "phonemeErrorRate",
  },
  unit: "tokens",
  files: () => ({ dictionary: "npm:cmu-pronouncing-dictionary/index.js" }),
  data: ({ maxLetters, evalWords }, files) => {
    const { train, heldOut } = splitEntries(readDictionary(files.text("dictionary"), maxLetters), { evalEvery: 20 });
    const stride = Math.max(1, Math.floor(heldOut.length / evalWords));
    const evaluated = heldOut.filter((_, i) => i % stride === 0).slice(0, evalWords);
    return { train: wordDataset(train), eval: wordDataset(evaluated) };
  },
  model: ({ embedDim, hiddenDim, dropout }) =>
    new RecurrentSeq2Seq({
      sourceVocabSize: numLetters,
      targetVocabSize: numPhonemeTokens,
      embedDim,
      hiddenDim,
      dropout,
    }),
  loss: lossOf,
  metrics: () => ({
    phonemeErrorRate: metrics.streaming.wordErrorRate(),
    wordAccuracy: metrics.streaming.accuracyScore(),
  }),
  evaluate: (model, batch, { phonemeErrorRate, wordAccuracy }) => {
    const { source, lengths, pronunciations } = batch;
    const decoded = greedyDecode(model, source, { startToken, endToken, maxNewTokens: maxTokens, lengths });
    const written = decoded.map(({ tokens }) => pronunciationOf(tokens));
    phonemeErrorRate.update(pronunciations, written);
    wordAccuracy.update(
      pronunciations.map(() => 1),
      pronunciations.map((pronunciation, i) => (pronunciation === written[i] ? 1 : 0)),
    );
    return lossOf(model, batch);
  },
  optimizer: (_, model) => new optim.AdamW(model.parameters(), { weightDecay: 0.01 }),
  schedule: ({ learningRate, warmupSteps, totalSteps }) =>
    schedules.warmup(
      schedules.cosine({ from: learningRate, to: 0.02 * learningRate, steps: Math.max(1, totalSteps - warmupSteps) }),
      { warmupSteps },
    ),
});
