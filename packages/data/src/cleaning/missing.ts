import { findColumn, isMissing, type Table } from "../table/table.js";
import { type Cleaned, type Finding, withoutRows } from "./cleaned.js";

export interface DropMissingOptions {
  /** Columns that are looked at. Default: all. */
  readonly columns?: readonly string[];
  /** "any" (default) drops a row that lacks one value, "all" one that lacks every value. */
  readonly how?: "any" | "all";
}

/**
 * Drops rows with missing values, and says which values were missing.
 *
 * @throws {ValueError} E_COLUMN for a column that is not there.
 * @source pandas.DataFrame.dropna
 * @example
 * dropMissing(createTable({ x: [1, null, 3] })).removedRows; // => [1]
 */
export function dropMissing(table: Table, options: DropMissingOptions = {}): Cleaned {
  const { columns = Object.keys(table.columns), how = "any" } = options;
  const found = missingOf("dropMissing", table, columns);
  const counts = new Map<number, number>();
  for (const { row } of found) counts.set(row, (counts.get(row) ?? 0) + 1);
  const needed = how === "any" ? 1 : columns.length;
  const removed = [...counts].filter(([, count]) => count >= needed).map(([row]) => row);
  const gone = new Set(removed);
  return withoutRows(
    table,
    removed,
    found.filter(({ row }) => gone.has(row)),
  );
}

/** Every missing value, row after row. @throws {ValueError} E_COLUMN for a column that is not there. */
export function findMissing(table: Table, columns: readonly string[] = Object.keys(table.columns)): Finding[] {
  return missingOf("findMissing", table, columns);
}

function missingOf(where: string, table: Table, columns: readonly string[]): Finding[] {
  const wanted = columns.map((name) => ({ name, column: findColumn(where, table, name) }));
  const findings: Finding[] = [];
  for (let row = 0; row < table.numRows; row++) {
    for (const { name, column } of wanted) {
      const value = column[row]!;
      if (isMissing(value)) findings.push({ row, column: name, value, reason: `${name} is missing` });
    }
  }
  return findings;
}
