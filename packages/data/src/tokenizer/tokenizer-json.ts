/**
 * @file Hugging Face's `tokenizer.json` for byte-level BPE: written, and read with every assumption checked.
 *
 * @source github.com/huggingface/tokenizers 0.21, the serialisation of `Tokenizer` with a BPE model, ByteLevel pre-tokenizer and
 * decoder. Files with another model, a normalizer or another pre-tokenizer are refused.
 */
import { FormatError } from "@lockstep/core";
import type { BpeVocabulary } from "./bpe-vocabulary.js";
import { characterOfByte } from "./byte-level.js";

type Json = { readonly [key: string]: unknown };

const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };

/** The file's text. */
export function encodeTokenizerJson({ tokens, merges, specialIds }: BpeVocabulary): string {
  const special = new Set(specialIds);
  const vocab = tokens.map((token, id) => [token, id] as const).filter(([, id]) => !special.has(id));
  return JSON.stringify({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialIds.map((id) => ({
      id,
      content: tokens[id],
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocab),
      merges: merges.map(([left, right]) => [tokens[left], tokens[right]]),
    },
  });
}

/** @param json parsed JSON of the file. @throws {FormatError} E_FORMAT, and nothing else. */
export function decodeTokenizerJson(json: Json): BpeVocabulary {
  const model = json.model;
  if (!isObject(model) || model.type !== "BPE" || !isObject(model.vocab) || !Array.isArray(model.merges)) {
    throw refuse("model", isObject(model) ? model.type : model, "a BPE model with vocab and merges");
  }
  if ((json.normalizer ?? null) !== null) throw refuse("normalizer", json.normalizer, "null");
  assertByteLevel("pre_tokenizer", json.pre_tokenizer);
  assertByteLevel("decoder", json.decoder);
  for (const field of ["dropout", "continuing_subword_prefix", "end_of_word_suffix"]) {
    if ((model[field] ?? null) !== null && model[field] !== "") throw refuse(`model.${field}`, model[field], "null");
  }
  for (const field of ["byte_fallback", "ignore_merges"]) {
    if ((model[field] ?? false) !== false) throw refuse(`model.${field}`, model[field], "false");
  }
  const added = readAddedTokens(json.added_tokens ?? []);
  const tokens = readTokens(model.vocab, added);
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  for (const character of characterOfByte) {
    if (!idOf.has(character))
      throw refuse("model.vocab", `no ${JSON.stringify(character)}`, "a vocabulary with all 256 bytes");
  }
  const pairs = model.merges.map(readMerge);
  const lookUp = (token: string): number => {
    const id = idOf.get(token);
    if (id === undefined) throw refuse("model.merges", token, "made of tokens of the vocabulary");
    return id;
  };
  return {
    tokens,
    merges: pairs.map(([left, right]) => [lookUp(left), lookUp(right)]),
    mergedIds: pairs.map(([left, right]) => lookUp(left + right)),
    specialIds: added.map(({ id }) => id),
  };
}

function readTokens(vocab: Json, added: readonly { id: number; content: string }[]): string[] {
  const entries = [...Object.entries(vocab), ...added.map(({ id, content }) => [content, id] as const)];
  const tokens: string[] = [];
  const seen = new Set<number>();
  for (const [token, id] of entries) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= entries.length) {
      throw refuse(`id of ${JSON.stringify(token)}`, id, `a whole number in 0..${entries.length - 1}`);
    }
    // Files of other programs list special tokens in both places.
    if (seen.has(id) && tokens[id] !== token)
      throw refuse(`id of ${JSON.stringify(token)}`, id, "used by one token only");
    seen.add(id);
    tokens[id] = token;
  }
  for (let id = 0; id < tokens.length; id++) {
    if (!seen.has(id)) throw refuse("model.vocab", `no token with id ${id}`, "a vocabulary without holes");
  }
  return tokens;
}

function readAddedTokens(value: unknown): { id: number; content: string }[] {
  if (!Array.isArray(value)) throw refuse("added_tokens", value, "a list");
  return value.map((entry: unknown) => {
    if (!isObject(entry) || typeof entry.content !== "string" || entry.content === "" || typeof entry.id !== "number") {
      throw refuse("added_tokens", entry, "a list of {id, content}");
    }
    for (const field of ["single_word", "lstrip", "rstrip"]) {
      if ((entry[field] ?? false) !== false) throw refuse(`added_tokens ${field}`, entry[field], "false");
    }
    return { id: entry.id, content: entry.content };
  });
}

/** Older files write "a b", newer ones ["a", "b"]. */
function readMerge(value: unknown): [string, string] {
  const parts: unknown = typeof value === "string" ? value.split(" ") : value;
  const [left, right] = Array.isArray(parts) && parts.length === 2 ? (parts as unknown[]) : [];
  if (typeof left !== "string" || typeof right !== "string") throw refuse("model.merges", value, 'pairs "left right"');
  return [left, right];
}

function assertByteLevel(field: string, value: unknown): void {
  if (!isObject(value) || value.type !== "ByteLevel") {
    throw refuse(field, isObject(value) ? value.type : value, "ByteLevel");
  }
  if (field === "pre_tokenizer" && (value.add_prefix_space !== false || value.use_regex === false)) {
    throw refuse(field, value, "ByteLevel with add_prefix_space false and use_regex true");
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(field: string, value: unknown, expected: string): FormatError {
  const text = JSON.stringify(value) ?? String(value);
  const shown = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  return new FormatError(`loadTokenizer: ${field} is ${shown}; it must be ${expected}.`, { field, value });
}
