/** @file The alphabet of the model, fixed in advance, so that its weights fit any English text. */

/** Every character the model knows. */
export const alphabet = `\n !"$%&'()*+,-./0123456789:;?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz`;

const plainForms: readonly (readonly [form: RegExp, plain: string])[] = [
  [/[\u2018\u2019]/g, "'"],
  [/[\u201c\u201d]/g, '"'],
  [/[\u2011\u2013]/g, "-"],
  [/\u2014/g, "--"],
  [/\t/g, " "],
  [/[^\n !"$%&'()*+,\-./0-9:;?A-Z[\]_a-z]/g, ""],
];

/** The text in the alphabet: typographic quotes and dashes become plain, accents fall off, anything else is left out. */
export function cleanText(text: string): string {
  return plainForms.reduce((clean, [form, plain]) => clean.replace(form, plain), text.normalize("NFKD"));
}
