/** @file Random changes of texts: lists of tokens (numbers) or of words. */
import { ValueError } from "@lockstep/core";
import { type Augmentation, assertProbability } from "../random/draws.js";

/**
 * Leaves tokens out, or puts another in their place; at least one stays. Draws once a token.
 *
 * @param options.replacement takes the place of each token that is dropped (a mask or an unknown token), so that the length stays
 * @throws {ValueError} E_AUGMENTATION unless 0 <= p <= 1.
 * @source Wei and Zou 2019, "EDA: easy data augmentation techniques", random deletion; Iyyer et al. 2015 for word dropout.
 */
export function tokenDropout<Token>(options: {
  readonly p: number;
  readonly replacement?: Token;
}): Augmentation<readonly Token[]> {
  const { p, replacement } = options;
  assertProbability("tokenDropout", "p", p);
  return (tokens, draws) => {
    const isDropped = tokens.map(() => draws.uniform() < p);
    if (replacement !== undefined) return tokens.map((token, i) => (isDropped[i] ? replacement : token));
    const kept = tokens.filter((_, i) => !isDropped[i]);
    return kept.length > 0 || tokens.length === 0 ? kept : [tokens[draws.integer(tokens.length)]!];
  };
}

/**
 * Exchanges two random tokens, so many times. Draws two places a swap; they may be equal.
 *
 * @throws {ValueError} E_AUGMENTATION unless numSwaps is a whole number of at least 0.
 * @source Wei and Zou 2019, random swap.
 */
export function tokenSwap<Token>({
  numSwaps = 1,
}: {
  readonly numSwaps?: number;
} = {}): Augmentation<readonly Token[]> {
  if (!Number.isInteger(numSwaps) || numSwaps < 0) {
    throw new ValueError(
      `tokenSwap: numSwaps is ${numSwaps}; it must be a whole number of at least 0.`,
      { numSwaps },
      "E_AUGMENTATION",
    );
  }
  return (tokens, draws) => {
    const out = [...tokens];
    for (let swap = 0; swap < numSwaps && out.length > 1; swap++) {
      const [i, j] = [draws.integer(out.length), draws.integer(out.length)];
      [out[i], out[j]] = [out[j]!, out[i]!];
    }
    return out;
  };
}

/**
 * Puts a synonym in the place of words that have one. Draws once a word that has, and once more where it is replaced.
 *
 * @param options.synonyms words in the form in which they are looked up, each with at least one other word
 * @throws {ValueError} E_AUGMENTATION unless 0 <= p <= 1, or for a word without synonyms.
 * @source Zhang, Zhao and LeCun 2015, "Character-level convolutional networks for text classification", section 2.4.
 */
export function replaceSynonyms(options: {
  readonly p: number;
  readonly synonyms: Readonly<Record<string, readonly string[]>>;
}): Augmentation<readonly string[]> {
  const { p, synonyms } = options;
  assertProbability("replaceSynonyms", "p", p);
  for (const [word, others] of Object.entries(synonyms)) {
    if (others.length > 0) continue;
    throw new ValueError(
      `replaceSynonyms: ${JSON.stringify(word)} has 0 synonyms; it must have at least one.`,
      { word },
      "E_AUGMENTATION",
    );
  }
  return (words, draws) =>
    words.map((word) => {
      if (!Object.hasOwn(synonyms, word) || draws.uniform() >= p) return word;
      const others = synonyms[word]!;
      return others[draws.integer(others.length)]!;
    });
}
