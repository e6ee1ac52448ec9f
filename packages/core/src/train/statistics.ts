/**
 * @file Statistics of modules (BatchNorm) in the flat vector: folded with a micro-batch's gradients, applied once a step (decision 0013).
 *
 * Their entries follow the parameters' in the layout. The vector holds sums over micro-batches divided by the step's weight; every source
 * divides by its own count, which lies beside them, so the weight cancels.
 */
import type { StatisticsSource } from "../nn/statistics-source.js";
import type { Tensor } from "../tensor/tensor.js";
import type { FlatLayout } from "./flat-layout.js";
import type { LeafFold } from "./node-stack.js";

export interface FoldStatisticsOptions {
  /** Place in the layout of the first source: the number of parameters. */
  readonly firstIndex: number;
  /** Sees each entry before it is folded. */
  readonly check?: (index: number, sums: Tensor) => void;
  /** Told of each entry once it is folded. */
  readonly onEntry?: (index: number) => void;
}

/** Folds what the sources emitted in the current micro-batch, and frees it; a source that emitted nothing counts as zeros. @source none: ours. */
export function foldStatistics(
  sources: readonly StatisticsSource[],
  fold: LeafFold,
  { firstIndex, check, onEntry }: FoldStatisticsOptions,
): void {
  sources.forEach((source, i) => {
    const index = firstIndex + i;
    const sums = source.takeStatistics();
    if (sums !== undefined) check?.(index, sums);
    fold.add(index, sums);
    sums?.dispose();
    onEntry?.(index);
  });
}

/** Gives each source its part of a step's reduced vector. @source none: ours. */
export function applyStatistics(sources: readonly StatisticsSource[], vector: Tensor, layout: FlatLayout): void {
  const first = layout.parameters.length - sources.length;
  sources.forEach((source, i) => {
    const { offset, shape } = layout.parameters[first + i]!;
    source.applyStatistics({ buffer: vector.buffer, offset, shape, strides: [1], dtype: "f32" });
  });
}
