import { ValueError } from "../errors.js";
import { exp, log } from "../scalar-math/index.js";
import { assertOneOf } from "./inputs.js";
import { assertPairs, ngramCounts, type Sentence, wordsOf } from "./text-inputs.js";

export interface BleuOptions {
  /** Longest run of tokens. Default 4. */
  readonly maxOrder?: number;
  /** What stands for a precision of 0. Default "exp", as sacreBLEU. */
  readonly smoothing?: "none" | "floor" | "addK" | "exp";
  /** Default 0.1 for "floor" and 1 for "addK". */
  readonly smoothingValue?: number;
  /** Leave out orders for which the hypotheses are too short. */
  readonly effectiveOrder?: boolean;
}

/** Sums over sentences; two corpora are added field by field. */
export interface BleuCounts {
  readonly matches: readonly number[];
  readonly totals: readonly number[];
  readonly hypothesisLength: number;
  readonly referenceLength: number;
}

/** One reference of a sentence, or several. */
export type References = string | Sentence | readonly (string | Sentence)[];

function referencesOf(given: References): readonly Sentence[] {
  if (typeof given === "string") return [wordsOf(given)];
  const isList =
    given.some((item) => Array.isArray(item)) ||
    (given.length > 0 && given.every((item) => typeof item === "string" && /\s/.test(item)));
  return isList ? (given as readonly (string | Sentence)[]).map(wordsOf) : [given as Sentence];
}

/** Matches of one sentence: clipped by the reference that has most of an n-gram; the length of the nearest reference. */
export function bleuCounts(references: References, hypothesis: string | Sentence, maxOrder = 4): BleuCounts {
  const tokens = wordsOf(hypothesis);
  const all = referencesOf(references);
  const [matches, totals]: [number[], number[]] = [[], []];
  for (let n = 1; n <= maxOrder; n++) {
    const most = new Map<string, number>();
    for (const reference of all) {
      for (const [key, count] of ngramCounts(reference, n)) most.set(key, Math.max(most.get(key) ?? 0, count));
    }
    let matched = 0;
    for (const [key, count] of ngramCounts(tokens, n)) matched += Math.min(count, most.get(key) ?? 0);
    matches.push(matched);
    totals.push(Math.max(0, tokens.length - n + 1));
  }
  const distance = (length: number): number => Math.abs(length - tokens.length);
  const referenceLength = all
    .map(({ length }) => length)
    .reduce((best, length) =>
      distance(length) < distance(best) || (distance(length) === distance(best) && length < best) ? length : best,
    );
  return { matches, totals, hypothesisLength: tokens.length, referenceLength };
}

export function bleuOf(where: string, counts: BleuCounts, options: BleuOptions): number {
  const { smoothing = "exp", effectiveOrder = false } = options;
  assertOneOf(where, "smoothing", smoothing, ["none", "floor", "addK", "exp"]);
  const value = options.smoothingValue ?? (smoothing === "floor" ? 0.1 : 1);
  const { hypothesisLength, referenceLength } = counts;
  if (counts.matches.every((match) => match === 0)) return 0;
  const maxOrder = counts.matches.length;
  const precisions = new Array<number>(maxOrder).fill(0);
  let halving = 1;
  let order = maxOrder;
  for (let i = 0; i < maxOrder; i++) {
    const added = smoothing === "addK" && i > 0 ? value : 0;
    const [match, total] = [counts.matches[i]! + added, counts.totals[i]! + added];
    if (total === 0) break;
    if (effectiveOrder) order = i + 1;
    if (match > 0) precisions[i] = match / total;
    else if (smoothing === "exp") {
      halving *= 2;
      precisions[i] = 1 / (halving * total);
    } else if (smoothing === "floor") precisions[i] = value / total;
  }
  const used = precisions.slice(0, order);
  if (used.some((precision) => precision === 0)) return 0;
  const brevity = hypothesisLength >= referenceLength ? 1 : exp(1 - referenceLength / hypothesisLength);
  return 100 * brevity * exp(used.reduce((sum, precision) => sum + log(precision), 0) / order);
}

/** Adds counts of sentences. */
export function addBleuCounts(a: BleuCounts, b: BleuCounts): BleuCounts {
  return {
    matches: a.matches.map((count, i) => count + b.matches[i]!),
    totals: a.totals.map((count, i) => count + b.totals[i]!),
    hypothesisLength: a.hypothesisLength + b.hypothesisLength,
    referenceLength: a.referenceLength + b.referenceLength,
  };
}

/**
 * BLEU of a corpus, 0 to 100: geometric mean of clipped n-gram precisions times a penalty for being short.
 *
 * Sentences are lists of tokens, or texts that are split at white space: tokenise them as you need first. A list of lists, or of texts, is
 * several references.
 *
 * @shape references [N], hypotheses [N] -> number
 * @throws {ShapeError} E_SHAPE for different numbers of sentences.
 * @source Papineni et al. 2002; smoothing and effective order as in sacreBLEU 2 (Post 2018).
 * @example
 * metrics.bleuScore(["the cat sat on the mat"], ["the cat sat on a mat"]); // => 53.7284...
 */
export function bleuScore(
  references: readonly References[],
  hypotheses: readonly (string | Sentence)[],
  options: BleuOptions = {},
): number {
  assertPairs("bleuScore", references, hypotheses);
  const maxOrder = assertOrder("bleuScore", options.maxOrder);
  const counts = hypotheses.map((hypothesis, i) => bleuCounts(references[i]!, hypothesis, maxOrder));
  return bleuOf("bleuScore", counts.reduce(addBleuCounts), options);
}

export function assertOrder(where: string, maxOrder = 4): number {
  if (Number.isInteger(maxOrder) && maxOrder >= 1) return maxOrder;
  throw new ValueError(`${where}: maxOrder is ${maxOrder}; it must be an integer of at least 1. Change it.`, {
    maxOrder,
  });
}
