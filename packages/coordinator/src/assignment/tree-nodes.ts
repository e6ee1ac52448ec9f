/** @file The balanced binary tree over [0, M): a range of n splits at the largest power of two below n. Pure. */

/** [lo, hi) */
export type Range = readonly [number, number];

function splitOf(length: number): number {
  let split = 1;
  while (split * 2 < length) split *= 2;
  return split;
}

/** The two halves of a node of more than one micro-batch. */
export function splitNode([lo, hi]: Range): [Range, Range] {
  const middle = lo + splitOf(hi - lo);
  return [
    [lo, middle],
    [middle, hi],
  ];
}

/** The maximal nodes of the tree over [0, total) that make up [lo, hi), from left to right. */
export function nodesOfRange(range: Range, total: number): Range[] {
  const nodes: Range[] = [];
  const walk = (lo: number, hi: number): void => {
    if (hi <= range[0] || range[1] <= lo) return;
    if (range[0] <= lo && hi <= range[1]) {
      nodes.push([lo, hi]);
      return;
    }
    const middle = lo + splitOf(hi - lo);
    walk(lo, middle);
    walk(middle, hi);
  };
  if (total > 0) walk(0, total);
  return nodes;
}

/**
 * Sum of values[0..n-1] in the order of the tree, f64: the same whoever measured which value.
 *
 * @param values one per micro-batch.
 */
export function treeSum(values: readonly number[]): number {
  const sum = (lo: number, hi: number): number => {
    if (hi - lo === 1) return values[lo]!;
    const middle = lo + splitOf(hi - lo);
    return sum(lo, middle) + sum(middle, hi);
  };
  return values.length === 0 ? 0 : sum(0, values.length);
}

/**
 * Weighted mean over a grid of micro-batches: treeSum of sums / treeSum of weights.
 *
 * @param parts [micro-batch, sum, weight], in any order.
 * @returns undefined unless every micro-batch of [0, total) is there exactly once and the weights are not all 0.
 */
export function treeMean(
  parts: readonly (readonly [number, number, number])[],
  total: number,
): { readonly mean: number; readonly weight: number } | undefined {
  const sums: number[] = new Array(total);
  const weights: number[] = new Array(total);
  let numSeen = 0;
  for (const [m, sum, weight] of parts) {
    if (m >= total || sums[m] !== undefined) return undefined;
    sums[m] = sum;
    weights[m] = weight;
    numSeen++;
  }
  if (numSeen !== total || total === 0) return undefined;
  const weight = treeSum(weights);
  return weight === 0 ? undefined : { mean: treeSum(sums) / weight, weight };
}
