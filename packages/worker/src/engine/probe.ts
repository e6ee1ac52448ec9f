/**
 * @file The probe micro-batch: hashes of the initial weights, the loss and every gradient of micro-batch 0 of step 1, by which
 * workers are compared before any work, and a job with itself. It does not depend on the state that a worker continues from (replicas'
 * states are compared by their hash), so that the probe of a late joiner equals those of the first workers.
 */
import { dropGradient, hashText, type MemoryFigures, microBatchScope, type Tensor, withBackend } from "@lockstep/core";
import { JobError } from "../errors.js";
import { buildModel, type Training } from "./build-training.js";
import type { ProbeResult } from "./compute-engine.js";
import { lossOf } from "./micro-batch.js";
import { modelTensors } from "./training-state.js";

type NamedHash = ProbeResult["tensors"][number];

/**
 * Builds the initial weights a second time and computes the micro-batch twice.
 *
 * @param training freshly built: nothing was trained or restored yet.
 * @param compute hashes of loss and gradients of the micro-batch; default: on the training's own backend.
 * @throws {JobError} E_NOT_DETERMINISTIC naming the first tensor that differs.
 */
export function probeTwice(
  training: Training,
  memory: () => MemoryFigures,
  compute: (training: Training) => readonly NamedHash[] = probe,
): { probe: ProbeResult; activationBytes: number } {
  const initial = hashWeights(training, modelTensors(training));
  const again = buildModel(training.source, training.data);
  const second = hashWeights(training, modelTensors({ model: again }));
  again.dispose();
  assertSameHashes(training.source.job.name, initial, second);

  const before = memory().usedBytes;
  const first = compute(training);
  const activationBytes = Math.max(0, memory().peakBytes - before);
  assertSameHashes(training.source.job.name, first, compute(training));
  const tensors = [...initial, ...first];
  return {
    probe: { hash: hashText(training.source.backend, tensors.map(({ hash }) => hash).join()), tensors },
    activationBytes,
  };
}

/** The first name whose hashes differ, if there is one. */
export function findFirstDifference(a: readonly NamedHash[], b: readonly NamedHash[]): string | undefined {
  return a.find(({ name, hash }, i) => b[i]?.name !== name || b[i]?.hash !== hash)?.name ?? b[a.length]?.name;
}

function assertSameHashes(job: string, first: readonly NamedHash[], second: readonly NamedHash[]): void {
  const tensor = findFirstDifference(first, second);
  if (tensor === undefined) return;
  throw new JobError(
    `job "${job}": computed twice from the same seed, ${tensor} has two values; a job must give the same bits every time. Look for Math.random, the clock or the order of an object's keys in its functions.`,
    { job, tensor, parameter: tensor },
    "E_NOT_DETERMINISTIC",
  );
}

/** Hashes of the loss and of each parameter's gradient, in registration order. */
function probe(training: Training): NamedHash[] {
  const { source, parameters, layout } = training;
  const { backend, seed } = source;
  return withBackend(backend, () =>
    microBatchScope({ seed, step: 0, m: 0 }, () => {
      const { sum } = lossOf(training, training.sampler.microBatch(0, 0), "train");
      const hashes: NamedHash[] = [{ name: "the loss", hash: backend.kernels.hash([sum]) }];
      if (sum.requiresGrad) sum.backward();
      for (let i = parameters.length - 1; i >= 0; i--) {
        const { grad } = parameters[i]!;
        if (grad !== undefined) {
          hashes.push({ name: `the gradient of ${layout.parameters[i]!.name}`, hash: backend.kernels.hash([grad]) });
        }
        dropGradient(parameters[i]!);
      }
      training.statistics.forEach((source, i) => {
        const sums = source.takeStatistics();
        const { name } = layout.parameters[parameters.length + i]!;
        if (sums !== undefined) hashes.push({ name: `the ${name}`, hash: backend.kernels.hash([sums]) });
        sums?.dispose();
      });
      return hashes;
    }),
  );
}

function hashWeights({ source }: Training, tensors: readonly (readonly [string, Tensor])[]): NamedHash[] {
  return tensors.map(([name, tensor]) => ({
    name: `the initial ${name}`,
    hash: source.backend.kernels.hash([tensor]),
  }));
}
