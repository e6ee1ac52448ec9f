/**
 * @file In which order the nodes that the ranks hold are added: the part of the tree above those nodes. Pure.
 *
 * Entries 0..numLeaves-1 are the nodes of the cover from left to right, the others their sums, the last one the root.
 */
import { CollectiveError } from "../errors.js";
import { splitOf, type TreeRange } from "./tree-shape.js";

export interface MergePlan {
  readonly numMicroBatches: number;
  readonly leaves: readonly PlanLeaf[];
  /** `parents[i]` of entry i; -1 for the root. */
  readonly parents: readonly number[];
  /** Children of entry numLeaves + i. */
  readonly sums: readonly { readonly left: number; readonly right: number }[];
  readonly root: number;
  /** Number of the leaf that is [lo, hi), or undefined. */
  leafOf(lo: number, hi: number): number | undefined;
}

export interface PlanLeaf extends TreeRange {
  readonly rank: number;
}

/**
 * Plans the sum of a disjoint cover of [0, numMicroBatches) by tree nodes, given as the nodes of each rank.
 *
 * @throws {CollectiveError} E_COVER naming the range that is missing, doubled or no node.
 * @source none: ours
 */
export function mergePlanOf(numMicroBatches: number, nodesByRank: readonly (readonly TreeRange[])[]): MergePlan {
  const leaves: PlanLeaf[] = nodesByRank
    .flatMap((nodes, rank) => nodes.map(({ lo, hi }) => ({ lo, hi, rank })))
    .sort((a, b) => a.lo - b.lo || a.hi - b.hi);
  const numbers = new Map(leaves.map((leaf, number) => [keyOf(leaf.lo, leaf.hi), number]));
  const parents: number[] = new Array(leaves.length).fill(-1);
  const sums: { left: number; right: number }[] = [];
  let numUsed = 0;

  const build = (lo: number, hi: number): number => {
    const leaf = numbers.get(keyOf(lo, hi));
    if (leaf !== undefined) {
      numUsed++;
      return leaf;
    }
    if (hi - lo <= 1) throw coverError(`micro-batch ${lo} of ${numMicroBatches} is in no node`, nodesByRank);
    const middle = lo + splitOf(hi - lo);
    const left = build(lo, middle);
    const right = build(middle, hi);
    sums.push({ left, right });
    const entry = leaves.length + sums.length - 1;
    parents[left] = entry;
    parents[right] = entry;
    parents.push(-1);
    return entry;
  };
  const root = build(0, numMicroBatches);
  if (numUsed !== leaves.length) {
    throw coverError(
      `${leaves.length} nodes are given and ${numUsed} make the tree over ${numMicroBatches}`,
      nodesByRank,
    );
  }
  return { numMicroBatches, leaves, parents, sums, root, leafOf: (lo, hi) => numbers.get(keyOf(lo, hi)) };
}

/** Sum of one number per leaf, in the order of the tree. @source none: ours */
export function sumOverPlan(plan: MergePlan, values: readonly number[]): number {
  const entries = [...values];
  for (const { left, right } of plan.sums) entries.push(entries[left]! + entries[right]!);
  return entries[plan.root]!;
}

function keyOf(lo: number, hi: number): string {
  return `${lo}-${hi}`;
}

function coverError(what: string, nodesByRank: readonly (readonly TreeRange[])[]): CollectiveError {
  const held = nodesByRank.map(
    (nodes, rank) => `rank ${rank}: ${nodes.map(({ lo, hi }) => `[${lo},${hi})`).join(" ")}`,
  );
  return new CollectiveError(
    "E_COVER",
    `mergePlanOf: ${what}; the nodes of all ranks must cover every micro-batch exactly once (${held.join("; ")}).`,
    { nodesByRank },
  );
}
