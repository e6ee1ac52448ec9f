/**
 * @file A table: named columns of equal length, of numbers or of text. What CSV, JSON lines and Parquet are read to, and what cleaning
 * and encoders take.
 *
 * A missing number is NaN, a missing text null. Tables are not changed in place; columns may be shared between tables.
 */
import { ValueError } from "@lockstep/core";

export type NumberColumn = Float64Array;
export type TextColumn = readonly (string | null)[];
export type TableColumn = NumberColumn | TextColumn;

export interface Table {
  readonly numRows: number;
  /** In the order of the file; names that are whole numbers come first, as in every JavaScript object. */
  readonly columns: Readonly<Record<string, TableColumn>>;
}

/** What a column can be made of. Booleans become 1 and 0; null and undefined are missing. */
export type ColumnInput =
  | TableColumn
  | ArrayLike<number | boolean | null | undefined>
  | ArrayLike<string | null | undefined>;

/**
 * A table of columns.
 *
 * @throws {ValueError} E_COLUMNS when columns differ in length, or one holds both numbers and text.
 * @example
 * createTable({ age: [31, null], city: ["Bern", "Oslo"] }).columns.age; // => [31, NaN]
 */
export function createTable(columns: Readonly<Record<string, ColumnInput>>): Table {
  const entries = Object.entries(columns).map(([name, values]) => [name, columnOf(name, values)] as const);
  const numRows = entries[0]?.[1].length ?? 0;
  for (const [name, { length }] of entries) {
    if (length === numRows) continue;
    throw new ValueError(
      `createTable: column ${name} has ${length} rows, but ${entries[0]![0]} has ${numRows}; they must be equal.`,
      { column: name, numRows: length, expected: numRows },
      "E_COLUMNS",
    );
  }
  return { numRows, columns: Object.fromEntries(entries) };
}

/**
 * A table of records, as JSON lines hold them. A column is there when any record has it; where a record lacks it, the value is missing.
 *
 * @throws {ValueError} E_COLUMNS with the row when a value is neither number, boolean, text nor null, or of another kind than those above it.
 * @example
 * tableOfRecords([{ x: 1 }, { x: 2, y: "b" }]).columns.y; // => [null, "b"]
 */
export function tableOfRecords(records: readonly Readonly<Record<string, unknown>>[]): Table {
  const names = [...new Set(records.flatMap((record) => Object.keys(record)))];
  const columns = Object.fromEntries(
    names.map((name) => [name, columnOf(name, records.map((record) => record[name]) as ColumnInput)]),
  );
  return { numRows: records.length, columns };
}

/** Which file a table was read from, for messages: nothing else depends on it. */
const fileOf = new WeakMap<Table, string>();

/** The table, whose missing columns are looked for in `file` from here on; "" for none. */
export function readFrom(file: string, table: Table): Table {
  if (file !== "") fileOf.set(table, file);
  return table;
}

/** `table`, from where `origin` was read. */
function readAs(origin: Table, table: Table): Table {
  return readFrom(fileOf.get(origin) ?? "", table);
}

/** The rows of a table at these places, in this order. @throws {ValueError} E_ROW when one is not in 0..numRows-1. */
export function takeRows(table: Table, rows: ArrayLike<number>): Table {
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (Number.isInteger(row) && row >= 0 && row < table.numRows) continue;
    throw new ValueError(
      `takeRows: rows[${i}] is ${row}; it must be a whole number in 0..${table.numRows - 1}.`,
      { row, place: i, numRows: table.numRows },
      "E_ROW",
    );
  }
  const columns = Object.entries(table.columns).map(([name, column]) => [name, takeValues(column, rows)] as const);
  return readAs(table, { numRows: rows.length, columns: Object.fromEntries(columns) });
}

/** Some columns of a table, in this order. @throws {ValueError} E_COLUMN for a name that the table lacks. */
export function selectColumns(table: Table, names: readonly string[]): Table {
  const columns = Object.fromEntries(names.map((name) => [name, findColumn("selectColumns", table, name)]));
  return readAs(table, { numRows: table.numRows, columns });
}

/** The table with some columns replaced or added. @throws {ValueError} E_COLUMNS as createTable. */
export function withColumns(table: Table, columns: Readonly<Record<string, ColumnInput>>): Table {
  return readAs(table, createTable({ ...table.columns, ...columns }));
}

/** A column by name. @throws {ValueError} E_COLUMN when the table lacks it. */
export function findColumn(where: string, table: Table, name: string): TableColumn {
  const column = Object.hasOwn(table.columns, name) ? table.columns[name] : undefined;
  if (column !== undefined) return column;
  const known = Object.keys(table.columns);
  const file = fileOf.get(table);
  throw new ValueError(
    `${where}: there is no column ${JSON.stringify(name)}${file === undefined ? "" : ` in ${file}`}; it must be one of ${known.join(", ") || "none: the table is empty"}.`,
    { column: name, known, ...(file === undefined ? {} : { file }) },
    "E_COLUMN",
  );
}

/** A column of numbers by name. @throws {ValueError} E_COLUMN when it is not there or holds text. */
export function numberColumn(where: string, table: Table, name: string): NumberColumn {
  const column = findColumn(where, table, name);
  if (column instanceof Float64Array) return column;
  throw new ValueError(
    `${where}: column ${name} holds text; it must hold numbers. Encode it first (OrdinalEncoder, OneHotEncoder).`,
    { column: name },
    "E_COLUMN",
  );
}

/** Whether a value of a column is missing. */
export function isMissing(value: number | string | null | undefined): boolean {
  return value === null || value === undefined || (typeof value === "number" && Number.isNaN(value));
}

function takeValues(column: TableColumn, rows: ArrayLike<number>): TableColumn {
  if (column instanceof Float64Array) return Float64Array.from(rows, (row) => column[row]!);
  return Array.from(rows, (row) => column[row]!);
}

function columnOf(name: string, values: ColumnInput): TableColumn {
  if (values instanceof Float64Array) return values;
  const kind = kindOf(name, values);
  if (kind === "text") return Array.from(values as ArrayLike<string | null | undefined>, (value) => value ?? null);
  return Float64Array.from(values as ArrayLike<number | boolean | null | undefined>, (value) =>
    value === null || value === undefined ? Number.NaN : Number(value),
  );
}

/** Of the first value that is there; a column of missing values alone holds numbers. */
function kindOf(name: string, values: ArrayLike<unknown>): "number" | "text" {
  let kind: "number" | "text" | undefined;
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    if (value === null || value === undefined) continue;
    const isNumber = typeof value === "number" || typeof value === "boolean";
    const found = isNumber ? "number" : typeof value === "string" ? "text" : typeof value;
    if (found !== "number" && found !== "text") {
      throw new ValueError(
        `createTable: column ${name}, row ${row + 1}: is of type ${found}; it must be a number, a boolean, text or null.`,
        { column: name, row: row + 1, type: found },
        "E_COLUMNS",
      );
    }
    kind ??= found;
    if (found !== kind) {
      throw new ValueError(
        `createTable: column ${name}, row ${row + 1}: is ${found}, but the rows above hold ${kind}; a column must hold one kind. Convert it first.`,
        { column: name, row: row + 1, kind: found, expected: kind },
        "E_COLUMNS",
      );
    }
  }
  return kind ?? "number";
}
