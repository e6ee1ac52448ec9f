/** @file The order of sum-order.ts in plain JavaScript: what tests compare bits with, and the host's part of f64 sums. */
import { blockElements, numLanes } from "./sum-order.js";

/** Rounds after each addition: Math.fround for f32, nothing for f64. */
type Round = (value: number) => number;

function sumBlock(values: ArrayLike<number>, start: number, round: Round): number {
  const lanes = new Array<number>(numLanes).fill(0);
  const end = Math.min(start + blockElements, values.length);
  for (let i = start; i < end; i++) {
    const lane = (i - start) % numLanes;
    lanes[lane] = round((lanes[lane] ?? 0) + (values[i] ?? 0));
  }
  for (let half = numLanes / 2; half >= 1; half /= 2) {
    for (let lane = 0; lane < half; lane++) lanes[lane] = round((lanes[lane] ?? 0) + (lanes[lane + half] ?? 0));
  }
  return lanes[0] ?? 0;
}

/**
 * Adds leaves by the balanced tree that splits a range of n at the largest power of two below n. No leaves give 0.
 *
 * @source none: ours
 */
export function treeFold(leaves: ArrayLike<number>, round: Round): number {
  const sums = Array.from(leaves);
  for (let span = 1; span < sums.length; span *= 2) {
    for (let i = 0; i + span < sums.length; i += 2 * span) sums[i] = round((sums[i] ?? 0) + (sums[i + span] ?? 0));
  }
  return sums[0] ?? 0;
}

/** The f32 sum of f32 values as every CPU backend computes it. */
export function sumInOrder(values: ArrayLike<number>): number {
  return sumWith(values, Math.fround);
}

/** The f64 sum of values in the same order. */
export function sumInOrder64(values: ArrayLike<number>): number {
  return sumWith(values, (value) => value);
}

function sumWith(values: ArrayLike<number>, round: Round): number {
  const blocks: number[] = [];
  for (let start = 0; start < values.length; start += blockElements) blocks.push(sumBlock(values, start, round));
  return treeFold(blocks, round);
}
