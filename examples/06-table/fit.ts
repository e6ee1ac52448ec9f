/**
 * Fits the model from a script, as in Keras: stops when the held-out R2 no longer grows, keeps the best weights, and measures them on the test part.
 *
 *   npx tsx examples/06-table/fit.ts                   in this process
 *   npx tsx examples/06-table/fit.ts --workers 3       the same bits, in three worker processes
 *   npx tsx examples/06-table/fit.ts --out FOLDER      writes log.csv and best.safetensors there
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { callbacks, type FitCallback } from "lockstep";
import model, { numFeatures } from "./movie-model.js";
import { training } from "./movie-net.js";
import { defaultOptions, type MovieSamples, movieSamples } from "./movie-samples.js";

const moviesFile = fileURLToPath(new URL("node_modules/vega-datasets/data/movies.json", import.meta.url));

export interface FitMoviesOptions {
  readonly workers?: number;
  readonly epochs?: number;
  /** Folder of log.csv and best.safetensors. Default: they are not written. */
  readonly out?: string;
  readonly verbose?: boolean;
}

/** Fits anew, and measures on the test part. */
export async function fitMovies({ out, workers, epochs = training.epochs, verbose = true }: FitMoviesOptions) {
  const { train, validation, test, featureNames } = movieSamples(readFileSync(moviesFile), defaultOptions);
  if (featureNames.length !== numFeatures) {
    throw new Error(
      `fit: movieSamples makes ${featureNames.length} features, and numFeatures is ${numFeatures}; they must be equal. Change numFeatures in movie-model.ts.`,
    );
  }
  const arrays = ({ x, y }: MovieSamples) => ({ x: { data: x, shape: [y.length, numFeatures] }, y });
  const watch = { monitor: "r2", mode: "max" } as const;
  const written: FitCallback[] =
    out === undefined
      ? []
      : [callbacks.csvLog(`${out}/log.csv`), callbacks.bestCheckpoint(`${out}/best.safetensors`, watch)];
  const history = await model.fit(arrays(train), {
    epochs,
    batchSize: training.batchSize,
    microBatchSize: training.microBatchSize,
    validationData: arrays(validation),
    callbacks: [new callbacks.EarlyStopping({ ...watch, patience: 8, restoreBestWeights: true }), ...written],
    verbose,
    ...(workers === undefined ? {} : { workers }),
  });
  return { history, test: await model.evaluate(arrays(test)) };
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { workers: { type: "string" }, out: { type: "string" } } });
  const { history, test } = await fitMovies({
    ...(values.workers === undefined ? {} : { workers: Number(values.workers) }),
    ...(values.out === undefined ? {} : { out: values.out }),
  });
  const { epochs, stopReason, paramsSha256 } = history;
  console.log(`${epochs.length} epochs, ${stopReason ?? "all of them"}; paramsSha256 of the last step ${paramsSha256}`);
  console.log(`test: r2 ${test.r2!.toFixed(4)}, mae ${test.mae!.toFixed(4)}`);
  model.dispose();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
