/** @file The alphabet of the model, fixed in advance, so that its weights fit any English text. */

/** Every character the model knows. */
export const alphabet = `\n !"$%&'()*+,-./0123456789:;?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz`;

const plainForms: Readonly<Record<string, string>> = {
  "\u2018": "'",
  "\u2019": "'",
  "\u201c": '"',
  "\u201d": '"',
  "\u2011": "-",
  "\u2013": "-",
  "\u2014": "--",
  "\t": " ",
};
const known = new Set(alphabet);

/** The text in the alphabet: typographic quotes and dashes become plain, accents fall off, anything else is left out. */
export function cleanText(text: string): string {
  let clean = "";
  for (const char of text.normalize("NFKD")) {
    for (const part of plainForms[char] ?? char) if (known.has(part)) clean += part;
  }
  return clean;
}
