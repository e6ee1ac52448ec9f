import { undefinedMetric } from "./inputs.js";
import { assertPairs, type Sentence, wordsOf } from "./text-inputs.js";

/**
 * Fewest insertions, deletions and replacements that make one list of the other.
 *
 * @shape a [N], b [M] -> number
 * @source Levenshtein 1966; Wagner and Fischer 1974.
 * @example
 * metrics.editDistance([..."kitten"], [..."sitting"]); // => 3
 */
export function editDistance(a: Sentence, b: Sentence): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  a.forEach((token, i) => {
    const row = [i + 1];
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1]! + Number(token !== b[j - 1]);
      row.push(Math.min(replaced, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  });
  return previous[b.length]!;
}

/** Edits and length of references, summed over the sentences. */
export interface EditCounts {
  readonly edits: number;
  readonly length: number;
}

export function editCounts(references: readonly Sentence[], hypotheses: readonly Sentence[]): EditCounts {
  let [edits, length] = [0, 0];
  references.forEach((reference, i) => {
    edits += editDistance(reference, hypotheses[i]!);
    length += reference.length;
  });
  return { edits, length };
}

export function errorRateOf(where: string, { edits, length }: EditCounts): number {
  if (length > 0) return edits / length;
  throw undefinedMetric(where, "all references are empty; there must be a token", "Pass references.");
}

/**
 * Edits of words by the number of words in the references, over the whole corpus. Above 1 where there are more edits than words.
 *
 * @shape references [N], hypotheses [N], texts split at white space or lists of tokens -> number
 * @throws {ValueError} E_METRIC_UNDEFINED when all references are empty.
 * @source Morris et al. 2004; as jiwer.wer.
 * @example
 * metrics.wordErrorRate(["the cat sat"], ["the cat sat down"]); // => 0.3333...
 */
export function wordErrorRate(
  references: readonly (string | Sentence)[],
  hypotheses: readonly (string | Sentence)[],
): number {
  assertPairs("wordErrorRate", references, hypotheses);
  return errorRateOf("wordErrorRate", editCounts(references.map(wordsOf), hypotheses.map(wordsOf)));
}

/**
 * Edits of characters (code points) by the number of characters in the references, over the whole corpus.
 *
 * @shape references [N], hypotheses [N], texts -> number
 * @throws {ValueError} E_METRIC_UNDEFINED when all references are empty.
 * @source As jiwer.cer.
 * @example
 * metrics.characterErrorRate(["abcd"], ["abxd"]); // => 0.25
 */
export function characterErrorRate(references: readonly string[], hypotheses: readonly string[]): number {
  assertPairs("characterErrorRate", references, hypotheses);
  return errorRateOf(
    "characterErrorRate",
    editCounts(
      references.map((text) => [...text]),
      hypotheses.map((text) => [...text]),
    ),
  );
}
