import { ValueError } from "@lockstep/core";
import { createTable, readFrom, type Table, type TableColumn } from "../table/table.js";
import { type CsvRecord, csvRecords } from "./csv-records.js";
import { type DecodeOptions, fileError } from "./file-error.js";
import { textOf } from "./text-of.js";

/** "integer" refuses fractions and what f64 cannot hold; "boolean" takes true, false, 1, 0 and gives 1, 0. */
export type CsvType = "number" | "integer" | "boolean" | "text";

export interface CsvOptions extends DecodeOptions {
  /** Default ",". One character. */
  readonly delimiter?: string;
  /** Default true: the first record names the columns. Otherwise they are column0, column1, ... */
  readonly hasHeader?: boolean;
  /** Types of some columns. The others hold numbers where every cell that is not missing is one, else text. */
  readonly types?: Readonly<Record<string, CsvType>>;
  /** Cells that mean "not known", compared after the quotes are gone. Default: "", "NA", "NaN", "nan", "null", "NULL". */
  readonly missing?: readonly string[];
  /** How many rows there must be. A file that was cut off at the end of a line shows in nothing else. */
  readonly numRows?: number;
  /** Default "optional", as RFC 4180 has it. "required" refuses a last record that was cut off inside of its last cell. */
  readonly finalLineEnd?: "optional" | "required";
}

const defaultMissing = ["", "NA", "NaN", "nan", "null", "NULL"];
const numberPattern = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const integerPattern = /^[+-]?\d+$/;

/**
 * A table from CSV. Nothing is guessed beyond the types: spaces belong to cells, an empty line is a record of one empty cell.
 *
 * Whole numbers that f64 cannot hold (identifiers of more than 15 digits) make a column text, so that no digit is lost.
 *
 * @param source the file's bytes (UTF-8) or its text
 * @throws {FormatError} E_FILE_FORMAT with file, row (of the data, from 1), line and rule: bytes that are no UTF-8, quotes against RFC 4180,
 *   a record with too few or too many cells, a header that is empty or names a column twice, a cell that is not of its column's type.
 *   {ValueError} E_VALUE for options.
 * @source RFC 4180. Deviations: LF ends a record too, and a byte order mark is dropped.
 * @example
 * decodeCsv("age,city\n31,\"Bern, CH\"\n,Oslo\n").columns; // => { age: new Float64Array([31, NaN]), city: ["Bern, CH", "Oslo"] }
 */
export function decodeCsv(source: Uint8Array | string, options: CsvOptions = {}): Table {
  const { file = "", delimiter = ",", hasHeader = true, types = {}, missing = defaultMissing } = options;
  if (delimiter.length !== 1 || '"\r\n'.includes(delimiter)) {
    throw new ValueError(
      `decodeCsv: delimiter is ${JSON.stringify(delimiter)}; it must be one character, not a quote or a line end.`,
      { delimiter },
    );
  }
  const records = csvRecords(textOf("decodeCsv", source, file), { file, delimiter });
  const first = records[0];
  if (first === undefined) {
    throw fileError("decodeCsv", {
      file,
      place: "record 1",
      is: "is not there: the file is empty",
      must: "there must be at least one.",
    });
  }
  if (options.finalLineEnd === "required") assertFinalLineEnd(records, file);
  const names = hasHeader ? headerNames(first, file) : first.cells.map((_, i) => `column${i}`);
  const rows = hasHeader ? records.slice(1) : records;
  assertWidths(rows, names, file);
  assertNumRows(rows, options);
  for (const name of Object.keys(types)) {
    if (names.includes(name)) continue;
    throw new ValueError(
      `decodeCsv: ${file === "" ? "" : `${file}: `}types names column ${name}; it must be one of ${names.join(", ")}.`,
      { column: name, names },
    );
  }
  const absent = new Set(missing);
  const columns = names.map((name, place) => {
    const type = types[name] ?? inferType(rows, place, absent);
    return [name, readColumn(rows, { name, place, type, absent, file })] as const;
  });
  return readFrom(file, createTable(Object.fromEntries(columns)));
}

/**
 * A table as CSV with a header; missing values are empty cells. Numbers are written so that they read back as the same f64.
 *
 * @throws {ValueError} E_COLUMN when a column's name is empty.
 * @source RFC 4180, with LF for line ends.
 * @example
 * encodeCsv(createTable({ x: [1.5, null], y: ["a", "b,c"] })); // => "x,y\n1.5,a\n,\"b,c\"\n"
 */
export function encodeCsv(table: Table): string {
  const entries = Object.entries(table.columns);
  const lines = [entries.map(([name]) => quoted(name)).join(",")];
  for (let row = 0; row < table.numRows; row++) {
    lines.push(entries.map(([, column]) => cellOf(column[row]!)).join(","));
  }
  return `${lines.join("\n")}\n`;
}

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function cellOf(value: number | string | null): string {
  if (value === null || Number.isNaN(value)) return "";
  if (Object.is(value, -0)) return "-0";
  return quoted(String(value));
}

function headerNames({ cells, line }: CsvRecord, file: string): readonly string[] {
  for (const [i, name] of cells.entries()) {
    const isTwice = cells.indexOf(name) !== i;
    if (name !== "" && !isTwice) continue;
    throw fileError("decodeCsv", {
      file,
      place: `header (line ${line}), cell ${i + 1}`,
      is: name === "" ? "is empty" : `is ${JSON.stringify(name)}, like cell ${cells.indexOf(name) + 1}`,
      must: "every column must have a name of its own. Give { hasHeader: false } if the first record is data.",
      fields: { line, cell: i + 1, name },
    });
  }
  return cells;
}

function assertWidths(rows: readonly CsvRecord[], names: readonly string[], file: string): void {
  for (const [i, { cells, line }] of rows.entries()) {
    if (cells.length === names.length) continue;
    throw fileError("decodeCsv", {
      file,
      place: `row ${i + 1} (line ${line})`,
      is: `has ${cells.length} ${cells.length === 1 ? "cell" : "cells"}`,
      must: `it must have ${names.length}, one for each column (${names.join(", ")}).`,
      fields: { row: i + 1, line, numCells: cells.length, expected: names.length },
    });
  }
}

function assertFinalLineEnd(records: readonly CsvRecord[], file: string): void {
  const { line, hasLineEnd } = records.at(-1)!;
  if (hasLineEnd) return;
  throw fileError("decodeCsv", {
    file,
    place: `record ${records.length} (line ${line})`,
    is: "ends without a line end",
    must: 'every record must end with one (finalLineEnd is "required"). Is the file cut off?',
    fields: { line },
  });
}

function assertNumRows(rows: readonly CsvRecord[], { numRows = rows.length, file = "" }: CsvOptions): void {
  if (rows.length === numRows) return;
  throw fileError("decodeCsv", {
    file,
    place: `row ${rows.length}`,
    is: `is the last of ${rows.length}`,
    must: `there must be ${numRows} (numRows). Is the file cut off, or another one?`,
    fields: { row: rows.length, numRows: rows.length, expected: numRows },
  });
}

function inferType(rows: readonly CsvRecord[], place: number, absent: ReadonlySet<string>): CsvType {
  for (const { cells } of rows) {
    const cell = cells[place]!;
    if (absent.has(cell)) continue;
    if (numberOf(cell, "number") === undefined) return "text";
    if (integerPattern.test(cell) && !Number.isSafeInteger(Number(cell))) return "text";
  }
  return "number";
}

interface ColumnPlan {
  readonly name: string;
  readonly place: number;
  readonly type: CsvType;
  readonly absent: ReadonlySet<string>;
  readonly file: string;
}

const mustBe = {
  number: "a finite number",
  integer: `a whole number in -${Number.MAX_SAFE_INTEGER}..${Number.MAX_SAFE_INTEGER}`,
  boolean: "true, false, 1 or 0",
} as const;

function readColumn(rows: readonly CsvRecord[], { name, place, type, absent, file }: ColumnPlan): TableColumn {
  if (type === "text") return rows.map(({ cells }) => (absent.has(cells[place]!) ? null : cells[place]!));
  return Float64Array.from(rows, ({ cells, line }, i) => {
    const cell = cells[place]!;
    if (absent.has(cell)) return Number.NaN;
    const value = numberOf(cell, type);
    if (value !== undefined) return value;
    throw fileError("decodeCsv", {
      file,
      place: `row ${i + 1} (line ${line}), column ${name}`,
      is: `is ${JSON.stringify(cell)}`,
      must: `it must be ${mustBe[type]}, or missing.`,
      fields: { row: i + 1, line, column: name, cell, type },
    });
  });
}

function numberOf(cell: string, type: Exclude<CsvType, "text">): number | undefined {
  if (type === "boolean") return { true: 1, false: 0, "1": 1, "0": 0 }[cell.toLowerCase()];
  if (!(type === "integer" ? integerPattern : numberPattern).test(cell)) return undefined;
  const value = Number(cell);
  return (type === "integer" ? Number.isSafeInteger(value) : Number.isFinite(value)) ? value : undefined;
}
