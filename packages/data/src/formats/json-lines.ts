import { ValueError } from "@lockstep/core";
import { type DecodeOptions, fileError } from "./file-error.js";
import { textOf } from "./text-of.js";

/**
 * The values of a file with one JSON value a line. For objects of numbers and text, tableOfRecords makes a table of them.
 *
 * @param source the file's bytes (UTF-8) or its text
 * @throws {FormatError} E_FILE_FORMAT with file and line: a line that is empty or no JSON (the last one may be empty).
 * @source jsonlines.org
 * @example
 * decodeJsonLines('{"x": 1}\n[2]\n'); // => [{ x: 1 }, [2]]
 */
export function decodeJsonLines(source: Uint8Array | string, options: DecodeOptions = {}): unknown[] {
  const { file = "" } = options;
  const lines = textOf("decodeJsonLines", source, file)
    .replace(/^\ufeff/, "")
    .split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((text, i) => {
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text;
      throw fileError("decodeJsonLines", {
        file,
        place: `line ${i + 1}`,
        is: text.trim() === "" ? "is empty" : `is no JSON: ${shown}`,
        must: "every line must be one JSON value. Is the file cut off, or one JSON document over several lines?",
        fields: { line: i + 1 },
        cause,
      });
    }
  });
}

/**
 * Values as JSON, one a line.
 *
 * @throws {ValueError} E_VALUE for what JSON cannot say (undefined, a function), with its place.
 * @source jsonlines.org
 * @example
 * encodeJsonLines([{ x: 1 }, [2]]); // => '{"x":1}\n[2]\n'
 */
export function encodeJsonLines(values: readonly unknown[]): string {
  return values
    .map((value, i) => {
      const text: string | undefined = JSON.stringify(value);
      if (text !== undefined) return `${text}\n`;
      throw new ValueError(`encodeJsonLines: values[${i}] is ${typeof value}; it must be a JSON value.`, { place: i });
    })
    .join("");
}
