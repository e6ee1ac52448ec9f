/**
 * @file CSV cut into records of cells, by the rules of RFC 4180: cells are separated by a delimiter, records by CRLF or LF; a cell in quotes
 * may hold both, and a quote written twice. Everything else is refused with the line.
 */
import { fileError } from "./file-error.js";

export interface CsvRecord {
  readonly cells: readonly string[];
  /** Line of the file at which the record begins, from 1. */
  readonly line: number;
  /** False where the file ends instead. */
  readonly hasLineEnd: boolean;
}

export interface CsvSyntax {
  readonly file: string;
  readonly delimiter: string;
}

/** All records of a text. @throws {FormatError} E_FILE_FORMAT with row and line. */
export function csvRecords(text: string, syntax: CsvSyntax): CsvRecord[] {
  const cursor = { text: text.startsWith("\ufeff") ? text.slice(1) : text, at: 0, line: 1 };
  const records: CsvRecord[] = [];
  while (cursor.at < cursor.text.length) records.push(readRecord(cursor, syntax, records.length + 1));
  return records;
}

interface Cursor {
  readonly text: string;
  at: number;
  line: number;
}

function readRecord(cursor: Cursor, syntax: CsvSyntax, record: number): CsvRecord {
  const { line } = cursor;
  const cells: string[] = [];
  for (;;) {
    const { line: cellLine } = cursor;
    const place = () => `record ${record} (line ${cellLine}), cell ${cells.length + 1}`;
    cells.push(cursor.text[cursor.at] === '"' ? readQuoted(cursor, syntax, place) : readPlain(cursor, syntax, place));
    const next = cursor.text[cursor.at];
    cursor.at += 1;
    if (next === syntax.delimiter) continue;
    if (next === "\r") cursor.at += 1;
    cursor.line += 1;
    return { cells, line, hasLineEnd: next !== undefined };
  }
}

function readPlain(cursor: Cursor, { file, delimiter }: CsvSyntax, place: () => string): string {
  const begin = cursor.at;
  const { text } = cursor;
  while (cursor.at < text.length) {
    const character = text[cursor.at]!;
    if (character === delimiter || character === "\n") break;
    if (character === "\r") {
      if (text[cursor.at + 1] === "\n") break;
      throw fileError("decodeCsv", {
        file,
        place: place(),
        is: "has a carriage return that no line feed follows",
        must: "records must end with LF or CRLF (RFC 4180). Convert the line ends.",
        fields: { line: cursor.line },
      });
    }
    if (character === '"') {
      throw fileError("decodeCsv", {
        file,
        place: place(),
        is: `has a quote inside ${JSON.stringify(text.slice(begin, cursor.at + 1))}`,
        must: "a cell with quotes must begin with one, and write each inner one twice (RFC 4180).",
        fields: { line: cursor.line },
      });
    }
    cursor.at += 1;
  }
  return text.slice(begin, cursor.at);
}

function readQuoted(cursor: Cursor, { file, delimiter }: CsvSyntax, place: () => string): string {
  const { text } = cursor;
  const firstLine = cursor.line;
  let value = "";
  let begin = cursor.at + 1;
  for (;;) {
    const quote = text.indexOf('"', begin);
    if (quote < 0) {
      throw fileError("decodeCsv", {
        file,
        place: place(),
        is: "begins with a quote that is never closed",
        must: "a quoted cell must end with a quote (RFC 4180). Is the file cut off?",
        fields: { line: firstLine },
      });
    }
    const piece = text.slice(begin, quote);
    value += piece;
    for (const character of piece) if (character === "\n") cursor.line += 1;
    if (text[quote + 1] !== '"') {
      cursor.at = quote + 1;
      break;
    }
    value += '"';
    begin = quote + 2;
  }
  const next = text[cursor.at];
  const isEnd = next === undefined || next === delimiter || next === "\n" || text.startsWith("\r\n", cursor.at);
  if (!isEnd) {
    throw fileError("decodeCsv", {
      file,
      place: place(),
      is: `has ${JSON.stringify(next)} after its closing quote`,
      must: "a delimiter or the end of the record must follow (RFC 4180).",
      fields: { line: cursor.line },
    });
  }
  return value;
}
