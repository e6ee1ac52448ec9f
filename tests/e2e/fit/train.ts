/** Fits one model in this process and with three workers, and prints both as JSON. */
import { callbacks, type FitOptions } from "lockstep";
import { spirals } from "./model.js";

const numSamples = 240;
const y = Array.from({ length: numSamples }, (_, i) => i % 2);
const x = y.map((label, i) => [((i * 7) % 11) / 11 + label, ((i * 5) % 13) / 13 - label]);

const first = spirals.saveWeights();

async function fitOnce(options: FitOptions, out: string | undefined): Promise<void> {
  spirals.loadWeights(first);
  const { epochs, paramsSha256, stopReason, step } = await spirals.fit(
    { x, y },
    {
      epochs: 6,
      batchSize: 24,
      seed: 3,
      validationSplit: 0.1,
      classWeight: { 1: 2 },
      verbose: false,
      callbacks: [
        // The loss grows less than this each epoch, so the second one is no better.
        new callbacks.EarlyStopping({ monitor: "loss", minDelta: 10, patience: 3, restoreBestWeights: true }),
        ...(out === undefined
          ? []
          : [callbacks.csvLog(`${out}/log.csv`), callbacks.bestCheckpoint(`${out}/best.safetensors`)]),
      ],
      ...options,
    },
  );
  const logs = epochs.map(({ ms: _, ...log }) => log);
  const { loss } = await spirals.evaluate({ x, y });
  process.stdout.write(`${JSON.stringify({ logs, paramsSha256, stopReason, step, loss })}\n`);
}

const folder = process.argv[2]!;
await fitOnce({}, `${folder}/alone`);
await fitOnce({ workers: 3 }, `${folder}/together`);
spirals.dispose();
