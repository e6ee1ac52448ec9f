/**
 * @file Movies as rows of numbers. Everything that is learned here (bounds, fills, means, edges, labels) is learned from the training part alone.
 *
 * Missing values: text becomes the label "unknown", a running time the median, with a column that says whether it was known.
 */
import { scalarMath } from "@lockstep/core";
import {
  type Cleaned,
  createMatrix,
  type Finding,
  type Matrix,
  OneHotEncoder,
  OutlierDetector,
  SimpleImputer,
  StandardScaler,
  selectColumns,
  type Table,
  withColumns,
} from "@lockstep/data";
import { PiecewiseLinear } from "./piecewise-linear.js";

const numberNames = ["logBudget", "year", "runningTime"] as const;
const labelNames = ["month", "mpaaRating", "distributor", "source", "genre", "creativeType"] as const;

export interface MovieEncoderOptions {
  /** Labels of fewer training movies become "other", as do those that come later. */
  readonly minLabelCount: number;
  /** Pieces into which the range of each number is cut, besides its standardised value. */
  readonly numPieces: number;
}

/** Logarithm to base 10, the same bits everywhere. */
const log10 = (x: number): number => scalarMath.log(x) / Math.LN10;

/** log10 of the worldwide gross in dollars. */
export function logGross(table: Table): Float64Array {
  return (table.columns.gross as Float64Array).map(log10);
}

/**
 * Learns from the training part how movies become numbers, then encodes any.
 *
 * @throws {ValueError} E_COLUMN for a table that lacks a column.
 */
export class MovieEncoder {
  readonly #imputer = new SimpleImputer({ strategy: "median", columns: ["runningTime"] });
  readonly #filler = new SimpleImputer({ strategy: "constant", fillValue: "unknown", columns: [...labelNames] });
  readonly #bounds = new OutlierDetector({ method: "iqr", threshold: 3, columns: ["logBudget", "runningTime"] });
  readonly #scaler = new StandardScaler();
  readonly #encoder = new OneHotEncoder({ handleUnknown: "ignore" }); // "other", where training had none
  readonly #pieces: readonly PiecewiseLinear[];
  readonly #kept: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(train: Table, { minLabelCount, numPieces }: MovieEncoderOptions) {
    const labels = this.#filler.fit(train).transform(train).table;
    this.#kept = new Map(labelNames.map((name) => [name, frequentLabels(labels, name, minLabelCount)]));
    this.#encoder.fit(this.#withoutRareLabels(labels));
    this.#bounds.fit(withLogBudget(train));
    const clipped = this.#clipped(train).table;
    this.#scaler.fit(createMatrix(this.#imputer.fit(clipped).transform(clipped).table, numberNames));
    this.#pieces = numberNames.map((name) => new PiecewiseLinear(clipped.columns[name] as Float64Array, numPieces));
  }

  /** Of the columns of what `encode` gives. */
  get featureNames(): string[] {
    const pieces = this.#pieces.flatMap(({ numPieces }, c) =>
      Array.from({ length: numPieces }, (_, i) => `${numberNames[c]} ${i + 1}/${numPieces}`),
    );
    return [...numberNames, "runningTimeKnown", ...pieces, ...this.#encoder.featureNames(labelNames)];
  }

  /** One row a movie, without missing values. */
  encode(table: Table): Matrix {
    const numbers = createMatrix(this.#imputer.transform(this.#clipped(table).table).table, numberNames);
    const scaled = this.#scaler.transform(numbers);
    const isKnown = (table.columns.runningTime as Float64Array).map((value) => (Number.isNaN(value) ? 0 : 1));
    const pieces = this.#pieces.map((encoder, c) => encoder.transform(columnOf(numbers, c)));
    const labels = this.#encoder.transform(this.#withoutRareLabels(this.#filler.transform(table).table));
    return sideBySide([scaled, { numRows: table.numRows, numColumns: 1, values: isKnown }, ...pieces, labels]);
  }

  /** Numbers beyond the bounds, which `encode` sets to the bound. */
  outliers(table: Table): readonly Finding[] {
    return this.#clipped(table).findings;
  }

  #clipped(table: Table): Cleaned {
    return this.#bounds.apply(withLogBudget(table), "clip");
  }

  #withoutRareLabels(table: Table): Table {
    const columns = labelNames.map((name) => {
      const kept = this.#kept.get(name)!;
      const labels = table.columns[name] as readonly string[];
      return [name, labels.map((label) => (kept.has(label) ? label : "other"))] as const;
    });
    return selectColumns(withColumns(table, Object.fromEntries(columns)), labelNames);
  }
}

const withLogBudget = (table: Table): Table =>
  withColumns(table, { logBudget: (table.columns.budget as Float64Array).map(log10) });

function frequentLabels(table: Table, name: string, minCount: number): Set<string> {
  const counts = new Map<string, number>();
  for (const label of table.columns[name] as readonly string[]) counts.set(label, (counts.get(label) ?? 0) + 1);
  return new Set([...counts].filter(([, count]) => count >= minCount).map(([label]) => label));
}

function columnOf({ numRows, numColumns, values }: Matrix, column: number): Float64Array {
  return Float64Array.from({ length: numRows }, (_, row) => values[row * numColumns + column]!);
}

function sideBySide(parts: readonly Matrix[]): Matrix {
  const numRows = parts[0]!.numRows;
  const numColumns = parts.reduce((sum, part) => sum + part.numColumns, 0);
  const values = new Float64Array(numRows * numColumns);
  for (let row = 0, at = 0; row < numRows; row++) {
    for (const part of parts) {
      values.set(part.values.subarray(row * part.numColumns, (row + 1) * part.numColumns), at);
      at += part.numColumns;
    }
  }
  return { numRows, numColumns, values };
}
