import { treeSum } from "../train/tree-order.js";
import { assertOneOf } from "./inputs.js";
import { assertPairs, ngramCounts, type Sentence, wordsOf } from "./text-inputs.js";

export type RougeKind = "rouge1" | "rouge2" | "rougeL";

export interface RougeScore {
  readonly precision: number;
  readonly recall: number;
  readonly fMeasure: number;
}

/**
 * Overlap of summaries with references: of single tokens, of pairs, or of the longest common subsequence; mean over the sentences.
 *
 * @shape references [N], hypotheses [N] -> precision, recall and F
 * @throws {ShapeError} E_SHAPE for different numbers of sentences.
 * @source Lin 2004; one reference a summary, no stemming, as Google's rouge_score without its tokeniser.
 * @example
 * metrics.rougeScore(["the cat sat"], ["the cat lay"], { kind: "rouge1" }).recall; // => 0.6666...
 */
export function rougeScore(
  references: readonly (string | Sentence)[],
  hypotheses: readonly (string | Sentence)[],
  { kind = "rougeL" }: { readonly kind?: RougeKind } = {},
): RougeScore {
  assertPairs("rougeScore", references, hypotheses);
  const scores = hypotheses.map((hypothesis, i) => rougeOf("rougeScore", references[i]!, { hypothesis, kind }));
  const mean = (pick: (score: RougeScore) => number): number => treeSum(scores.map(pick)) / scores.length;
  return { precision: mean((s) => s.precision), recall: mean((s) => s.recall), fMeasure: mean((s) => s.fMeasure) };
}

export function rougeOf(
  where: string,
  reference: string | Sentence,
  { hypothesis, kind }: { readonly hypothesis: string | Sentence; readonly kind: RougeKind },
): RougeScore {
  assertOneOf(where, "kind", kind, ["rouge1", "rouge2", "rougeL"]);
  const [wanted, given] = [wordsOf(reference), wordsOf(hypothesis)];
  if (kind === "rougeL") return scoreOf(longestCommon(wanted, given), { wanted: wanted.length, given: given.length });
  const n = kind === "rouge1" ? 1 : 2;
  const ofReference = ngramCounts(wanted, n);
  let matched = 0;
  for (const [key, count] of ngramCounts(given, n)) matched += Math.min(count, ofReference.get(key) ?? 0);
  return scoreOf(matched, { wanted: Math.max(0, wanted.length - n + 1), given: Math.max(0, given.length - n + 1) });
}

function scoreOf(matched: number, { wanted, given }: { readonly wanted: number; readonly given: number }): RougeScore {
  const precision = matched / Math.max(given, 1);
  const recall = matched / Math.max(wanted, 1);
  const fMeasure = precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0;
  return { precision, recall, fMeasure };
}

function longestCommon(a: Sentence, b: Sentence): number {
  let previous = new Array<number>(b.length + 1).fill(0);
  for (const token of a) {
    const row = [0];
    for (let j = 1; j <= b.length; j++) {
      row.push(token === b[j - 1] ? previous[j - 1]! + 1 : Math.max(previous[j]!, row[j - 1]!));
    }
    previous = row;
  }
  return previous[b.length]!;
}
