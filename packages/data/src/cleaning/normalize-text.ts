import { ValueError } from "@lockstep/core";

export interface NormalizeTextOptions {
  /** Unicode form. Default "NFKC"; "none" leaves characters as they are. */
  readonly form?: "NFC" | "NFKC" | "none";
  /** Default "keep". "lower" maps every character by Unicode, without a language's rules. */
  readonly case?: "keep" | "lower";
  /** Default "collapse": runs of white space become one space (a line end where they hold one), none at the ends. */
  readonly whitespace?: "collapse" | "keep";
  /** Control and format characters but tab and line ends. Default "remove". Joiners of scripts and emoji are format characters and stay. */
  readonly controlCharacters?: "remove" | "keep";
  /** Takes the place of each URL; not given, they stay. */
  readonly urlPlaceholder?: string;
  /** Takes the place of each number; not given, they stay. */
  readonly numberPlaceholder?: string;
}

/** How many characters or pieces each step changed. */
export interface TextChanges {
  /** Whether the Unicode form differed. */
  readonly form: boolean;
  readonly controlCharacters: number;
  readonly urls: number;
  readonly numbers: number;
  /** Runs of white space that were changed or cut off. */
  readonly whitespace: number;
  /** Whether a letter's case changed. */
  readonly case: boolean;
}

const urlPattern = /\b(?:https?:\/\/|www\.)[^\s<>"'`\u3000]*[^\s<>"'`\u3000.,;:!?)\]}]/giu;
const numberPattern = /(?<![\p{L}\p{N}_])[+-]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?(?![\p{L}\p{N}_])/gu;
/** Control (Cc) and format (Cf) characters, without tab, line feed, carriage return and the two joiners U+200C and U+200D. */
const controlPattern = /(?![\t\n\r\u200c\u200d])[\p{Cc}\p{Cf}]/gu;

/**
 * Text in one form, and what was changed: Unicode form, control characters, URLs, numbers, white space, case, in that order.
 *
 * @numerics Tables of Unicode come from the engine. Characters keep their forms from the version that brings them on, so two engines
 *   differ only for characters newer than the older one's Unicode; nothing else here depends on the engine.
 * @throws {ValueError} E_TEXT when the text has half of a surrogate pair, with its place.
 * @source Unicode Standard Annex 15 for the forms.
 * @example
 * normalizeText("\uff28i\u200b  there, www.x.org/a!", { case: "lower", urlPlaceholder: "<url>" }).text; // => "hi there, <url>!"
 */
export function normalizeText(
  text: string,
  options: NormalizeTextOptions = {},
): { readonly text: string; readonly changes: TextChanges } {
  const { form = "NFKC", case: letterCase = "keep", whitespace = "collapse", controlCharacters = "remove" } = options;
  const half = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.exec(text);
  if (half !== null) {
    throw new ValueError(
      `normalizeText: text has half a surrogate pair at place ${half.index}; it must be whole Unicode. Decode it from UTF-8 first.`,
      { place: half.index },
      "E_TEXT",
    );
  }
  const formed = form === "none" ? text : text.normalize(form);
  const [visible, numControls] = controlCharacters === "remove" ? replaced(formed, controlPattern, "") : [formed, 0];
  const [withoutUrls, urls] = replaced(visible, urlPattern, options.urlPlaceholder);
  const [withoutNumbers, numbers] = replaced(withoutUrls, numberPattern, options.numberPlaceholder);
  const [collapsed, runs] = whitespace === "collapse" ? collapse(withoutNumbers) : [withoutNumbers, 0];
  const cased = letterCase === "lower" ? collapsed.toLowerCase() : collapsed;
  return {
    text: cased,
    changes: {
      form: formed !== text,
      controlCharacters: numControls,
      urls,
      numbers,
      whitespace: runs,
      case: cased !== collapsed,
    },
  };
}

function replaced(text: string, pattern: RegExp, by: string | undefined): [text: string, count: number] {
  if (by === undefined) return [text, 0];
  let count = 0;
  const result = text.replace(pattern, () => {
    count += 1;
    return by;
  });
  return [result, count];
}

function collapse(text: string): [text: string, count: number] {
  let count = 0;
  const result = text.replace(/\s+/gu, (run, at: number) => {
    const isEdge = at === 0 || at + run.length === text.length;
    const by = isEdge ? "" : run.includes("\n") ? "\n" : " ";
    if (by !== run) count += 1;
    return by;
  });
  return [result, count];
}
