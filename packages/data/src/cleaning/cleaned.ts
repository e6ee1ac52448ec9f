import { type Table, takeRows } from "../table/table.js";

/** One value or row that cleaning changed, removed or reported, and why. */
export interface Finding {
  /** Place in the table that was given, from 0. */
  readonly row: number;
  /** Undefined where the whole row is meant. */
  readonly column?: string;
  /** What stood there. */
  readonly value?: number | string | null;
  /** In words, with the values of the rule. */
  readonly reason: string;
}

/** What every step of cleaning answers: nothing goes without a line in `findings`. */
export interface Cleaned {
  readonly table: Table;
  readonly findings: readonly Finding[];
  /** Places of the rows that are no longer there, ascending. */
  readonly removedRows: readonly number[];
}

/** The table without some rows. */
export function withoutRows(table: Table, removed: Iterable<number>, findings: readonly Finding[]): Cleaned {
  const gone = new Set(removed);
  const kept = Array.from({ length: table.numRows }, (_, row) => row).filter((row) => !gone.has(row));
  return { table: takeRows(table, kept), findings, removedRows: [...gone].sort((a, b) => a - b) };
}
