import { bucketsOf } from "../exchange/exchange-plan.js";
import { GradientExchange } from "../exchange/gradient-exchange.js";
import type { VectorOps, VectorPool } from "../exchange/vector-ops.js";
import type { ProcessGroup } from "../group/process-group.js";
import type { TreeNode, TreeRange } from "../tree/tree-shape.js";
import type { CollectiveOptions } from "./collective-options.js";

export interface ReduceOptions extends CollectiveOptions {
  readonly numMicroBatches: number;
  /** Disjoint cover of [0, numMicroBatches) by tree nodes; this rank's are those of `nodes`. */
  readonly nodesByRank: readonly (readonly TreeRange[])[];
  /** Elements of every node's vector. */
  readonly length: number;
  readonly ops: VectorOps;
  readonly pool?: VectorPool;
}

export interface ReducedShard {
  /** First element in the vector. */
  readonly offset: number;
  readonly vector: Float32Array;
  /** 32 hex digits. */
  readonly hash: string;
  readonly totalWeight: number;
}

/**
 * Completes the tree sum of every shard at its owner.
 *
 * A rank contributes the maximal tree nodes inside its range of micro-batches; the owner of shard s, rank s, adds the
 * nodes of all ranks in tree order and divides by the total weight, once. The order of additions is a function of the
 * micro-batch grid alone (L1).
 *
 * @param nodes f32 vectors of `length`, disjoint, together with the other ranks' a cover of [0, numMicroBatches).
 * @returns the reduced shard of this rank, f32, checked finite. `nodes` are left as they were.
 * @shape nodes [length] -> shard [about length / worldSize], cut at multiples of 16
 * @throws {CollectiveError} E_PEER_LOST, E_PEER_TIMEOUT, E_GENERATION_CHANGED, E_NOT_FINITE, E_COVER.
 * @source Patarasuk and Yuan 2009 for the byte count, (N-1)/N; the tree order is ours, because a ring adds in rank order.
 */
export async function treeReduceScatter(
  nodes: readonly TreeNode[],
  group: ProcessGroup,
  options: ReduceOptions,
): Promise<ReducedShard> {
  const { length, ops } = options;
  const destination = options.pool?.acquire(length) ?? new Float32Array(length);
  const exchange = new GradientExchange(
    group,
    {
      ...options,
      step: group.nextSequence(),
      attempt: 0,
      buckets: bucketsOf(length, Math.max(1, length)),
      destination,
    },
    { where: "treeReduceScatter", stream: "collective", gathers: false },
  );
  for (const node of nodes) exchange.provide(node, 0, node.vector);
  const { totalWeight } = await exchange.done;
  const { offset, end } = exchange.ownedRange();
  const vector = destination.subarray(offset, end);
  return { offset, vector, hash: ops.hash(vector), totalWeight };
}
