import { StateError, ValueError } from "@lockstep/core";
import { compareLabels } from "../splits/labels.js";
import { momentsOf, quantile, sortedPresent } from "../table/quantile.js";
import { findColumn, isMissing, type Table, type TableColumn, withColumns } from "../table/table.js";
import type { Cleaned, Finding } from "./cleaned.js";

export type ImputerStrategy = "mean" | "median" | "mostFrequent" | "constant";

export interface SimpleImputerOptions {
  /** Default "mean". Columns of text take "mostFrequent" and "constant" only. */
  readonly strategy?: ImputerStrategy;
  /** What "constant" fills in. Default 0 for numbers, "missing" for text. */
  readonly fillValue?: number | string;
  /** Columns that are filled. Default: all of the table it is fitted on. */
  readonly columns?: readonly string[];
}

/** Saved form: what JSON.stringify(imputer) writes. */
export interface SimpleImputerJson {
  readonly kind: "SimpleImputer";
  readonly strategy: ImputerStrategy;
  readonly fillValue: number | string | null;
  readonly columns: readonly string[] | null;
  readonly fills: Readonly<Record<string, number | string>> | null;
}

/**
 * Fills missing values of each column with one value, learned from the table it is fitted on (the training part).
 *
 * @throws {ValueError} E_FIT when a column has no value to learn from, its mean or median is infinite, or the strategy does not fit a
 *   column of text. {StateError} E_NOT_FITTED before fit.
 * @source sklearn.impute.SimpleImputer; of equally frequent values the smallest. Deviations: it takes tables, says what it filled, and
 *   refuses a column without values, which scikit-learn drops.
 * @example
 * new SimpleImputer({ strategy: "median" }).fit(createTable({ x: [1, 2, 9] })).transform(createTable({ x: [null, 5] })).table.columns.x; // => [2, 5]
 */
export class SimpleImputer {
  readonly strategy: ImputerStrategy;
  readonly fillValue: number | string | undefined;
  readonly columns: readonly string[] | undefined;
  #fills: Readonly<Record<string, number | string>> | undefined;

  constructor(options: SimpleImputerOptions = {}) {
    this.strategy = options.strategy ?? "mean";
    this.fillValue = options.fillValue;
    this.columns = options.columns;
  }

  /** What each column is filled with. @throws {StateError} E_NOT_FITTED before fit. */
  get fills(): Readonly<Record<string, number | string>> {
    if (this.#fills !== undefined) return this.#fills;
    throw new StateError("SimpleImputer: it is not fitted; fit(table) must come first.", {}, "E_NOT_FITTED");
  }

  fit(table: Table): this {
    const names = this.columns ?? Object.keys(table.columns);
    this.#fills = Object.fromEntries(
      names.map((name) => [name, this.#fillOf(name, findColumn("SimpleImputer.fit", table, name))]),
    );
    return this;
  }

  /** The table with its missing values filled, and every one that was. */
  transform(table: Table): Cleaned {
    const findings: Finding[] = [];
    const filled = Object.entries(this.fills).map(([name, fill]) => {
      const column = findColumn("SimpleImputer.transform", table, name);
      if (column instanceof Float64Array !== (typeof fill === "number")) {
        throw this.#refuse(
          name,
          `holds ${column instanceof Float64Array ? "numbers" : "text"} and is filled with ${JSON.stringify(fill)}`,
          "both must be of the kind that it was fitted on.",
        );
      }
      const values = Array.from(column as ArrayLike<number | string | null>, (value, row) => {
        if (!isMissing(value)) return value;
        findings.push({
          row,
          column: name,
          value,
          reason: `${name} is missing; filled with ${JSON.stringify(fill)} (${this.strategy})`,
        });
        return fill;
      });
      return [name, column instanceof Float64Array ? Float64Array.from(values as number[]) : values] as const;
    });
    findings.sort((a, b) => a.row - b.row);
    return {
      table: withColumns(table, Object.fromEntries(filled) as Record<string, TableColumn>),
      findings,
      removedRows: [],
    };
  }

  fitTransform(table: Table): Cleaned {
    return this.fit(table).transform(table);
  }

  toJSON(): SimpleImputerJson {
    return {
      kind: "SimpleImputer",
      strategy: this.strategy,
      fillValue: this.fillValue ?? null,
      columns: this.columns ?? null,
      fills: this.#fills ?? null,
    };
  }

  static fromJSON(json: SimpleImputerJson): SimpleImputer {
    const { strategy, fillValue, columns, fills } = json;
    const imputer = new SimpleImputer({
      strategy,
      ...(fillValue === null ? {} : { fillValue }),
      ...(columns === null ? {} : { columns }),
    });
    imputer.#fills = fills ?? undefined;
    return imputer;
  }

  #fillOf(name: string, column: TableColumn): number | string {
    const isNumber = column instanceof Float64Array;
    if (this.strategy === "constant") {
      const fill = this.fillValue ?? (isNumber ? 0 : "missing");
      if ((typeof fill === "number") === isNumber) return fill;
      throw this.#refuse(
        name,
        `holds ${isNumber ? "numbers" : "text"} and fillValue is ${JSON.stringify(fill)}`,
        "both must be of one kind.",
      );
    }
    const present = Array.from(column as ArrayLike<number | string | null>).filter((value) => !isMissing(value)) as (
      | number
      | string
    )[];
    if (present.length === 0)
      throw this.#refuse(
        name,
        `has no value in ${column.length} rows`,
        `it must have at least one for "${this.strategy}". Leave it out or use "constant".`,
      );
    if (this.strategy === "mostFrequent") return mostFrequent(present);
    if (!isNumber)
      throw this.#refuse(
        name,
        `holds text and the strategy is "${this.strategy}"`,
        'it must be "mostFrequent" or "constant" for text.',
      );
    const fill = this.strategy === "mean" ? momentsOf(column).mean : quantile(sortedPresent(column), 0.5);
    if (Number.isFinite(fill)) return fill;
    const row = column.findIndex((value) => !Number.isFinite(value) && !Number.isNaN(value));
    throw this.#refuse(
      name,
      `has the ${this.strategy} ${fill}: row ${row} is ${column[row]}`,
      "it must be finite. Replace infinite values first.",
    );
  }

  #refuse(column: string, is: string, must: string): ValueError {
    return new ValueError(
      `SimpleImputer: column ${column} ${is}; ${must}`,
      { column, strategy: this.strategy },
      "E_FIT",
    );
  }
}

function mostFrequent(values: readonly (number | string)[]): number | string {
  const counts = new Map<number | string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([a, countA], [b, countB]) => countB - countA || compareLabels(a, b))[0]![0];
}
