import { ValueError } from "@lockstep/core";
import type { SampleRef } from "./sample-ref.js";

/**
 * Fixed micro-batches that cover an evaluation set once, in order; the last one may be short. The same for every worldSize.
 *
 * @throws {ValueError} E_VALUE when size or microBatchSize is not a whole number of at least 1.
 */
export function evalMicroBatches(size: number, microBatchSize: number): SampleRef[][] {
  for (const [name, value] of Object.entries({ size, microBatchSize })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new ValueError(`evalMicroBatches: ${name} is ${value}; it must be a whole number of at least 1.`, {
        [name]: value,
      });
    }
  }
  return Array.from({ length: Math.ceil(size / microBatchSize) }, (_, m) => {
    const first = m * microBatchSize;
    const length = Math.min(microBatchSize, size - first);
    return Array.from({ length }, (_, i) => ({ epoch: 0, index: first + i }));
  });
}
