import { FormatError } from "@lockstep/core";
import { bpeTokenizer } from "./bpe-tokenizer.js";
import { charTokenizerFromJson } from "./char-tokenizer.js";
import type { Tokenizer } from "./tokenizer.js";
import { decodeTokenizerJson } from "./tokenizer-json.js";

/**
 * The tokenizer that `save` wrote, or a Hugging Face `tokenizer.json` of a byte-level BPE.
 *
 * @throws {FormatError} E_FORMAT, and nothing else, for any text that is neither.
 */
export function loadTokenizer(text: string): Tokenizer {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(`loadTokenizer: the file is not JSON (${reason}); it must be.`, { reason });
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new FormatError("loadTokenizer: the file is JSON but no object; it must be a saved tokenizer.", {});
  }
  const fields = json as { readonly [key: string]: unknown };
  return fields.kind === "char" ? charTokenizerFromJson(fields) : bpeTokenizer(decodeTokenizerJson(fields));
}
