/**
 * @file The balanced binary tree over micro-batches 0..M-1 that fixes every sum over them (L1). Pure.
 *
 * A range of n leaves splits at the largest power of two below n. A node is a range {lo, hi}, hi exclusive; its value is the sum of
 * its two halves, left + right. Summing leaves from the left on a binary-counter stack gives exactly this tree.
 */

/** Leaves in the left half of a range of n >= 2 leaves: the largest power of two below n. */
export function treeSplit(n: number): number {
  let split = 1;
  while (split * 2 < n) split *= 2;
  return split;
}

/** Is [lo, hi) a node of the tree over [0, numLeaves)? */
export function isTreeNode(lo: number, hi: number, numLeaves: number): boolean {
  let begin = 0;
  let end = numLeaves;
  while (begin <= lo && hi <= end && lo < hi) {
    if (begin === lo && end === hi) return true;
    if (end - begin < 2) return false;
    const middle = begin + treeSplit(end - begin);
    if (hi <= middle) end = middle;
    else if (lo >= middle) begin = middle;
    else return false;
  }
  return false;
}

/** Sum of `values` in tree order, in f64. The sum of none is 0. */
export function treeSum(values: readonly number[]): number {
  const sumRange = (lo: number, hi: number): number => {
    if (hi - lo === 1) return values[lo]!;
    const middle = lo + treeSplit(hi - lo);
    return sumRange(lo, middle) + sumRange(middle, hi);
  };
  return values.length === 0 ? 0 : sumRange(0, values.length);
}
