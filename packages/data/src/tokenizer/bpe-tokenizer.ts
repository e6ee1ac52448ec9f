/**
 * @file Byte-level byte-pair encoding, as GPT-2 has it: any text can be encoded, and decoding gives it back.
 *
 * Saved in the format of Hugging Face's `tokenizer.json`, so that other programs read it.
 */
import { ValueError } from "@lockstep/core";
import { applyMerge, learnMerges } from "./bpe-training.js";
import type { BpeVocabulary } from "./bpe-vocabulary.js";
import { characterOfByte, fromByteCharacters, splitWords, toByteCharacters } from "./byte-level.js";
import { tokenRangeError } from "./token-range.js";
import type { Tokenizer } from "./tokenizer.js";
import { encodeTokenizerJson } from "./tokenizer-json.js";

export interface TrainBpeOptions {
  /** Bytes, merges and special tokens together; at least 256 + their number. Fewer when the text has not enough pairs. */
  readonly vocabSize: number;
  /** Get the last ids. Default none; GPT-2's is "<|endoftext|>". */
  readonly specialTokens?: readonly string[];
}

/** Words whose ids are remembered. */
const maxCachedWords = 100_000;
const pairFactor = 2097152;

/**
 * Learns a vocabulary from texts.
 *
 * @throws {ValueError} E_VALUE when vocabSize is too small or too large; E_TEXT_EMPTY when the texts have nothing to learn from.
 */
export function trainByteLevelBpe(texts: Iterable<string>, options: TrainBpeOptions): Tokenizer {
  const { vocabSize, specialTokens = [] } = options;
  const smallest = 256 + specialTokens.length;
  if (!Number.isInteger(vocabSize) || vocabSize < smallest || vocabSize > 1_000_000) {
    throw new ValueError(
      `trainByteLevelBpe: vocabSize is ${vocabSize}; it must be a whole number in ${smallest}..1000000 (256 bytes and ${specialTokens.length} special tokens are always there).`,
      { vocabSize, smallest },
    );
  }
  const wordCounts = new Map<string, number>();
  for (const text of texts) for (const word of splitWords(text)) wordCounts.set(word, (wordCounts.get(word) ?? 0) + 1);
  if (wordCounts.size === 0) {
    throw new ValueError(
      "trainByteLevelBpe: the texts are empty; there must be at least one word. Check the files of the job.",
      {},
      "E_TEXT_EMPTY",
    );
  }
  const tokens = [...characterOfByte].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  const counted = Array.from(wordCounts, ([word, count]) => {
    return [toByteCharacters(word).map((character) => idOf.get(character)!), count] as const;
  });
  const merges = learnMerges(counted, { firstId: 256, maxMerges: vocabSize - smallest });
  for (const [left, right] of merges) tokens.push(tokens[left]! + tokens[right]!);
  const specialIds = specialTokens.map((token) => tokens.push(token) - 1);
  return bpeTokenizer({ tokens, merges, mergedIds: merges.map((_, i) => 256 + i), specialIds });
}

/** The tokenizer of a vocabulary. */
export function bpeTokenizer(vocabulary: BpeVocabulary): Tokenizer {
  const { tokens, merges, mergedIds, specialIds } = vocabulary;
  const vocabSize = tokens.length;
  const special = new Map(specialIds.map((id) => [tokens[id]!, id]));
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  const ranks = new Map(merges.map(([left, right], rank) => [left * pairFactor + right, rank]));
  const cache = new Map<string, readonly number[]>();

  const encodeWord = (word: string): readonly number[] => {
    const known = cache.get(word);
    if (known !== undefined) return known;
    let ids = toByteCharacters(word).map((character) => idOf.get(character)!);
    for (let best = lowestRank(ids, ranks); best !== undefined; best = lowestRank(ids, ranks)) {
      ids = applyMerge(ids, merges[best]!, mergedIds[best]!);
    }
    if (cache.size >= maxCachedWords) cache.clear();
    cache.set(word, ids);
    return ids;
  };

  return {
    vocabSize,
    encode(text) {
      const out: number[] = [];
      for (const piece of splitSpecial(text, [...special.keys()])) {
        const id = special.get(piece);
        if (id !== undefined) out.push(id);
        else for (const word of splitWords(piece)) for (const wordId of encodeWord(word)) out.push(wordId);
      }
      return Int32Array.from(out);
    },
    decode(ids) {
      let out = "";
      let pending = "";
      for (let position = 0; position < ids.length; position++) {
        const id = ids[position]!;
        const token = tokens[id];
        if (token === undefined) throw tokenRangeError("bpeTokenizer.decode", id, { position, vocabSize });
        if (special.has(token)) {
          out += fromByteCharacters(pending) + token;
          pending = "";
        } else pending += token;
      }
      return out + fromByteCharacters(pending);
    },
    save: () => encodeTokenizerJson(vocabulary),
  };
}

function lowestRank(ids: readonly number[], ranks: ReadonlyMap<number, number>): number | undefined {
  let best: number | undefined;
  for (let i = 1; i < ids.length; i++) {
    const rank = ranks.get(ids[i - 1]! * pairFactor + ids[i]!);
    if (rank !== undefined && (best === undefined || rank < best)) best = rank;
  }
  return best;
}

/** Cuts a text around special tokens, the longest first. */
function splitSpecial(text: string, special: readonly string[]): string[] {
  if (special.length === 0) return [text];
  const escaped = [...special]
    .sort((a, b) => b.length - a.length)
    .map((token) => token.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"));
  return text.split(new RegExp(`(${escaped.join("|")})`)).filter((piece) => piece.length > 0);
}
