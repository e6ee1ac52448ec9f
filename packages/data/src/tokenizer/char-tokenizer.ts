import { FormatError, ValueError } from "@lockstep/core";
import { tokenRangeError } from "./token-range.js";
import type { Tokenizer } from "./tokenizer.js";

export interface CharTokenizerOptions {
  /** A character of the vocabulary that stands for every character that is not in it. Default: such a character is an error. */
  readonly unknown?: string;
}

export interface CharTokenizer extends Tokenizer {
  /** Character of each id, in ascending order of code points. */
  readonly characters: readonly string[];
}

/**
 * One token a character (code point), the vocabulary being the characters of `text`.
 *
 * @throws {ValueError} E_TEXT_EMPTY for an empty text; E_UNKNOWN_CHARACTER when `unknown` is not in it.
 * @example
 * charTokenizer("banana").encode("nab"); // => Int32Array [2, 0, 1]
 */
export function charTokenizer(text: string, options: CharTokenizerOptions = {}): CharTokenizer {
  if (text.length === 0) {
    throw new ValueError(
      "charTokenizer: the text is empty; it must have at least one character. Check the files of the job.",
      {},
      "E_TEXT_EMPTY",
    );
  }
  const codePoints = new Set<number>();
  for (const character of text) codePoints.add(character.codePointAt(0)!);
  const characters = [...codePoints].sort((a, b) => a - b).map((codePoint) => String.fromCodePoint(codePoint));
  return fromCharacters(characters, options.unknown);
}

function fromCharacters(characters: readonly string[], unknown: string | undefined): CharTokenizer {
  const idOf = new Map(characters.map((character, id) => [character, id]));
  const vocabSize = characters.length;
  const unknownId = unknown === undefined ? undefined : idOf.get(unknown);
  if (unknown !== undefined && unknownId === undefined) {
    throw new ValueError(
      `charTokenizer: unknown is ${JSON.stringify(unknown)}; it must be one of the ${vocabSize} characters of the vocabulary.`,
      { unknown, vocabSize },
      "E_UNKNOWN_CHARACTER",
    );
  }
  return {
    vocabSize,
    characters,
    encode(text) {
      const ids = new Int32Array(text.length);
      let length = 0;
      for (const character of text) {
        const id = idOf.get(character) ?? unknownId;
        if (id === undefined) throw unknownCharacterError(character, length, vocabSize);
        ids[length++] = id;
      }
      return ids.slice(0, length);
    },
    decode(ids) {
      const out: string[] = [];
      for (let position = 0; position < ids.length; position++) {
        const character = characters[ids[position]!];
        if (character === undefined)
          throw tokenRangeError("charTokenizer.decode", ids[position]!, { position, vocabSize });
        out.push(character);
      }
      return out.join("");
    },
    save: () => JSON.stringify({ schema: 1, kind: "char", characters, unknown: unknown ?? null }),
  };
}

function unknownCharacterError(character: string, position: number, vocabSize: number): ValueError {
  return new ValueError(
    `charTokenizer.encode: character ${JSON.stringify(character)} (U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}) at position ${position} is not one of the ${vocabSize} characters of the vocabulary. Make the vocabulary from all texts, or give an \`unknown\` character.`,
    { character, position, vocabSize },
    "E_UNKNOWN_CHARACTER",
  );
}

/** @param json parsed JSON of `save`. @throws {FormatError} E_FORMAT */
export function charTokenizerFromJson(json: { readonly [key: string]: unknown }): CharTokenizer {
  const { schema, characters, unknown } = json;
  const isList =
    Array.isArray(characters) &&
    characters.length > 0 &&
    characters.every((character) => typeof character === "string" && [...character].length === 1) &&
    new Set(characters).size === characters.length;
  if (schema !== 1 || !isList || !(unknown === null || (typeof unknown === "string" && characters.includes(unknown)))) {
    throw new FormatError(
      'loadTokenizer: a character tokenizer must be {schema: 1, kind: "char", characters: [distinct characters], unknown: null or one of them}; this file is not. Save it again with `save()`.',
      { schema },
    );
  }
  return fromCharacters(characters as string[], unknown ?? undefined);
}
