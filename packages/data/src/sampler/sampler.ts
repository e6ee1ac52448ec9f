/**
 * @file Which samples a step trains on: a pure function of (seed, step, m). No list in memory, no state to save.
 *
 * Sample i of step k is global sample p = k * globalBatchSize + i, in epoch floor(p / size), at the place to which that epoch's keyed
 * permutation sends p mod size. Micro-batch m holds samples [m * b, (m + 1) * b) of the step. Batches run across epoch borders and
 * are never short. Steps count from 0.
 * Invariant (L3): the micro-batches of the steps 0, 1, 2, ... hold every sample of every epoch exactly once, in order of epochs.
 */
import { type KeyedPermutation, keyedPermutation, ValueError } from "@lockstep/core";
import type { SampleRef } from "./sample-ref.js";

export interface SamplerOptions {
  readonly seed: number;
  /** Samples of the dataset. */
  readonly size: number;
  readonly globalBatchSize: number;
  readonly microBatchSize: number;
}

export interface Sampler {
  /** M = globalBatchSize / microBatchSize. */
  readonly numMicroBatches: number;
  /**
   * Samples of micro-batch m of a step.
   * @throws {ValueError} E_VALUE when step or m is out of range.
   */
  microBatch(step: number, m: number): SampleRef[];
  /** Where a step begins: its first global sample and that sample's epoch. For logs and checkpoints. */
  position(step: number): { readonly globalSample: number; readonly epoch: number };
}

/**
 * The sampler of a run.
 *
 * @throws {ValueError} E_VALUE when a size is not a whole number of at least 1; E_BATCH_SIZE when microBatchSize does not divide
 *   globalBatchSize.
 */
export function createSampler(options: SamplerOptions): Sampler {
  const { seed, size, globalBatchSize, microBatchSize } = options;
  assertCount("size", size);
  assertCount("globalBatchSize", globalBatchSize);
  assertCount("microBatchSize", microBatchSize);
  if (globalBatchSize % microBatchSize !== 0) {
    throw new ValueError(
      `createSampler: globalBatchSize is ${globalBatchSize} and microBatchSize ${microBatchSize}; the second must divide the first.`,
      { globalBatchSize, microBatchSize },
      "E_BATCH_SIZE",
    );
  }
  const numMicroBatches = globalBatchSize / microBatchSize;
  let cached: { epoch: number; permutation: KeyedPermutation } | undefined;
  const permutationOf = (epoch: number): KeyedPermutation => {
    if (cached?.epoch !== epoch) cached = { epoch, permutation: keyedPermutation(size, { seed, stream: epoch }) };
    return cached.permutation;
  };
  return {
    numMicroBatches,
    microBatch(step, m) {
      assertStep(step);
      if (!Number.isInteger(m) || m < 0 || m >= numMicroBatches) {
        throw new ValueError(`Sampler.microBatch: m is ${m}; it must be a whole number in 0..${numMicroBatches - 1}.`, {
          m,
          numMicroBatches,
        });
      }
      const first = step * globalBatchSize + m * microBatchSize;
      return Array.from({ length: microBatchSize }, (_, i) => {
        const epoch = Math.floor((first + i) / size);
        return { epoch, index: permutationOf(epoch).at((first + i) % size) };
      });
    },
    position(step) {
      assertStep(step);
      const globalSample = step * globalBatchSize;
      return { globalSample, epoch: Math.floor(globalSample / size) };
    },
  };
}

/** One micro-batch, without keeping a sampler. Same as createSampler(options).microBatch(step, m). */
export function microBatchSamples(options: SamplerOptions, step: number, m: number): SampleRef[] {
  return createSampler(options).microBatch(step, m);
}

function assertStep(step: number): void {
  if (!Number.isInteger(step) || step < 0) {
    throw new ValueError(`Sampler: step is ${step}; it must be a whole number of at least 0.`, { step });
  }
}

function assertCount(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) {
    throw new ValueError(`createSampler: ${name} is ${value}; it must be a whole number of at least 1.`, {
      [name]: value,
    });
  }
}
