/** @file A fit in this process: one engine that takes every step alone. */
import { metrics, treeSum } from "@lockstep/core";
import {
  type AnyJob,
  createJobFiles,
  type EvaluatedMicroBatch,
  type MicroBatchSum,
  modelFile,
  type ParsedConfig,
  TrainingEngine,
} from "@lockstep/worker";
import type { EpochBook } from "./epoch-book.js";
import { samplesFile } from "./fit-job.js";
import type { FitPorts, LaunchResult } from "./fit-ports.js";

export interface LocalRun {
  readonly job: AnyJob;
  readonly config: ParsedConfig;
  readonly stepsPerEpoch: number;
  readonly samples: Uint8Array;
  readonly initFrom: Uint8Array | undefined;
  readonly seed: number;
  readonly book: EpochBook;
}

const memoryBytes = 2 ** 32;

/** Trains to the end or to where a callback ends it; gives everything back. Throws what the engine throws. */
export async function runLocally(
  ports: FitPorts,
  { job, config, stepsPerEpoch, samples, initFrom, seed, book }: LocalRun,
): Promise<Omit<LaunchResult, "paramsSha256"> & { readonly paramsSha256: string | undefined }> {
  const engine = new TrainingEngine({
    job,
    config,
    seed,
    files: createJobFiles([{ name: samplesFile, path: samplesFile, read: () => samples }]),
    backend: ports.createBackend(),
    workerId: "this process",
    nowMs: ports.nowMs ?? (() => 0),
    sha256: ports.sha256 ?? (() => ""),
    maxBytes: memoryBytes,
    ...(initFrom === undefined ? {} : { initFrom }),
  });
  try {
    engine.prepare();
    const { totalSteps } = config;
    let evaluation: Readonly<Record<string, number>> = {};
    let step = 0;
    const weights = async () => engine.takeSnapshot().model;
    while (step < totalSteps) {
      const { losses, learningRate, gradNorm } = engine.stepAlone();
      step++;
      book.noteStep({ step, loss: meanOf(losses), learningRate, gradNorm });
      if (step % stepsPerEpoch !== 0) continue;
      evaluation = evaluate(engine);
      if ((await book.endEpoch(step, evaluation, weights)) !== undefined) break;
    }
    if (ports.sha256 === undefined) return { step, evaluation, weights: await weights(), paramsSha256: undefined };
    const { files, paramsSha256 } = engine.exportState();
    return { step, evaluation, weights: files.find(({ name }) => name === modelFile)!.bytes, paramsSha256 };
  } finally {
    engine.dispose();
  }
}

function evaluate(engine: TrainingEngine): Readonly<Record<string, number>> {
  const numMicroBatches = engine.training.evalGrid.length;
  if (numMicroBatches === 0) return {};
  const parts = engine.evaluate({ lo: 0, hi: numMicroBatches });
  const states = parts.flatMap(([, , , state]) => (state === undefined ? [] : [state]));
  const values = states.length === 0 ? {} : metrics.valuesOfStates(engine.training.metrics, states);
  return { evalLoss: meanOf(parts), ...values };
}

/** As a coordinator makes it of what its workers report. */
function meanOf(losses: readonly (MicroBatchSum | EvaluatedMicroBatch)[]): number {
  const inOrder = [...losses].sort(([a], [b]) => a - b);
  return treeSum(inOrder.map(([, sum]) => sum)) / treeSum(inOrder.map(([, , weight]) => weight));
}
