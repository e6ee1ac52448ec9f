/**
 * @file A step's update on a device: its gradient is divided, checked and hashed where it was summed, and the device's own optimizer takes
 * the step. Nothing waits: what a person or another replica must know comes later.
 */
import {
  type Backend,
  divideByWeight,
  dropGradient,
  findNonFiniteAsync,
  stateHashAsync,
  type Tensor,
  type VectorPool,
} from "@lockstep/core";
import type { Training } from "./build-training.js";
import { applyUpdateLater, trainingStateHashAsync } from "./training-state.js";

/** A chunk of the flat gradient that stays on the device. */
export interface KeptChunk {
  readonly firstEntry: number;
  readonly endEntry: number;
  /** Of the chunk in the flat vector. */
  readonly offset: number;
  readonly vector: Tensor;
  readonly pool: VectorPool;
}

export interface ReducedOnDevice {
  readonly gradientHash: string;
  /** First element of the flat vector that is not finite; -1 when all are. */
  readonly nonFinite: number;
}

/** Divides the sums by the step's weight, in place. @throws {ValueError} E_NO_WEIGHT. */
export async function reduceOnDevice(
  backend: Backend,
  chunks: readonly KeptChunk[],
  weight: number,
): Promise<ReducedOnDevice> {
  for (const { vector } of chunks) divideByWeight(backend, { sum: vector, out: vector }, weight);
  const parameters = chunks.map(({ vector }) => vector);
  const hash = stateHashAsync(backend, { parameters, buffers: [], optimizer: [], counters: "gradient" });
  const places = Promise.all(chunks.map(({ vector }) => findNonFiniteAsync(backend, vector)));
  const [gradientHash, bad] = await Promise.all([hash, places]);
  const chunk = bad.findIndex((place) => place >= 0);
  return { gradientHash, nonFinite: chunk < 0 ? -1 : chunks[chunk]!.offset + bad[chunk]! };
}

export interface UpdatedOnDevice {
  readonly stateHash: string;
  readonly gradNorm: number;
  readonly learningRate: number;
}

/** Takes the step from the reduced chunks, which go back to their pools. @param stepIndex 0-based. */
export async function updateOnDevice(
  training: Training,
  chunks: readonly KeptChunk[],
  stepIndex: number,
): Promise<UpdatedOnDevice> {
  const { parameters, statistics, layout } = training;
  for (const { firstEntry, endEntry, offset, vector, pool } of chunks) {
    for (let entry = firstEntry; entry < endEntry; entry++) {
      const { offset: start, shape, length } = layout.parameters[entry]!;
      const parameter = parameters[entry];
      if (parameter === undefined) {
        statistics[entry - parameters.length]!.applyStatistics(pool.window(vector, start - offset, length));
        continue;
      }
      dropGradient(parameter);
      parameter.grad = pool.gradientIn(vector, { offset: start - offset, shape });
    }
  }
  const { gradNorm, learningRate } = applyUpdateLater(training, stepIndex);
  const hash = trainingStateHashAsync(training, stepIndex + 1);
  const [norm, stateHash] = await Promise.all([gradNorm, hash]);
  return { stateHash, gradNorm: norm, learningRate };
}
