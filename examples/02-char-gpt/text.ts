/** @file Which text the model reads: an alphabet fixed in advance, so that a checkpoint fits any English text, and the split. */
import type { JobFile } from "@lockstep/worker";

/** Every character the model knows; its place here is its token. */
export const alphabet = `\n !"$%&'()*+,-./0123456789:;?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz`;

const plainForms: Readonly<Record<string, string>> = {
  "\u2018": "'",
  "\u2019": "'",
  "\u201c": '"',
  "\u201d": '"',
  "\u2013": "-",
  "\u2014": "--",
  "\u2011": "-",
  "\t": " ",
};
const known = new Set(alphabet);

/** The text in the alphabet: typographic quotes and dashes become plain, accents fall off, the rest is left out. */
export function cleanText(text: string): string {
  let clean = "";
  for (const char of text.normalize("NFKD")) {
    const plain = plainForms[char] ?? char;
    for (const part of plain) if (known.has(part)) clean += part;
  }
  return clean;
}

export interface TextSplit {
  readonly train: string;
  readonly heldOut: string;
}

/** Every twentieth document is held out: documents are sorted by date or chapter, so both parts span the whole. */
export function splitDocuments(documents: readonly JobFile[]): TextSplit {
  const texts = documents.map((document) => cleanText(document.text()));
  return {
    train: texts.filter((_, index) => index % 20 !== 10).join("\n"),
    heldOut: texts.filter((_, index) => index % 20 === 10).join("\n"),
  };
}
