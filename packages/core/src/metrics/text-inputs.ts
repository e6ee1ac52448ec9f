/** @file Sentences as tokens, for the metrics of text. */
import { ValueError } from "../errors.js";
import { assertSameLength } from "./inputs.js";

/** A token: its text or its id. */
export type Token = string | number;
export type Sentence = readonly Token[];

/** Splits a text at white space; leaves a list of tokens as it is. */
export function wordsOf(sentence: string | Sentence): Sentence {
  return typeof sentence === "string" ? sentence.split(/\s+/).filter((word) => word !== "") : sentence;
}

/** @throws {ShapeError} E_SHAPE for different numbers, {ValueError} E_METRIC_EMPTY for none. */
export function assertPairs(where: string, references: readonly unknown[], hypotheses: readonly unknown[]): void {
  assertSameLength(where, ["references", references.length], ["hypotheses", hypotheses.length]);
  if (references.length > 0) return;
  throw new ValueError(
    `${where}: there are no sentences; there must be at least one. Pass some.`,
    {},
    "E_METRIC_EMPTY",
  );
}

/** How often each run of n tokens occurs. */
export function ngramCounts(tokens: Sentence, n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= tokens.length; i++) {
    const key = JSON.stringify(tokens.slice(i, i + n));
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}
