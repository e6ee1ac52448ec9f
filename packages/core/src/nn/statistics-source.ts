/** @file What a module with statistics of its inputs owes to whoever runs a step (decision 0013). */
import type { TensorView } from "../backend/backend.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * Emits sums with each micro-batch and takes their sum over all micro-batches once a step.
 *
 * The first element is a count; all are sums, so that they may be added in any grouping and divided by one number.
 */
export interface StatisticsSource {
  readonly statisticsLength: number;
  /** What forward passes of the current micro-batch emitted, f32 [statisticsLength]; the caller disposes it. Undefined: nothing. */
  takeStatistics(): Tensor | undefined;
  /** Updates the running statistics with the sums of a step, all divided by the same number. A count of 0 changes nothing. */
  applyStatistics(sums: TensorView): void;
}

export function isStatisticsSource(module: object): module is StatisticsSource {
  return "applyStatistics" in module && "takeStatistics" in module;
}
