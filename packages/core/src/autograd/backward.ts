/**
 * @file The backward pass: walks the tape from a tensor to the leaves, in descending order of recording.
 *
 * Invariants: the order of every addition of cotangents is a function of the recorded graph alone; a cotangent is freed as soon as
 * its entry has used it, a saved tensor as soon as its entry has run.
 */
import { ShapeError, StateError } from "../errors.js";
import { contiguousCopy } from "../ops/apply.js";
import { add } from "../ops/arithmetic.js";
import { copy } from "../ops/copy.js";
import { scope, untracked } from "../tensor/scope.js";
import { formatShape, shapesEqual } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { isGradEnabled, withGradMode } from "./grad-mode.js";
import { type Edge, edgeOf, type TapeEntry } from "./tape-entry.js";

export interface BackwardOptions {
  /** Cotangent of the tensor; default 1, which needs a tensor of one element. Stays the caller's. */
  readonly cotangent?: Tensor;
  /** Keeps the tape for another backward. Default false: it is freed on the way. */
  readonly retainGraph?: boolean;
  /** Records the backward pass itself, for gradients of gradients. Implies retainGraph. Fused ops refuse it. */
  readonly createGraph?: boolean;
  /**
   * Called once for each leaf when every use of it that was recorded has contributed: `leaf.grad` is final then, and may be taken.
   * A leaf of two uses (tied weights) is reported after the second.
   */
  readonly onGradReady?: (leaf: Tensor) => void;
  /** Leaves to report at the end when nothing reached them; their grad stays as it was. */
  readonly leaves?: Iterable<Tensor>;
}

/**
 * Adds d root / d leaf to `.grad` of every leaf that requires grad.
 *
 * @throws {StateError} E_NO_GRAD when nothing was recorded, E_GRAPH_FREED on a second walk; {ShapeError} E_SHAPE for a cotangent of
 *   another shape, or none for a tensor of several elements.
 * @source torch.Tensor.backward; onGradReady is ours (torch's AccumulateGrad hooks are the nearest)
 */
export function backward(root: Tensor, options: BackwardOptions = {}): void {
  if (!root.requiresGrad) {
    throw new StateError(
      `backward: the tensor ${formatShape(root.shape)} does not depend on anything that requires grad. Was it computed inside noGrad, or detached?`,
      { shape: root.shape },
      "E_NO_GRAD",
    );
  }
  withGradMode(options.createGraph === true, () => untracked(() => new BackwardPass(root, options).run()));
}

const one = Float32Array.of(1);

class BackwardPass {
  readonly #root: Tensor;
  readonly #options: BackwardOptions;
  /** Cotangents of an entry's outputs, summed so far. */
  readonly #pending = new Map<TapeEntry, (Tensor | undefined)[]>();
  readonly #leafSums = new Map<Tensor, Tensor>();
  /** Uses of a leaf that have not contributed yet. */
  readonly #leafUses = new Map<Tensor, number>();

  constructor(root: Tensor, options: BackwardOptions) {
    this.#root = root;
    this.#options = options;
  }

  run(): void {
    const edge = edgeOf(this.#root);
    const entries = this.#reachable(edge);
    try {
      this.#deliver(edge, this.#seed());
      for (const entry of entries) this.#step(entry);
      for (const leaf of this.#options.leaves ?? []) if (!this.#leafUses.has(leaf)) this.#options.onGradReady?.(leaf);
    } finally {
      for (const cotangents of this.#pending.values()) for (const cotangent of cotangents) cotangent?.dispose();
      for (const sum of this.#leafSums.values()) sum.dispose();
    }
  }

  #seed(): Tensor {
    const { cotangent } = this.#options;
    const root = this.#root;
    if (cotangent !== undefined) {
      if (!shapesEqual(cotangent.shape, root.shape)) {
        throw new ShapeError(
          `backward: the cotangent is ${formatShape(cotangent.shape)}, the tensor ${formatShape(root.shape)}; they must be equal.`,
          { cotangent: cotangent.shape, tensor: root.shape },
        );
      }
      return share(cotangent);
    }
    if (root.size !== 1) {
      throw new ShapeError(
        `backward: the tensor is ${formatShape(root.shape)}; without a cotangent it must have one element. Take sum() or mean(), or pass { cotangent }.`,
        { tensor: root.shape },
      );
    }
    const ones = Tensor.allocate(root.backend, root.shape, "f32");
    root.backend.write(ones.buffer, 0, one);
    return ones;
  }

  /** Entries that lead to the root, latest first, and the number of uses of each leaf. */
  #reachable(edge: Edge): TapeEntry[] {
    const seen = new Set<TapeEntry>();
    const stack: TapeEntry[] = [];
    const visit = (next: Edge): void => {
      if (next === undefined) return;
      if ("leaf" in next) this.#leafUses.set(next.leaf, (this.#leafUses.get(next.leaf) ?? 0) + 1);
      else if (!seen.has(next.entry)) {
        seen.add(next.entry);
        stack.push(next.entry);
      }
    };
    visit(edge);
    for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) entry.edges.forEach(visit);
    return [...seen].sort((a, b) => b.sequence - a.sequence);
  }

  #step(entry: TapeEntry): void {
    const cotangents = this.#pending.get(entry);
    this.#pending.delete(entry);
    // An entry that nothing reached still counts as a use of its leaves, with zeros.
    const results = cotangents === undefined ? [] : this.#pull(entry, cotangents);
    if (!this.#options.retainGraph && !this.#options.createGraph) entry.freeSaved();
    entry.edges.forEach((edge, i) => {
      this.#deliver(edge, results[i]);
    });
  }

  /** Cotangents of the entry's inputs, each a handle of its own; those of its outputs are given up. */
  #pull(entry: TapeEntry, cotangents: readonly (Tensor | undefined)[]): readonly (Tensor | undefined)[] {
    const isRecorded = this.#options.createGraph === true;
    try {
      return scope(() => entry.runBackward(cotangents, isRecorded).map((result) => result && share(result, true)));
    } finally {
      for (const cotangent of cotangents) cotangent?.dispose();
    }
  }

  /** Adds a cotangent, which this pass owns from here on, to where the edge leads. */
  #deliver(edge: Edge, cotangent: Tensor | undefined): void {
    if (edge === undefined) {
      cotangent?.dispose();
    } else if ("entry" in edge) {
      if (cotangent === undefined) return;
      let slots = this.#pending.get(edge.entry);
      if (slots === undefined) {
        slots = [];
        this.#pending.set(edge.entry, slots);
      }
      slots[edge.outputIndex] = this.#accumulate(slots[edge.outputIndex], cotangent);
    } else {
      this.#deliverToLeaf(edge.leaf, cotangent);
    }
  }

  #deliverToLeaf(leaf: Tensor, cotangent: Tensor | undefined): void {
    if (cotangent !== undefined) {
      if (!shapesEqual(cotangent.shape, leaf.shape)) {
        throw new ShapeError(
          `backward: a gradient is ${formatShape(cotangent.shape)}, but its tensor is ${formatShape(leaf.shape)}; a vjp must return the shape of its input.`,
          { gradient: cotangent.shape, tensor: leaf.shape },
        );
      }
      this.#leafSums.set(leaf, this.#accumulate(this.#leafSums.get(leaf), cotangent));
    }
    const usesLeft = this.#leafUses.get(leaf)! - 1;
    this.#leafUses.set(leaf, usesLeft);
    if (usesLeft > 0) return;
    const sum = this.#leafSums.get(leaf);
    this.#leafSums.delete(leaf);
    if (sum !== undefined) leaf.grad = this.#own(this.#accumulate(leaf.grad, sum));
    this.#options.onGradReady?.(leaf);
  }

  /** left + right; both are given up. Added in place when nobody else sees left. */
  #accumulate(left: Tensor | undefined, right: Tensor): Tensor {
    if (left === undefined) return right;
    if (!this.#options.createGraph && left.isContiguous && left.storage.isExclusive && right.isContiguous) {
      left.backend.kernels.addInto(left, right, left);
      right.dispose();
      return left;
    }
    const sum = add(left, right);
    left.dispose();
    right.dispose();
    return sum;
  }

  /** A gradient that nobody else sees and that lies in row-major order. */
  #own(tensor: Tensor): Tensor {
    if (this.#options.createGraph || (tensor.isContiguous && tensor.storage.isExclusive)) return tensor;
    const own = contiguousCopy(tensor);
    tensor.dispose();
    return own;
  }
}

/** Another handle of the same numbers with the same place in the tape; `isTracked` puts it into the current scope. */
function share(tensor: Tensor, isTracked = false): Tensor {
  // A leaf is its own place in the tape, which no other handle can have: a recorded copy leads to it.
  if (isGradEnabled() && tensor.requiresGrad && tensor.gradSource === undefined) return copy(tensor);
  const out = isTracked ? tensor.viewAs(tensor) : tensor.alias();
  const source = tensor.gradSource;
  if (source !== undefined) {
    source.retain();
    out.gradSource = source;
    out.outputIndex = tensor.outputIndex;
  }
  return out;
}
