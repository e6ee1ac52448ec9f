/**
 * What will a movie earn? A small network on a cleaned and encoded table, as a job; fit.ts trains the same from a script, to the same bits.
 */
import { metrics } from "@lockstep/core";
import { arrayDataset, type SampleRef } from "@lockstep/data";
import { defineJob } from "@lockstep/worker";
import * as z from "zod";
import { defaults, MovieNet, movieLoss, movieOptimizer, movieSchedule, training } from "./movie-net.js";
import { defaultOptions, type MovieSamples, movieSamples } from "./movie-samples.js";

export const config = z.object({
  splitSeed: z.int().nonnegative().default(defaultOptions.splitSeed),
  /** Labels of fewer training movies become "other". */
  minLabelCount: z.int().positive().default(defaultOptions.minLabelCount),
  numPieces: z.int().positive().default(defaultOptions.numPieces),
  width: z.int().positive().default(defaults.width),
  dropout: z.number().min(0).max(0.9).default(defaults.dropout),
  learningRate: z.number().positive().default(defaults.learningRate),
  weightDecay: z.number().nonnegative().default(defaults.weightDecay),
});

export default defineJob({
  name: "table",
  config,
  training: {
    globalBatchSize: training.batchSize,
    microBatchSize: training.microBatchSize,
    totalSteps: 35 * training.epochs,
  },
  files: () => ({ movies: "npm:vega-datasets/data/movies.json" }),
  data(options, files) {
    const { train, test, featureNames } = movieSamples(files.bytes("movies"), options);
    const dataset = ({ x, y }: MovieSamples) => {
      const rows = arrayDataset({ x: { data: x, shape: [featureNames.length] }, y: { data: y, shape: [] } });
      return { size: rows.size, batch: (places: readonly SampleRef[]) => ({ ...rows.batch(places), featureNames }) };
    };
    return { train: dataset(train), eval: dataset(test), featureNames };
  },
  model: ({ width, dropout }, { featureNames }) => new MovieNet({ numFeatures: featureNames.length, width, dropout }),
  loss: (model, { x, y }) => movieLoss(model.forward(x), y),
  metrics: () => ({ r2: metrics.streaming.r2Score(), mae: metrics.streaming.meanAbsoluteError() }),
  evaluate(model, { x, y }, { r2, mae }) {
    const predicted = model.forward(x);
    for (const metric of [r2, mae]) metric.update(y, predicted);
    return movieLoss(predicted, y);
  },
  explain: (model, { x, y, featureNames }) => ({
    kind: "columns",
    inputs: x,
    outputs: (rows) => model.forward(rows),
    targets: y,
    pieces: [featureNames],
  }),
  optimizer: ({ weightDecay }, model) => movieOptimizer(model, weightDecay),
  schedule: ({ learningRate, totalSteps }) => movieSchedule(learningRate, totalSteps),
});
