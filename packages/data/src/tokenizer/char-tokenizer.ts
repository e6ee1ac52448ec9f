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
 * [...charTokenizer("banana").encode("nab")]; // => [2, 0, 1]
 */
export function charTokenizer(text: string, options: CharTokenizerOptions = {}): CharTokenizer {
  if (text.length === 0) {
    throw new ValueError(
      "charTokenizer: the text is empty; it must have at least one character. Check the files of the job.",
      {},
      "E_TEXT_EMPTY",
    );
  }
  return fromCharacters(distinctCharacters(text), options.unknown);
}

/** In ascending order of code points. A table of flags: a set would take a second for ten million characters. */
function distinctCharacters(text: string): string[] {
  const isSeen = new Uint8Array(0x110000);
  for (let i = 0; i < text.length; i++) {
    const codePoint = text.codePointAt(i)!;
    isSeen[codePoint] = 1;
    if (codePoint > 0xffff) i++;
  }
  const characters: string[] = [];
  for (const [codePoint, seen] of isSeen.entries()) if (seen === 1) characters.push(String.fromCodePoint(codePoint));
  return characters;
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
  // Id of each code unit that is a character by itself, else -1; the rest go through the map.
  const idOfUnit = new Int32Array(65536).fill(-1);
  for (const [id, character] of characters.entries())
    if (character.length === 1) idOfUnit[character.charCodeAt(0)] = id;
  return {
    vocabSize,
    characters,
    encode(text) {
      const ids = new Int32Array(text.length);
      let length = 0;
      for (let i = 0; i < text.length; i++) {
        const known = idOfUnit[text.charCodeAt(i)]!;
        if (known >= 0 && !(isHighSurrogate(text, i) && isLowSurrogate(text, i + 1))) {
          ids[length++] = known;
          continue;
        }
        const character = String.fromCodePoint(text.codePointAt(i)!);
        const id = idOf.get(character) ?? unknownId;
        if (id === undefined) throw unknownCharacterError(character, length, vocabSize);
        ids[length++] = id;
        i += character.length - 1;
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

function isHighSurrogate(text: string, i: number): boolean {
  return (text.charCodeAt(i) & 0xfc00) === 0xd800;
}

function isLowSurrogate(text: string, i: number): boolean {
  return (text.charCodeAt(i) & 0xfc00) === 0xdc00;
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
