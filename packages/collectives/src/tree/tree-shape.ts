/**
 * @file The balanced binary tree over micro-batches 0..M-1 that fixes every sum of floats (L1). Pure.
 *
 * A range of n leaves splits at the largest power of two below n. A node is a range {lo, hi}, hi exclusive; its value is
 * left + right. The tree is a function of M alone: who holds which node, and in which order they arrive, changes no bit.
 */
import { CollectiveError } from "../errors.js";

/** A range [lo, hi) of micro-batches that is a node of the tree. */
export interface TreeRange {
  readonly lo: number;
  readonly hi: number;
}

/** A node with the sum of its micro-batches' gradients. */
export interface TreeNode extends TreeRange {
  /** Sum of the micro-batches' weights: samples or trained tokens. */
  readonly weight: number;
  readonly vector: Float32Array;
}

/** Leaves of the left half of a range of n >= 2. @source none: ours */
export function splitOf(n: number): number {
  let split = 1;
  while (split * 2 < n) split *= 2;
  return split;
}

/**
 * The maximal nodes inside [lo, hi) of the tree over [0, numMicroBatches), from left to right.
 *
 * @shape one node when the range is a node, at most 2 log2(M) otherwise
 * @throws {CollectiveError} E_ARGUMENT when the range does not lie in [0, numMicroBatches].
 * @source none: ours
 */
export function nodesOf(lo: number, hi: number, numMicroBatches: number): TreeRange[] {
  if (!(Number.isInteger(lo) && Number.isInteger(hi) && 0 <= lo && lo <= hi && hi <= numMicroBatches)) {
    throw new CollectiveError(
      "E_ARGUMENT",
      `nodesOf: the range is [${lo}, ${hi}); it must lie in [0, ${numMicroBatches}).`,
      { lo, hi, numMicroBatches },
    );
  }
  const nodes: TreeRange[] = [];
  const visit = (begin: number, end: number): void => {
    if (end <= lo || hi <= begin) return;
    if (lo <= begin && end <= hi) {
      nodes.push({ lo: begin, hi: end });
      return;
    }
    const middle = begin + splitOf(end - begin);
    visit(begin, middle);
    visit(middle, end);
  };
  if (lo < hi) visit(0, numMicroBatches);
  return nodes;
}

/** A node of `treeShape`, with its halves unless it is a leaf. */
export interface TreeShape extends TreeRange {
  readonly left?: TreeShape;
  readonly right?: TreeShape;
}

/**
 * The whole tree over [0, numMicroBatches).
 *
 * @shape 2 M - 1 nodes
 * @source none: ours
 */
export function treeShape(numMicroBatches: number): TreeShape {
  const build = (lo: number, hi: number): TreeShape => {
    if (hi - lo === 1) return { lo, hi };
    const middle = lo + splitOf(hi - lo);
    return { lo, hi, left: build(lo, middle), right: build(middle, hi) };
  };
  if (!(Number.isInteger(numMicroBatches) && numMicroBatches >= 1)) {
    throw new CollectiveError(
      "E_ARGUMENT",
      `treeShape: numMicroBatches is ${numMicroBatches}; it must be at least 1.`,
      {
        numMicroBatches,
      },
    );
  }
  return build(0, numMicroBatches);
}

/**
 * Sum of the values of consecutive micro-batches in tree order, on a binary-counter stack of at most floor(log2 k) + 1
 * values: pushing merges equal sizes, the end merges what is left from the right.
 *
 * @numerics exactly the additions of `treeShape(values.length)`, when `values` begin at the first leaf of a node.
 * @throws {CollectiveError} E_ARGUMENT for no values.
 * @source none: ours
 */
export function treeSum<T>(values: Iterable<T>, add: (left: T, right: T) => T): T {
  const sums: T[] = [];
  const sizes: number[] = [];
  const merge = (): void => {
    const right = sums.pop() as T;
    const left = sums.pop() as T;
    const size = sizes.pop()! + sizes.pop()!;
    sums.push(add(left, right));
    sizes.push(size);
  };
  for (const value of values) {
    sums.push(value);
    sizes.push(1);
    while (sizes.length >= 2 && sizes.at(-1) === sizes.at(-2)) merge();
  }
  while (sums.length > 1) merge();
  if (sums.length === 0)
    throw new CollectiveError("E_ARGUMENT", "treeSum: there are no values; there must be one.", {});
  return sums[0] as T;
}
