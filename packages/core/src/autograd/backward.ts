/**
 * @file Walks the tape backwards: from a scalar to the `.grad` of every leaf it was computed from.
 *
 * Entries are visited in descending order of recording, so each one has all its cotangents when its turn comes, and contributions
 * are added in one fixed order (L1). Cotangents are freed as soon as they have been used.
 */
import { ShapeError, StateError } from "../errors.js";
import { contiguousCopy } from "../ops/apply.js";
import { add } from "../ops/arithmetic.js";
import { scope, untracked } from "../tensor/scope.js";
import { formatShape, shapesEqual } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { withGradMode } from "./grad-mode.js";
import type { TapeEntry } from "./tape-entry.js";

export interface BackwardOptions {
  /** Cotangent of the root, of its shape. Default: 1 for a root of one element. */
  readonly cotangent?: Tensor;
  /** Keeps saved tensors, so that backward can run again. Default false. */
  readonly retainGraph?: boolean;
  /** Records the backward pass itself, for second derivatives; implies retainGraph. Default false. */
  readonly createGraph?: boolean;
  /** Called once for each leaf when all uses recorded in the forward pass have contributed to its `.grad` (absent if none did). */
  readonly onGradReady?: (leaf: Tensor) => void;
}

/**
 * Adds the gradient of `root` to the `.grad` of every leaf with `requiresGrad`.
 *
 * @shape root [] or any shape with a cotangent of that shape
 * @throws {StateError} E_NO_GRAD when nothing that led to root requires a gradient; E_GRAPH_FREED on a second walk.
 * @throws {ShapeError} E_SHAPE when root has several elements and no cotangent, or one of another shape.
 * @source torch.Tensor.backward
 */
export function backward(root: Tensor, options: BackwardOptions = {}): void {
  assertRoot(root, options.cotangent);
  const isRecording = options.createGraph === true;
  withGradMode(isRecording, () => untracked(() => new BackwardWalk(options).run(root)));
}

function assertRoot(root: Tensor, cotangent: Tensor | undefined): void {
  if (!root.requiresGrad) {
    throw new StateError(
      "backward: nothing that this tensor was computed from requires a gradient; at least one leaf must. Set requiresGrad, and compute outside of noGrad.",
      {},
      "E_NO_GRAD",
    );
  }
  if (cotangent === undefined && root.size !== 1) {
    throw new ShapeError(
      `backward: the tensor is ${formatShape(root.shape)}; without a cotangent it must have one element. Sum it, or pass { cotangent }.`,
      { shape: root.shape },
    );
  }
  if (cotangent !== undefined && !shapesEqual(cotangent.shape, root.shape)) {
    throw new ShapeError(
      `backward: the cotangent is ${formatShape(cotangent.shape)}, but the tensor is ${formatShape(root.shape)}; both must be equal.`,
      { cotangent: cotangent.shape, shape: root.shape },
    );
  }
}

class BackwardWalk {
  readonly #options: BackwardOptions;
  readonly #keepsGraph: boolean;
  /** Handles that this walk owns, by entry and output. */
  readonly #cotangents = new Map<TapeEntry, (Tensor | undefined)[]>();
  readonly #leafUses = new Map<Tensor, number>();

  constructor(options: BackwardOptions) {
    this.#options = options;
    this.#keepsGraph = options.retainGraph === true || options.createGraph === true;
  }

  run(root: Tensor): void {
    const seed = this.#options.cotangent?.alias() ?? onesLike(root);
    const entry = root.gradSource as TapeEntry | undefined;
    if (entry === undefined) {
      this.#addToLeaf(root, seed);
      this.#options.onGradReady?.(root);
      return;
    }
    const entries = this.#collect(entry);
    this.#addCotangent(entry, root.outputIndex, seed);
    for (const next of entries) this.#visit(next);
  }

  /** All entries that lead to `last`, latest first; counts the uses of every leaf. */
  #collect(last: TapeEntry): TapeEntry[] {
    const found = new Set<TapeEntry>([last]);
    // A Set is visited in insertion order, including what is added on the way.
    for (const entry of found) {
      for (const edge of entry.edges) {
        if (edge === undefined) continue;
        if ("entry" in edge) found.add(edge.entry);
        else this.#leafUses.set(edge.leaf, (this.#leafUses.get(edge.leaf) ?? 0) + 1);
      }
    }
    return [...found].sort((a, b) => b.sequence - a.sequence);
  }

  #visit(entry: TapeEntry): void {
    const cotangents = this.#cotangents.get(entry);
    this.#cotangents.delete(entry);
    const results = cotangents === undefined ? [] : scope(() => [...entry.runBackward(cotangents)]);
    if (!this.#keepsGraph) entry.freeSaved();
    const taken = new Set<Tensor | undefined>(cotangents);
    for (let i = 0; i < entry.edges.length; i++) {
      const edge = entry.edges[i];
      const result = results[i];
      // A cotangent that is passed on unchanged, or to several inputs, gets a handle for each.
      const own = result !== undefined && taken.has(result) ? result.alias() : result;
      taken.add(result);
      if (own !== undefined && this.#options.createGraph && own !== result) shareSource(result!, own);
      if (edge === undefined) own?.dispose();
      else if ("entry" in edge) this.#addCotangent(edge.entry, edge.outputIndex, own);
      else this.#addToLeaf(edge.leaf, own);
      if (edge !== undefined && "leaf" in edge) this.#countUse(edge.leaf);
    }
    if (cotangents !== undefined) for (const cotangent of cotangents) cotangent?.dispose();
  }

  #addCotangent(entry: TapeEntry, outputIndex: number, cotangent: Tensor | undefined): void {
    if (cotangent === undefined) return;
    let slots = this.#cotangents.get(entry);
    if (slots === undefined) {
      slots = [];
      this.#cotangents.set(entry, slots);
    }
    const present = slots[outputIndex];
    slots[outputIndex] = present === undefined ? cotangent : this.#sum(present, cotangent);
  }

  #addToLeaf(leaf: Tensor, contribution: Tensor | undefined): void {
    if (contribution === undefined) return;
    if (leaf.grad !== undefined) {
      leaf.grad = this.#sum(leaf.grad, contribution);
    } else if (contribution.isContiguous && (contribution.storage.isExclusive || this.#options.createGraph)) {
      leaf.grad = contribution;
    } else {
      leaf.grad = contiguousCopy(contribution);
      contribution.dispose();
    }
    leaf.grad.isKept = true;
  }

  #countUse(leaf: Tensor): void {
    const rest = this.#leafUses.get(leaf)! - 1;
    this.#leafUses.set(leaf, rest);
    if (rest === 0) this.#options.onGradReady?.(leaf);
  }

  /** left + right; takes over both handles. */
  #sum(left: Tensor, right: Tensor): Tensor {
    if (left === right)
      throw new StateError("backward: a cotangent was added to itself; this is a bug in an op's vjp.");
    if (this.#options.createGraph) return add(left, right);
    if (left.isContiguous && right.isContiguous && left.storage.isExclusive) {
      left.backend.kernels.addInto(left, right, left);
      left.storage.version++;
      right.dispose();
      return left;
    }
    const out = add(left, right);
    left.dispose();
    right.dispose();
    return out;
  }
}

/** Gives an alias made inside a recorded backward the place of its original in the tape. */
function shareSource(original: Tensor, alias: Tensor): void {
  if (original.gradSource === undefined) return;
  original.gradSource.retain();
  alias.gradSource = original.gradSource;
  alias.outputIndex = original.outputIndex;
}

function onesLike(tensor: Tensor): Tensor {
  const out = Tensor.allocate(tensor.backend, tensor.shape, tensor.dtype);
  tensor.backend.kernels.fill(out, 1);
  return out;
}
