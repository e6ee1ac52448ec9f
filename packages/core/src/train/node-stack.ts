/**
 * @file Sums the gradients of consecutive micro-batches into one node of the tree, on a binary-counter stack of flat vectors.
 *
 * Entry i of the stack is a finished left subtree; its right neighbours are smaller. A new leaf folds the entries that the binary
 * counter says are complete with it, the last leaf folds all: `e0 + (e1 + (... + leaf))`. A fold is made parameter by parameter, so
 * the last one can run while its backward pass still computes earlier layers. Every addition is one f32 add, left + right (L1).
 * Memory: k leaves need at most floor(log2 k) + 1 vectors, because a leaf that folds needs none.
 */
import type { DeviceBuffer, TensorView } from "../backend/backend.js";
import { StateError, ValueError } from "../errors.js";
import { contiguousStrides, isContiguousLayout } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import type { FlatLayout } from "./flat-layout.js";
import type { VectorPool } from "./vector-pool.js";

/** The sum of micro-batches [lo, hi): a vector of the pool, and the tree sum of their weights. */
export interface NodeSum {
  readonly lo: number;
  readonly hi: number;
  readonly weight: number;
  readonly vector: Tensor;
}

/** One micro-batch on its way into the stack. */
export interface LeafFold {
  /** The vector that holds the folded sum: final where parameters were added, if this was the node's last micro-batch. */
  readonly vector: Tensor;
  /** Weight of what `vector` will hold. */
  readonly weight: number;
  /** Folds the gradient of the parameter at this place of the layout, f32; undefined stands for +0. Each place once. */
  add(parameterIndex: number, gradient: TensorView | undefined): void;
  /** All parameters not yet added count as +0. */
  finish(): void;
}

export class NodeStack {
  private readonly pool: VectorPool;
  private readonly layout: FlatLayout;
  private readonly lo: number;
  private readonly hi: number;
  private entries: NodeSum[] = [];
  private next: number;
  /** Vector of an open fold that no entry holds yet. */
  private opened: Tensor | undefined;
  private scratch: DeviceBuffer | undefined;

  /** @param range micro-batches [lo, hi) of the node, at least one. */
  constructor(pool: VectorPool, layout: FlatLayout, range: { readonly lo: number; readonly hi: number }) {
    this.pool = pool;
    this.layout = layout;
    this.lo = range.lo;
    this.hi = range.hi;
    this.next = range.lo;
  }

  /** Micro-batch that the next leaf belongs to. */
  get nextMicroBatch(): number {
    return this.next;
  }

  /**
   * Opens the fold of the next micro-batch, whose weight is known once its forward pass is.
   *
   * @throws {StateError} E_STATE when the node already has all its micro-batches.
   * @throws {ValueError} E_WEIGHT when the weight is negative or not finite.
   */
  leaf(weight: number): LeafFold {
    const m = this.next;
    if (m >= this.hi) {
      throw new StateError(
        `treeSum: micro-batch ${m} was added to node [${this.lo}, ${this.hi}); the node has ${this.hi - this.lo} micro-batches. Begin a new one.`,
        { lo: this.lo, hi: this.hi },
      );
    }
    assertWeight(m, weight);
    const isLast = m === this.hi - 1;
    const folded = this.entries.slice(this.entries.length - this.numFolds(m - this.lo + 1, isLast));
    const total = folded.reduceRight((right, left) => left.weight + right, weight);
    const bottom = folded[0];
    const vector = bottom === undefined ? this.pool.acquire() : bottom.vector;
    this.opened = bottom === undefined ? vector : undefined;
    const isAdded = new Uint8Array(this.layout.parameters.length);
    const add = (index: number, gradient: TensorView | undefined): void => {
      if (isAdded[index] === 1) return;
      isAdded[index] = 1;
      this.fold(index, gradient, folded, vector);
    };
    const finish = (): void => {
      for (let i = 0; i < isAdded.length; i++) add(i, undefined);
      for (const entry of folded.slice(1)) this.pool.release(entry.vector);
      const lo = bottom === undefined ? m : bottom.lo;
      this.entries.length -= folded.length;
      this.entries.push({ lo, hi: m + 1, weight: total, vector });
      this.opened = undefined;
      this.next = m + 1;
    };
    return { vector, weight: total, add, finish };
  }

  /**
   * The finished node; its vector now belongs to the caller, who releases it to the pool.
   *
   * @throws {StateError} E_STATE when micro-batches are missing.
   */
  complete(): NodeSum {
    const [node] = this.entries;
    if (this.next !== this.hi || node === undefined) {
      throw new StateError(
        `treeSum: node [${this.lo}, ${this.hi}) has ${this.next - this.lo} of ${this.hi - this.lo} micro-batches; it must have all. Add the missing ones first.`,
        { lo: this.lo, hi: this.hi, added: this.next - this.lo },
      );
    }
    this.entries = [];
    this.releaseScratch();
    return node;
  }

  /**
   * Ends the node before it is complete. The finished subtrees on the stack, from left to right, now belong to the caller, who releases
   * their vectors. Not after a fold that was opened and not finished: the entries it folds into are partly written.
   */
  dismantle(): readonly NodeSum[] {
    const { entries } = this;
    this.entries = [];
    this.releaseScratch();
    return entries;
  }

  /** Gives all vectors back, those of a fold that was not finished included. */
  abandon(): void {
    for (const entry of this.dismantle()) this.pool.release(entry.vector);
    if (this.opened !== undefined) this.pool.release(this.opened);
    this.opened = undefined;
  }

  /** Entries that a leaf completes: all for the last one, else the trailing ones of the number of leaves before it. */
  private numFolds(numLeaves: number, isLast: boolean): number {
    if (isLast) return this.entries.length;
    let folds = 0;
    for (let before = numLeaves - 1; before % 2 === 1; before = (before - 1) / 2) folds++;
    return folds;
  }

  private fold(index: number, gradient: TensorView | undefined, folded: readonly NodeSum[], vector: Tensor): void {
    const { offset, length } = this.layout.parameters[index]!;
    if (length === 0) return;
    const { kernels } = this.pool.backend;
    if (folded.length === 0) {
      const target = this.pool.window(vector, offset, length);
      if (gradient === undefined) kernels.fill(target, 0);
      else kernels.copy(gradient, shapedLike(target, gradient));
      return;
    }
    let right = this.flatOf(gradient, length);
    for (let i = folded.length - 1; i >= 0; i--) {
      const left = this.pool.window(folded[i]!.vector, offset, length);
      kernels.addInto(left, right, left);
      right = left;
    }
  }

  /** The gradient as one contiguous run of `length` elements. */
  private flatOf(gradient: TensorView | undefined, length: number): TensorView {
    if (gradient !== undefined && isContiguousLayout(gradient.shape, gradient.strides)) {
      return { buffer: gradient.buffer, offset: gradient.offset, shape: [length], strides: [1], dtype: "f32" };
    }
    this.scratch ??= this.pool.backend.allocate(Math.max(...this.layout.parameters.map((p) => p.length)) * 4);
    const window: TensorView = { buffer: this.scratch, offset: 0, shape: [length], strides: [1], dtype: "f32" };
    if (gradient === undefined) this.pool.backend.kernels.fill(window, 0);
    else this.pool.backend.kernels.copy(gradient, shapedLike(window, gradient));
    return window;
  }

  private releaseScratch(): void {
    if (this.scratch !== undefined) this.pool.backend.free(this.scratch);
    this.scratch = undefined;
  }
}

/** @throws {ValueError} E_WEIGHT when the weight of a micro-batch is negative or not finite. @source none: ours. */
export function assertWeight(microBatch: number, weight: number): void {
  if (weight >= 0 && weight < Infinity) return;
  throw new ValueError(
    `loss: weight of micro-batch ${microBatch} is ${weight}; it must be finite and at least 0. Return the number of samples or tokens summed.`,
    { microBatch, weight },
    "E_WEIGHT",
  );
}

/** A contiguous window seen with the shape of another view. */
function shapedLike(window: TensorView, view: TensorView): TensorView {
  return { ...window, shape: view.shape, strides: contiguousStrides(view.shape) };
}
