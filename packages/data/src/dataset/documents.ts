/** @file Many documents as one list of tokens, and their split into training and held-out ones. */
import { ValueError } from "@lockstep/core";
import type { Tokenizer } from "../tokenizer/tokenizer.js";

export interface EncodeDocumentsOptions {
  /** Text between two documents. Default: a blank line. */
  readonly separator?: string;
}

/**
 * Tokens of all documents, each followed by the separator.
 *
 * @throws {ValueError} E_TEXT_EMPTY when no document has any text; E_UNKNOWN_CHARACTER from the tokenizer.
 */
export function encodeDocuments(
  tokenizer: Tokenizer,
  documents: readonly string[],
  options: EncodeDocumentsOptions = {},
): Int32Array {
  const { separator = "\n\n" } = options;
  const filled = documents.filter((text) => text.length > 0);
  if (filled.length === 0) {
    throw new ValueError(
      `encodeDocuments: none of ${documents.length} documents has any text; at least one must. Check the files of the job.`,
      { numDocuments: documents.length },
      "E_TEXT_EMPTY",
    );
  }
  const between = tokenizer.encode(separator);
  const pieces = filled.map((text) => tokenizer.encode(text));
  const out = new Int32Array(pieces.reduce((sum, piece) => sum + piece.length + between.length, 0));
  let position = 0;
  for (const piece of pieces) {
    out.set(piece, position);
    out.set(between, position + piece.length);
    position += piece.length + between.length;
  }
  return out;
}

/**
 * Every `evalEvery`-th document is held out: the last of each group, so that the split does not depend on how many follow.
 *
 * @throws {ValueError} E_VALUE when evalEvery is not a whole number of at least 2, or there are fewer documents than that.
 * @example
 * splitDocuments(["a", "b", "c", "d"], { evalEvery: 2 }); // => { train: ["a", "c"], eval: ["b", "d"] }
 */
export function splitDocuments<Document>(
  documents: readonly Document[],
  { evalEvery }: { readonly evalEvery: number },
): { train: Document[]; eval: Document[] } {
  if (!Number.isInteger(evalEvery) || evalEvery < 2 || documents.length < evalEvery) {
    throw new ValueError(
      `splitDocuments: evalEvery is ${evalEvery} and there are ${documents.length} documents; evalEvery must be a whole number in 2..${documents.length}.`,
      { evalEvery, numDocuments: documents.length },
    );
  }
  const isHeldOut = (i: number) => i % evalEvery === evalEvery - 1;
  return { train: documents.filter((_, i) => !isHeldOut(i)), eval: documents.filter((_, i) => isHeldOut(i)) };
}
