/**
 * @file Who computes which micro-batches. Policy only: whatever it decides, the step's bits are the same (L1). Pure.
 *
 * Every worker gets one contiguous range, cut so that it is at most three tree nodes. Among such covers the one with the smallest
 * slowest worker wins, then the one with the fewest nodes, because every node beyond the first is a vector more to send.
 */
import { nodesOfRange, type Range } from "./tree-nodes.js";

export interface AssignmentOptions {
  readonly numMicroBatches: number;
  /** By rank: time for one micro-batch; equal numbers share equally. */
  readonly microBatchMs: readonly number[];
  /** Time that one node vector costs its worker. Default 0: only the number of nodes breaks ties. */
  readonly nodeMs?: number;
  /** Most nodes a worker may hold. Default 3. */
  readonly maxNodes?: number;
}

/** Grids above this many micro-batches are cut at multiples of a power of two only, to keep the search small. */
const maxCutPoints = 256;

interface Cut {
  readonly slowestMs: number;
  readonly numNodes: number;
  /** Cut point where this worker's range begins. */
  readonly from: number;
}

/**
 * A disjoint cover of [0, numMicroBatches) by tree nodes; index is the rank.
 *
 * @throws {RangeError} when there are more workers than micro-batches.
 */
export function assignMicroBatches(options: AssignmentOptions): Range[][] {
  const { numMicroBatches, microBatchMs, nodeMs = 0, maxNodes = 3 } = options;
  const numWorkers = microBatchMs.length;
  if (numWorkers < 1 || numWorkers > numMicroBatches) {
    throw new RangeError(
      `assignment: ${numWorkers} workers for ${numMicroBatches} micro-batches; there must be 1 to ${numMicroBatches}. Keep the others as spares.`,
    );
  }
  const points = cutPoints(numMicroBatches, numWorkers);
  const last = points.length - 1;
  // best[p]: the best way to give [0, points[p]) to the ranks so far.
  let best: (Cut | undefined)[] = points.map((_, p) => (p === 0 ? { slowestMs: 0, numNodes: 0, from: 0 } : undefined));
  const history: (Cut | undefined)[][] = [];
  const counts = nodeCounter(points, numMicroBatches, maxNodes);
  for (let rank = 0; rank < numWorkers; rank++) {
    const next: (Cut | undefined)[] = new Array(points.length).fill(undefined);
    for (let to = rank + 1; to <= last - (numWorkers - 1 - rank); to++) {
      for (let from = rank; from < to; from++) {
        const before = best[from];
        const numNodes = before && counts(from, to);
        if (!before || !numNodes) continue;
        const ownMs = (points[to]! - points[from]!) * microBatchMs[rank]! + numNodes * nodeMs;
        const cut = { slowestMs: Math.max(before.slowestMs, ownMs), numNodes: before.numNodes + numNodes, from };
        if (isBetter(cut, next[to])) next[to] = cut;
      }
    }
    history.push(next);
    best = next;
  }
  // There always is one: numWorkers <= numMicroBatches single nodes cover the grid.
  const nodesByRank: Range[][] = new Array(numWorkers);
  let to = last;
  for (let rank = numWorkers - 1; rank >= 0; rank--) {
    const { from } = history[rank]![to]!;
    nodesByRank[rank] = nodesOfRange([points[from]!, points[to]!], numMicroBatches);
    to = from;
  }
  return nodesByRank;
}

/** Contiguous, balanced ranges of a grid in which any range may be computed by anyone; null where there is nothing left. */
export function assignEvaluation(numMicroBatches: number, numWorkers: number): (Range | null)[] {
  return Array.from({ length: numWorkers }, (_, rank) => {
    const lo = Math.floor((numMicroBatches * rank) / numWorkers);
    const hi = Math.floor((numMicroBatches * (rank + 1)) / numWorkers);
    return lo < hi ? [lo, hi] : null;
  });
}

function cutPoints(numMicroBatches: number, numWorkers: number): number[] {
  let stride = 1;
  while (numMicroBatches / stride > maxCutPoints && numMicroBatches / (stride * 2) >= 4 * numWorkers) stride *= 2;
  const points: number[] = [];
  for (let point = 0; point < numMicroBatches; point += stride) points.push(point);
  points.push(numMicroBatches);
  return points;
}

/** Number of nodes of a range between two cut points, or 0 when it is more than allowed. */
function nodeCounter(points: readonly number[], total: number, maxNodes: number) {
  const known = new Map<number, number>();
  return (from: number, to: number): number => {
    const key = from * points.length + to;
    let numNodes = known.get(key);
    if (numNodes === undefined) {
      numNodes = nodesOfRange([points[from]!, points[to]!], total).length;
      if (numNodes > maxNodes) numNodes = 0;
      known.set(key, numNodes);
    }
    return numNodes;
  };
}

function isBetter(cut: Cut, other: Cut | undefined): boolean {
  if (other === undefined || cut.slowestMs !== other.slowestMs)
    return other === undefined || cut.slowestMs < other.slowestMs;
  return cut.numNodes < other.numNodes;
}
