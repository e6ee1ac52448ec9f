/** @file Numbers far from the others: found, clipped or dropped, by bounds learned on the training part. */
import { StateError, ValueError } from "@lockstep/core";
import { momentsOf, quantile, sortedPresent } from "../table/quantile.js";
import { numberColumn, type Table, withColumns } from "../table/table.js";
import { type Cleaned, type Finding, withoutRows } from "./cleaned.js";

export type OutlierMethod = "iqr" | "zScore";
/** "report" changes nothing, "clip" sets values to the nearer bound, "drop" removes rows. */
export type OutlierAction = "report" | "clip" | "drop";

export interface OutlierOptions {
  /**
   * "iqr" (default): outside [q1 - t iqr, q3 + t iqr], with quartiles by linear interpolation. "zScore": further than t standard deviations (divided
   * by n) from the mean.
   */
  readonly method?: OutlierMethod;
  /** t. Default 1.5 for "iqr", 3 for "zScore". */
  readonly threshold?: number;
  /** Columns that are looked at. Default: all that hold numbers. */
  readonly columns?: readonly string[];
}

export interface OutlierBounds {
  readonly lower: number;
  readonly upper: number;
}

/** Saved form: what JSON.stringify(detector) writes. */
export interface OutlierDetectorJson {
  readonly kind: "OutlierDetector";
  readonly method: OutlierMethod;
  readonly threshold: number;
  readonly columns: readonly string[] | null;
  readonly bounds: Readonly<Record<string, OutlierBounds>> | null;
}

/**
 * Learns bounds of columns and finds what lies outside. Missing values are neither counted nor found.
 *
 * @throws {ValueError} E_VALUE unless threshold is positive; E_FIT when a column has no value, or infinite ones that make bounds infinite; E_COLUMN for a column that is not there or
 *   holds text. {StateError} E_NOT_FITTED before fit.
 * @source Tukey 1977, "Exploratory Data Analysis", for the fences.
 * @example
 * new OutlierDetector().fit(createTable({ x: [1, 2, 3, 4] })).apply(createTable({ x: [2, 99] }), "clip").table.columns.x; // => [2, 5.5]
 */
export class OutlierDetector {
  readonly method: OutlierMethod;
  readonly threshold: number;
  readonly columns: readonly string[] | undefined;
  #bounds: Readonly<Record<string, OutlierBounds>> | undefined;

  constructor(options: OutlierOptions = {}) {
    const { method = "iqr", threshold = method === "iqr" ? 1.5 : 3, columns } = options;
    if (!(threshold > 0)) {
      throw new ValueError(`OutlierDetector: threshold is ${threshold}; it must be positive.`, { threshold });
    }
    this.method = method;
    this.threshold = threshold;
    this.columns = columns;
  }

  /** By column. @throws {StateError} E_NOT_FITTED before fit. */
  get bounds(): Readonly<Record<string, OutlierBounds>> {
    if (this.#bounds !== undefined) return this.#bounds;
    throw new StateError("OutlierDetector: it is not fitted; fit(table) must come first.", {}, "E_NOT_FITTED");
  }

  fit(table: Table): this {
    const names =
      this.columns ?? Object.keys(table.columns).filter((name) => table.columns[name] instanceof Float64Array);
    this.#bounds = Object.fromEntries(
      names.map((name) => [name, this.#boundsOf(name, numberColumn("OutlierDetector.fit", table, name))]),
    );
    return this;
  }

  /** What lies outside the bounds, and the table after the action. */
  apply(table: Table, action: OutlierAction): Cleaned {
    const findings = this.#find(table, action);
    if (action === "report") return { table, findings, removedRows: [] };
    if (action === "drop")
      return withoutRows(
        table,
        findings.map(({ row }) => row),
        findings,
      );
    const clipped = Object.entries(this.bounds).map(([name, { lower, upper }]) => {
      const column = numberColumn("OutlierDetector.apply", table, name);
      return [name, column.map((value) => Math.min(Math.max(value, lower), upper))] as const;
    });
    return { table: withColumns(table, Object.fromEntries(clipped)), findings, removedRows: [] };
  }

  toJSON(): OutlierDetectorJson {
    const { method, threshold } = this;
    return { kind: "OutlierDetector", method, threshold, columns: this.columns ?? null, bounds: this.#bounds ?? null };
  }

  static fromJSON({ method, threshold, columns, bounds }: OutlierDetectorJson): OutlierDetector {
    const detector = new OutlierDetector({ method, threshold, ...(columns === null ? {} : { columns }) });
    detector.#bounds = bounds ?? undefined;
    return detector;
  }

  #find(table: Table, action: OutlierAction): Finding[] {
    const found = Object.entries(this.bounds).flatMap(([name, { lower, upper }]) =>
      Array.from(numberColumn("OutlierDetector.apply", table, name)).flatMap((value, row) => {
        if (!(value < lower || value > upper)) return [];
        const side = value < lower ? `below ${lower}` : `above ${upper}`;
        const done = action === "clip" ? "; clipped" : action === "drop" ? "; row dropped" : "";
        return [
          {
            row,
            column: name,
            value,
            reason: `${name} is ${value}, ${side} (${this.method}, ${this.threshold})${done}`,
          },
        ];
      }),
    );
    return found.sort((a, b) => a.row - b.row);
  }

  #boundsOf(name: string, column: Float64Array): OutlierBounds {
    const sorted = sortedPresent(column);
    if (sorted.length === 0) {
      throw new ValueError(
        `OutlierDetector: column ${name} has no value in ${column.length} rows; it must have at least one. Leave it out.`,
        { column: name },
        "E_FIT",
      );
    }
    const bounds = this.method === "iqr" ? this.#fences(sorted) : this.#reachOfMean(column, sorted);
    if (Number.isFinite(bounds.lower) && Number.isFinite(bounds.upper)) return bounds;
    const row = column.findIndex((value) => !Number.isFinite(value) && !Number.isNaN(value));
    throw new ValueError(
      `OutlierDetector: column ${name}, row ${row} is ${column[row]}, and the bounds (${this.method}) are ${bounds.lower} and ${bounds.upper}; they must be finite. Replace infinite values first.`,
      { column: name, row, ...bounds },
      "E_FIT",
    );
  }

  #fences(sorted: Float64Array): OutlierBounds {
    const [q1, q3] = [quantile(sorted, 0.25), quantile(sorted, 0.75)];
    const reach = this.threshold * (q3 - q1);
    return { lower: q1 - reach, upper: q3 + reach };
  }

  #reachOfMean(column: Float64Array, sorted: Float64Array): OutlierBounds {
    const [least, largest] = [sorted[0]!, sorted.at(-1)!];
    if (least === largest) return { lower: least, upper: largest }; // the mean of equal values may differ by a rounding
    const { mean, variance } = momentsOf(column);
    const reach = this.threshold * Math.sqrt(variance);
    return { lower: mean - reach, upper: mean + reach };
  }
}
