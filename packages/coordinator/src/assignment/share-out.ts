/**
 * @file Who computes what when a step is begun again: everyone keeps the nodes it has, and what nobody has goes to whoever is least
 * busy. Policy only: whatever it decides, the step's bits are the same (L1). Pure.
 */
import { nodesOfRange, type Range, splitNode } from "./tree-nodes.js";

export interface ShareOutOptions {
  readonly numMicroBatches: number;
  /** By rank. */
  readonly kept: readonly (readonly Range[])[];
  /** By rank: time for one micro-batch. */
  readonly microBatchMs: readonly number[];
  /** Whether a rank must not compute anything of a range. */
  readonly isForbidden?: (rank: number, range: Range) => boolean;
}

/** A disjoint cover of [0, numMicroBatches) by tree nodes; index is the rank. Where all are forbidden, nobody is. */
export function shareOut({ numMicroBatches, kept, microBatchMs, isForbidden }: ShareOutOptions): Range[][] {
  const forbids = (rank: number, range: Range): boolean => isForbidden?.(rank, range) ?? false;
  const isAllForbidden = (range: Range): boolean => kept.every((_, rank) => forbids(rank, range));
  const nodes = kept.map((own, rank) => own.filter((node) => isAllForbidden(node) || !forbids(rank, node)));
  const missing = uncovered(numMicroBatches, nodes);
  const total = missing.reduce((sum, [lo, hi]) => sum + hi - lo, 0);
  const largest = Math.max(1, Math.ceil(total / kept.length));
  // What a rank already has may be finished: only what is added counts, unless nothing tells two ranks apart.
  const addedMs = kept.map(() => 0);
  for (const node of missing.flatMap((range) => splitDownTo(range, largest))) {
    let best = -1;
    const length = node[1] - node[0];
    for (let rank = 0; rank < kept.length; rank++) {
      if (forbids(rank, node) && !isAllForbidden(node)) continue;
      const ms = addedMs[rank]! + length * microBatchMs[rank]!;
      if (best < 0 || ms < addedMs[best]! + length * microBatchMs[best]!) best = rank;
    }
    addedMs[best]! += length * microBatchMs[best]!;
    nodes[best]!.push(node);
  }
  return nodes.map((own) => [...own]);
}

function uncovered(numMicroBatches: number, nodes: readonly (readonly Range[])[]): Range[] {
  const covered = nodes.flat().toSorted((a, b) => a[0] - b[0]);
  const missing: Range[] = [];
  let at = 0;
  for (const [lo, hi] of [...covered, [numMicroBatches, numMicroBatches] as const]) {
    if (at < lo) missing.push(...nodesOfRange([at, lo], numMicroBatches));
    at = hi;
  }
  return missing;
}

function splitDownTo(node: Range, largest: number): Range[] {
  if (node[1] - node[0] <= largest) return [node];
  return splitNode(node).flatMap((half) => splitDownTo(half, largest));
}
