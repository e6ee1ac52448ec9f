/** @file Random access to samples, collated to batches of tensors. The same samples give the same bits. */
import { ValueError } from "@lockstep/core";
import type { SampleRef } from "../sampler/sample-ref.js";

export interface Dataset<Batch> {
  /** Samples of an epoch. */
  readonly size: number;
  /**
   * Tensors are created on the current backend, in the current scope.
   * @throws {ValueError} E_SAMPLE when there are no samples or one is out of range.
   */
  batch(samples: readonly SampleRef[]): Batch;
}

/** @throws {ValueError} E_SAMPLE */
export function assertSamples(where: string, samples: readonly SampleRef[], size: number): void {
  if (samples.length === 0) {
    throw new ValueError(`${where}: samples is empty; a batch must have at least one sample.`, {}, "E_SAMPLE");
  }
  for (const { epoch, index } of samples) {
    if (!Number.isInteger(index) || index < 0 || index >= size || !Number.isInteger(epoch) || epoch < 0) {
      throw new ValueError(
        `${where}: a sample is {epoch: ${epoch}, index: ${index}}; index must be in 0..${size - 1} and epoch at least 0.`,
        { epoch, index, size },
        "E_SAMPLE",
      );
    }
  }
}
