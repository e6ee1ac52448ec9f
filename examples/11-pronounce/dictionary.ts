/** @file The CMU pronouncing dictionary as words and phonemes. */
import { ValueError } from "@lockstep/core";

/** Begins every pronunciation as the decoder sees it; ends it as the decoder writes it. */
export const startToken = 0;
export const endToken = 1;

/** The phonemes of the dictionary, without the marks of stress. Their tokens begin after startToken and endToken. */
export const phonemes: readonly string[] = (
  "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH" as const
).split(" ");
const firstPhoneme = 2;
export const numPhonemeTokens = firstPhoneme + phonemes.length;
export const numLetters = 26;

const tokenOf = new Map(phonemes.map((phoneme, i) => [phoneme, firstPhoneme + i]));
const firstLetter = "a".charCodeAt(0);

export interface Entry {
  /** a to z. */
  readonly word: string;
  /** "K AE T" */
  readonly pronunciation: string;
}

/**
 * The words of the dictionary's module that are written with 2 to `maxLetters` letters a to z alone, in its order, each with its first
 * pronunciation, without stress.
 *
 * @throws {ValueError} E_VALUE when the text has no such word.
 */
export function readDictionary(source: string, maxLetters: number): Entry[] {
  const entries = [...source.matchAll(/^ {2}"?([a-z]+)"?: "([A-Z0-2 ]+)",?$/gm)]
    .map(([, word, pronunciation]) => ({ word: word!, pronunciation: pronunciation!.replace(/[0-2]/g, "") }))
    .filter(({ word }) => word.length >= 2 && word.length <= maxLetters);
  if (entries.length === 0) {
    throw new ValueError(
      `readDictionary: there is no word of 2 to ${maxLetters} letters in a text of ${source.length} characters; there must be lines like  "cat": "K AE1 T",. Is it the dictionary?`,
      { maxLetters, length: source.length },
    );
  }
  return entries;
}

/** Every `evalEvery`-th word is held out. */
export function splitEntries(entries: readonly Entry[], { evalEvery }: { readonly evalEvery: number }) {
  const isHeldOut = (i: number) => i % evalEvery === evalEvery - 1;
  return {
    train: entries.filter((_, i) => !isHeldOut(i)),
    heldOut: entries.filter((_, i) => isHeldOut(i)),
  };
}

/** 0..25 */
export function letterTokens(word: string): number[] {
  return Array.from(word, (letter) => letter.charCodeAt(0) - firstLetter);
}

/** @throws {ValueError} E_VALUE for what is no phoneme. */
export function phonemeTokens(pronunciation: string): number[] {
  return pronunciation.split(" ").map((phoneme) => {
    const token = tokenOf.get(phoneme);
    if (token !== undefined) return token;
    throw new ValueError(`phonemeTokens: "${phoneme}" in "${pronunciation}" must be one of ${phonemes.join(" ")}.`, {
      phoneme,
    });
  });
}

/** The inverse of phonemeTokens; start and end tokens are left out. */
export function pronunciationOf(tokens: Iterable<number>): string {
  return Array.from(tokens)
    .filter((token) => token >= firstPhoneme)
    .map((token) => phonemes[token - firstPhoneme])
    .join(" ");
}
