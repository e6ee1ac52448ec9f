/** @file Columns of labels, and what the encoders of categories learn from them. */
import { ValueError } from "@lockstep/core";
import { encodeLabels, type Label } from "../splits/labels.js";
import { isMissing, type Table } from "../table/table.js";

/** Rows of labels, or a table whose columns are taken in their order. */
export type CategoryInput = readonly (readonly Label[])[] | Table;

/** Columns of labels. @throws {ValueError} E_COLUMNS when rows differ in length; E_MISSING with row and column for a missing value. */
export function categoryColumns(where: string, input: CategoryInput): readonly (readonly Label[])[] {
  const columns =
    "columns" in input
      ? Object.values(input.columns).map((column) => Array.from(column as ArrayLike<Label>))
      : transpose(where, input);
  for (const [c, column] of columns.entries()) {
    const row = column.findIndex((value) => isMissing(value));
    if (row < 0) continue;
    throw new ValueError(
      `${where}: row ${row}, column ${c} is missing; it must be a number or text. Drop or impute it first (dropMissing, SimpleImputer).`,
      { row, column: c },
      "E_MISSING",
    );
  }
  return columns;
}

/** Distinct labels of each column, ascending. @throws {ValueError} E_FIT without rows; E_LABEL when a column mixes numbers and text. */
export function learnCategories(where: string, columns: readonly (readonly Label[])[]): (readonly Label[])[] {
  if (columns.length === 0 || columns[0]!.length === 0) {
    throw new ValueError(
      `${where}: there are ${columns[0]?.length ?? 0} rows of ${columns.length} columns; there must be at least one of each.`,
      { numRows: columns[0]?.length ?? 0, numColumns: columns.length },
      "E_FIT",
    );
  }
  return columns.map((column, c) => [...encodeLabels(`${where}, column ${c}`, column).classes]);
}

/** `where: row R, column C is X, which fit did not see; ...` @throws always */
export function unknownCategory(
  where: string,
  place: { row: number; column?: number; value: unknown; categories: readonly Label[] },
  what: string,
): ValueError {
  const { row, column, value, categories } = place;
  const shown =
    categories.length > 8 ? `${categories.slice(0, 8).join(", ")}, ... (${categories.length})` : categories.join(", ");
  const at = column === undefined ? `label ${row}` : `row ${row}, column ${column}`;
  return new ValueError(
    `${where}: ${at} is ${JSON.stringify(value)}, which fit did not see; it must be one of ${shown}.${what}`,
    { row, ...(column === undefined ? {} : { column }), value },
    "E_CATEGORY",
  );
}

function transpose(where: string, rows: readonly (readonly Label[])[]): Label[][] {
  const width = rows[0]?.length ?? 0;
  for (const [i, row] of rows.entries()) {
    if (row.length === width) continue;
    throw new ValueError(
      `${where}: row ${i} has ${row.length} labels, but row 0 has ${width}; they must be equal.`,
      { row: i, length: row.length, expected: width },
      "E_COLUMNS",
    );
  }
  return Array.from({ length: width }, (_, c) => rows.map((row) => row[c]!));
}
