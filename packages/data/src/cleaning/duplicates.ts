import { findColumn, type Table } from "../table/table.js";
import { type Cleaned, type Finding, withoutRows } from "./cleaned.js";

export interface DropDuplicatesOptions {
  /** Rows are equal when these columns are. Default: all. */
  readonly columns?: readonly string[];
  /** Which of equal rows stays. Default "first"; "none" drops them all. */
  readonly keep?: "first" | "last" | "none";
}

/**
 * Drops rows that repeat another, and says which. Missing values equal each other; 0 and -0 are equal.
 *
 * @throws {ValueError} E_COLUMN for a column that is not there.
 * @source pandas.DataFrame.drop_duplicates
 * @example
 * dropDuplicates(createTable({ x: [1, 2, 1], y: ["a", "b", "a"] })).removedRows; // => [2]
 */
export function dropDuplicates(table: Table, options: DropDuplicatesOptions = {}): Cleaned {
  const { columns = Object.keys(table.columns), keep = "first" } = options;
  const values = columns.map((name) => findColumn("dropDuplicates", table, name));
  const rowsOf = new Map<string, number[]>();
  for (let row = 0; row < table.numRows; row++) {
    // Text is quoted, so that no two different rows look alike; `+ 0` takes the sign off zero.
    const key = JSON.stringify(
      values.map((column) => (column instanceof Float64Array ? String(column[row]! + 0) : [column[row]])),
    );
    const rows = rowsOf.get(key) ?? [];
    rowsOf.set(key, rows);
    rows.push(row);
  }
  const findings: Finding[] = [];
  for (const rows of rowsOf.values()) {
    if (rows.length === 1) continue;
    const kept = keep === "first" ? rows[0] : keep === "last" ? rows.at(-1) : undefined;
    for (const row of rows) {
      if (row === kept) continue;
      const other = kept ?? (row === rows[0] ? rows[1]! : rows[0]!);
      findings.push({
        row,
        reason: `repeats row ${other}${columns.length < Object.keys(table.columns).length ? ` in ${columns.join(", ")}` : ""}`,
      });
    }
  }
  findings.sort((a, b) => a.row - b.row);
  return withoutRows(
    table,
    findings.map(({ row }) => row),
    findings,
  );
}
