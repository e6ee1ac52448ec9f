/**
 * @file One all-reduce among simulated or real workers, and the oracle it must equal to the bit.
 *
 * The oracle knows no ranks: it sums the micro-batches' vectors on the tree, element by element, and divides. Inputs are
 * of many magnitudes, so that another order of additions gives other bits.
 */

import type { ExchangeResult } from "../exchange/exchange-options.js";
import { bucketsOf, type FlatBucket } from "../exchange/exchange-plan.js";
import { GradientExchange } from "../exchange/gradient-exchange.js";
import type { ProcessGroup } from "../group/process-group.js";
import { nodesOf, type TreeNode, type TreeRange, treeSum } from "../tree/tree-shape.js";
import { plainVectorOps } from "./plain-vector-ops.js";
import { createSeededRandom } from "./seeded-random.js";

export interface ReductionCase {
  readonly seed: number;
  readonly worldSize: number;
  readonly numMicroBatches: number;
  readonly length: number;
  readonly bucketElements: number;
  readonly maxFrameBytes?: number;
  readonly ringAbove?: number;
}

export interface ReductionInput {
  readonly buckets: readonly FlatBucket[];
  /** One vector and weight per micro-batch. */
  readonly gradients: readonly Float32Array[];
  readonly weights: readonly number[];
  readonly nodesByRank: readonly (readonly TreeRange[])[];
}

/** Ranges of random sizes, some empty: any assignment is legal. */
export function reductionInput(options: ReductionCase): ReductionInput {
  const random = createSeededRandom(options.seed);
  const { worldSize, numMicroBatches, length } = options;
  const gradients = Array.from({ length: numMicroBatches }, () =>
    Float32Array.from({ length }, () => (random.next() - 0.5) * 2 ** random.between(-12, 12)),
  );
  const weights = gradients.map(() => random.between(0, 5));
  weights[random.between(0, numMicroBatches - 1)] = 7;
  const cuts = Array.from({ length: worldSize - 1 }, () => random.between(0, numMicroBatches)).sort((a, b) => a - b);
  const nodesByRank = Array.from({ length: worldSize }, (_, rank) =>
    nodesOf(cuts[rank - 1] ?? 0, cuts[rank] ?? numMicroBatches, numMicroBatches),
  );
  return { buckets: bucketsOf(length, options.bucketElements), gradients, weights, nodesByRank };
}

/** What every rank must hold, and the total weight. */
export function expectedReduction(input: ReductionInput): {
  readonly gradient: Float32Array;
  readonly totalWeight: number;
} {
  const totalWeight = treeSum(input.weights, (a, b) => a + b);
  const sum = treeSum(input.gradients, addVectors);
  return { gradient: sum.map((value) => value / Math.fround(totalWeight)), totalWeight };
}

/** A rank's nodes with their vectors, summed as a worker does. */
export function nodesWithVectors(input: ReductionInput, rank: number): TreeNode[] {
  return input.nodesByRank[rank]!.map(({ lo, hi }) => ({
    lo,
    hi,
    weight: treeSum(input.weights.slice(lo, hi), (a, b) => a + b),
    vector: treeSum(input.gradients.slice(lo, hi), addVectors),
  }));
}

export interface RankResult extends ExchangeResult {
  readonly gradient: Float32Array;
}

/** Runs the exchange of one rank: provides its nodes' buckets in a seeded order and gives its copy of the result. */
export async function runRank(group: ProcessGroup, options: ReductionCase, input: ReductionInput): Promise<RankResult> {
  const destination = new Float32Array(options.length).fill(Number.NaN);
  const exchange = new GradientExchange(group, {
    step: 1,
    attempt: 1,
    numMicroBatches: options.numMicroBatches,
    nodesByRank: input.nodesByRank,
    buckets: input.buckets,
    destination,
    ops: plainVectorOps,
    ...(options.maxFrameBytes === undefined ? {} : { maxFrameBytes: options.maxFrameBytes }),
    ...(options.ringAbove === undefined ? {} : { ringAbove: options.ringAbove }),
  });
  const random = createSeededRandom(options.seed + group.rank);
  const pieces = nodesWithVectors(input, group.rank).flatMap((node) =>
    input.buckets.map((bucket, number) => ({ node, bucket, number })),
  );
  while (pieces.length > 0) {
    const [{ node, bucket, number }] = pieces.splice(random.between(0, pieces.length - 1), 1) as [
      (typeof pieces)[number],
    ];
    const wait = new Promise<void>((resolve) => void group.clock.schedule(random.next() * 4, resolve));
    await wait;
    exchange.provide(node, number, node.vector.subarray(bucket.offset, bucket.offset + bucket.length));
  }
  return { ...(await exchange.done), gradient: destination };
}

/** @throws {Error} naming rank and element of the first bit that differs from the oracle. */
export function assertReduction(input: ReductionInput, results: readonly RankResult[]): void {
  const { gradient, totalWeight } = expectedReduction(input);
  const expected = new Uint32Array(gradient.buffer);
  for (const [rank, result] of results.entries()) {
    const actual = new Uint32Array(result.gradient.buffer);
    const at = expected.findIndex((word, i) => word !== actual[i]);
    if (at >= 0 || actual.length !== expected.length) {
      throw new Error(`rank ${rank}: element ${at} is ${result.gradient[at]}; the tree oracle has ${gradient[at]}.`);
    }
    if (result.totalWeight !== totalWeight)
      throw new Error(`rank ${rank}: totalWeight ${result.totalWeight}, not ${totalWeight}.`);
    if (result.gradientHash !== results[0]!.gradientHash)
      throw new Error(`rank ${rank}: another gradientHash than rank 0.`);
  }
}

function addVectors(left: Float32Array, right: Float32Array): Float32Array {
  return left.map((value, i) => value + right[i]!);
}
