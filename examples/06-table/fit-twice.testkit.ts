/** Fits two epochs in this process and with three workers, and prints both as JSON. */
import { fitMovies } from "./fit.js";
import model from "./movie-model.js";

const first = model.saveWeights();
const results: unknown[] = [];
for (const options of [{ out: process.argv[2]! }, { workers: 3 }]) {
  model.loadWeights(first);
  const { history, test } = await fitMovies({ epochs: 2, verbose: false, ...options });
  const epochs = history.epochs.map(({ ms: _, ...log }) => log);
  results.push({ epochs, paramsSha256: history.paramsSha256, test });
}
process.stdout.write(JSON.stringify(results));
model.dispose();
