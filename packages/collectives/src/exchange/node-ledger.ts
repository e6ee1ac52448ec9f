/**
 * @file What one rank knows of the nodes of a step: their weights, which of their buckets it has provided itself, and the sums of squares
 * of their blocks that it owns.
 */
import { CollectiveError } from "../errors.js";
import { type MergePlan, sumOverPlan } from "../tree/merge-plan.js";
import type { NodeSquares, ProvidedNode } from "./exchange-options.js";
import type { ExchangePlan } from "./exchange-plan.js";

export class NodeLedger {
  private readonly merge: MergePlan;
  private readonly plan: ExchangePlan;
  private readonly rank: number;
  private readonly weights: (number | undefined)[];
  private readonly provided = new Set<string>();
  /** By leaf, then block: added up in this order, whatever the order of arrival. */
  private readonly squares: Float64Array;

  constructor(merge: MergePlan, plan: ExchangePlan, rank: number) {
    this.merge = merge;
    this.plan = plan;
    this.rank = rank;
    this.weights = new Array(merge.leaves.length).fill(undefined);
    this.squares = new Float64Array(merge.leaves.length * plan.blocks.length);
  }

  /**
   * Notes that this rank gives a bucket of a node.
   *
   * @returns the node's number in the merge plan.
   * @throws {CollectiveError} E_ARGUMENT when it cannot be.
   */
  provide(node: ProvidedNode, bucket: number, vectorLength: number): number {
    const leaf = this.merge.leafOf(node.lo, node.hi);
    const length = this.plan.buckets[bucket]?.length;
    const key = `${leaf}/${bucket}`;
    const refuse = (what: string): never => {
      throw new CollectiveError("E_ARGUMENT", `provide: node [${node.lo}, ${node.hi}), bucket ${bucket}: ${what}.`, {
        node: { lo: node.lo, hi: node.hi },
        bucket,
      });
    };
    if (leaf === undefined || this.merge.leaves[leaf]!.rank !== this.rank)
      return refuse(`it is not rank ${this.rank}'s`);
    if (length === undefined) return refuse(`there are ${this.plan.buckets.length} buckets`);
    if (vectorLength !== length) refuse(`the vector has ${vectorLength} elements; it must have ${length}`);
    if (this.provided.has(key)) refuse("it is given twice; it must be given once");
    this.setWeight(leaf, node.weight, refuse);
    this.provided.add(key);
    return leaf;
  }

  /** @param refuse throws, for a weight that is no count or is not what it was. */
  setWeight(leaf: number, weight: number, refuse: (what: string) => never): void {
    const before = this.weights[leaf];
    if (!(Number.isFinite(weight) && weight >= 0))
      refuse(`its weight is ${weight}; it must be finite and not negative`);
    if (before !== undefined && before !== weight) refuse(`its weight is ${weight} and was ${before}; it must stay`);
    this.weights[leaf] = weight;
  }

  weightOf(leaf: number): number {
    return this.weights[leaf]!;
  }

  /** Once every node's weight is known. */
  totalWeight(): number {
    return sumOverPlan(this.merge, this.weights as number[]);
  }

  setSquares(leaf: number, block: number, sumSquares: number): void {
    this.squares[leaf * this.plan.blocks.length + block] = sumSquares;
  }

  nodeSquares(): NodeSquares[] {
    const numBlocks = this.plan.blocks.length;
    return this.merge.leaves.map(({ lo, hi }, leaf) => {
      const ofBlocks = this.squares.subarray(leaf * numBlocks, (leaf + 1) * numBlocks);
      return { lo, hi, sumSquares: ofBlocks.reduce((sum, squares) => sum + squares, 0) };
    });
  }

  /** First bucket of a node of this rank that was not given yet. */
  findMissing(): { readonly bucket: number } | undefined {
    for (let leaf = 0; leaf < this.merge.leaves.length; leaf++) {
      if (this.merge.leaves[leaf]!.rank !== this.rank) continue;
      for (let bucket = 0; bucket < this.plan.buckets.length; bucket++) {
        if (!this.provided.has(`${leaf}/${bucket}`)) return { bucket };
      }
    }
    return undefined;
  }
}
