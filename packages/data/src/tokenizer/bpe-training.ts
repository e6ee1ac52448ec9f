/**
 * @file Learns the merges of a byte-pair encoding: again and again the most frequent pair of neighbours becomes one token.
 *
 * Deterministic: of equally frequent pairs the one with the smaller left id, then the smaller right id, goes first.
 * @source Sennrich, Haddow and Birch 2016, "Neural machine translation of rare words with subword units".
 */

/** Two ids that become one. */
export type Merge = readonly [left: number, right: number];

interface Word {
  ids: number[];
  readonly count: number;
}

/** Ids are below 2^21. */
const pairFactor = 2097152;

/**
 * @param counts how often each word (a list of byte ids) occurs
 * @param firstId id of the first merge
 * @param maxMerges stops earlier when no pair occurs twice
 */
export function learnMerges(
  counts: Iterable<readonly [readonly number[], number]>,
  { firstId, maxMerges }: { readonly firstId: number; readonly maxMerges: number },
): Merge[] {
  const words: Word[] = Array.from(counts, ([ids, count]) => ({ ids: [...ids], count }));
  const pairCounts = new Map<number, number>();
  const wordsOfPair = new Map<number, Set<number>>();
  for (const [w, word] of words.entries()) countPairs(word, w, { pairCounts, wordsOfPair, sign: 1 });
  const merges: Merge[] = [];
  while (merges.length < maxMerges) {
    const pair = mostFrequentPair(pairCounts);
    if (pair === undefined) break;
    const merge: Merge = [Math.floor(pair / pairFactor), pair % pairFactor];
    const id = firstId + merges.length;
    for (const w of wordsOfPair.get(pair) ?? []) {
      const word = words[w]!;
      countPairs(word, w, { pairCounts, wordsOfPair, sign: -1 });
      word.ids = applyMerge(word.ids, merge, id);
      countPairs(word, w, { pairCounts, wordsOfPair, sign: 1 });
    }
    pairCounts.delete(pair);
    wordsOfPair.delete(pair);
    merges.push(merge);
  }
  return merges;
}

/** ids with every occurrence of the pair, from the left, replaced by id. */
export function applyMerge(ids: readonly number[], [left, right]: Merge, id: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] === left && ids[i + 1] === right) {
      out.push(id);
      i++;
    } else out.push(ids[i]!);
  }
  return out;
}

interface PairIndex {
  readonly pairCounts: Map<number, number>;
  readonly wordsOfPair: Map<number, Set<number>>;
  readonly sign: 1 | -1;
}

function countPairs(word: Word, w: number, { pairCounts, wordsOfPair, sign }: PairIndex): void {
  for (let i = 1; i < word.ids.length; i++) {
    const pair = word.ids[i - 1]! * pairFactor + word.ids[i]!;
    pairCounts.set(pair, (pairCounts.get(pair) ?? 0) + sign * word.count);
    if (sign < 0) continue;
    const found = wordsOfPair.get(pair);
    if (found === undefined) wordsOfPair.set(pair, new Set([w]));
    else found.add(w);
  }
}

function mostFrequentPair(pairCounts: ReadonlyMap<number, number>): number | undefined {
  let best: number | undefined;
  let bestCount = 1;
  for (const [pair, count] of pairCounts) {
    if (count > bestCount || (count === bestCount && best !== undefined && pair < best)) {
      best = pair;
      bestCount = count;
    }
  }
  return best;
}
