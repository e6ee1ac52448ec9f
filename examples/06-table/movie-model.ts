/** @file The network of movie-net.ts as a model for `fit`. A module of its own: worker processes import it. */
import { compile } from "lockstep";
import { defaults, MovieNet, movieLoss, movieOptimizer, movieSchedule } from "./movie-net.js";

/** What movieSamples makes of the file with its default options; fit.ts checks it. */
export const numFeatures = 101;

export default compile({
  name: "table",
  module: import.meta.url,
  model: () => new MovieNet({ numFeatures, ...defaults }),
  loss: movieLoss,
  optimizer: (model) => movieOptimizer(model, defaults.weightDecay),
  learningRate: defaults.learningRate,
  schedule: ({ learningRate, totalSteps }) => movieSchedule(learningRate, totalSteps),
  metrics: ["r2", "mae"],
});
