/**
 * @file Completes the tree sum of one block at its owner, from node vectors that arrive in any order.
 *
 * Two siblings are added as soon as both are there: which additions happen is the plan's, when they happen is chance.
 * The nodes' own vectors are never written: they belong to their provider, or came from another rank and stay until the block is complete.
 */
import type { MergePlan } from "../tree/merge-plan.js";
import type { VectorOps, VectorPool } from "./vector-ops.js";

export class BlockReduction {
  private readonly plan: MergePlan;
  private readonly ops: VectorOps;
  private readonly pool: VectorPool;
  private readonly destination: Float32Array;
  private readonly entries: (Float32Array | undefined)[];
  private readonly received: Float32Array[] = [];

  constructor(
    plan: MergePlan,
    tools: { readonly ops: VectorOps; readonly pool: VectorPool },
    destination: Float32Array,
  ) {
    this.plan = plan;
    this.ops = tools.ops;
    this.pool = tools.pool;
    this.destination = destination;
    this.entries = new Array(plan.leaves.length + plan.sums.length).fill(undefined);
  }

  has(leaf: number): boolean {
    return this.entries[leaf] !== undefined;
  }

  /** @param isReceived whether the vector came from the pool and returns to it. */
  insert(leaf: number, vector: Float32Array, isReceived: boolean): void {
    this.entries[leaf] = vector;
    if (isReceived) this.received.push(vector);
    for (let entry = this.plan.parents[leaf]!; entry !== -1; entry = this.plan.parents[entry]!) {
      const { left, right } = this.plan.sums[entry - this.plan.leaves.length]!;
      const leftVector = this.entries[left];
      const rightVector = this.entries[right];
      if (leftVector === undefined || rightVector === undefined) return;
      const out = this.outputOf(entry, leftVector, rightVector, { left, right });
      this.ops.add(out, leftVector, rightVector);
      this.entries[entry] = out;
      this.releaseSum(left, out);
      this.releaseSum(right, out);
    }
  }

  /** The sum over all micro-batches, once every node is there. */
  get sum(): Float32Array | undefined {
    return this.entries[this.plan.root];
  }

  firstMissingLeaf(isWanted: (leaf: number) => boolean): number | undefined {
    const leaf = this.plan.leaves.findIndex((_, number) => this.entries[number] === undefined && isWanted(number));
    return leaf < 0 ? undefined : leaf;
  }

  release(): void {
    for (const vector of this.received.splice(0)) this.pool.release(vector);
    for (let entry = this.plan.leaves.length; entry < this.entries.length; entry++) this.releaseSum(entry, undefined);
    this.entries.fill(undefined);
  }

  private outputOf(
    entry: number,
    left: Float32Array,
    right: Float32Array,
    children: { readonly left: number; readonly right: number },
  ): Float32Array {
    if (entry === this.plan.root) return this.destination;
    if (children.left >= this.plan.leaves.length) return left;
    if (children.right >= this.plan.leaves.length) return right;
    return this.pool.acquire(this.destination.length);
  }

  /** A child's sum is no longer needed, unless its memory became the parent's. */
  private releaseSum(entry: number, reusedAs: Float32Array | undefined): void {
    const vector = this.entries[entry];
    if (entry < this.plan.leaves.length || vector === undefined) return;
    this.entries[entry] = undefined;
    if (vector !== reusedAs && vector !== this.destination) this.pool.release(vector);
  }
}
