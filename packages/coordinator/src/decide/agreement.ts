/** @file Do the replicas hold the same bits? Pure. */

export type Agreement =
  | { readonly kind: "agree"; readonly value: string }
  /** A strict majority holds `value`; the others are outvoted. */
  | { readonly kind: "outvoted"; readonly value: string; readonly outvoted: readonly string[] }
  | { readonly kind: "split"; readonly groups: readonly { readonly value: string; readonly workerIds: string[] }[] };

/** @param hashes workerId and hash, at least one. */
export function decideAgreement(hashes: Iterable<readonly [string, string]>): Agreement {
  const groups = new Map<string, string[]>();
  let total = 0;
  for (const [workerId, value] of hashes) {
    total++;
    const group = groups.get(value);
    if (group === undefined) groups.set(value, [workerId]);
    else group.push(workerId);
  }
  const ordered = [...groups].sort((a, b) => b[1].length - a[1].length);
  const [first, ...others] = ordered;
  if (first === undefined) throw new RangeError("agreement: there is no replica; there must be at least one.");
  if (others.length === 0) return { kind: "agree", value: first[0] };
  if (first[1].length * 2 > total)
    return { kind: "outvoted", value: first[0], outvoted: others.flatMap(([, ids]) => ids) };
  return { kind: "split", groups: ordered.map(([value, workerIds]) => ({ value, workerIds })) };
}
