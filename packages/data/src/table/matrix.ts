/** @file Rows of numbers, as scalers take and give them. */
import { ValueError } from "@lockstep/core";
import type { Column } from "../dataset/array-dataset.js";
import { numberColumn, type Table } from "./table.js";

/** f64, row after row. A missing value is NaN. */
export interface Matrix {
  readonly numRows: number;
  readonly numColumns: number;
  readonly values: Float64Array;
}

/** Rows as arrays, a matrix, or a table of numbers, whose columns are taken in their order. */
export type MatrixInput = Matrix | Table | readonly (readonly number[])[];

/**
 * A matrix of rows, or of columns of a table.
 *
 * @param columns names of the table's columns, in the order wanted; default all
 * @throws {ValueError} E_COLUMNS when rows differ in length; E_COLUMN when a column is not there or holds text.
 * @example
 * createMatrix(createTable({ a: [1, 2], b: [3, 4] }), ["b", "a"]).values; // => [3, 1, 4, 2]
 */
export function createMatrix(input: MatrixInput, columns?: readonly string[]): Matrix {
  if ("values" in input && input.values instanceof Float64Array) return input as Matrix;
  if ("columns" in input) return matrixOfTable(input as Table, columns);
  const rows = input as readonly (readonly number[])[];
  const numColumns = rows[0]?.length ?? 0;
  const values = new Float64Array(rows.length * numColumns);
  for (const [i, row] of rows.entries()) {
    if (row.length !== numColumns) {
      throw new ValueError(
        `createMatrix: row ${i} has ${row.length} numbers, but row 0 has ${numColumns}; they must be equal.`,
        { row: i, length: row.length, expected: numColumns },
        "E_COLUMNS",
      );
    }
    values.set(row, i * numColumns);
  }
  return { numRows: rows.length, numColumns, values };
}

/** Rows of a matrix as arrays. */
export function matrixRows({ numRows, numColumns, values }: Matrix): number[][] {
  return Array.from({ length: numRows }, (_, row) =>
    Array.from(values.subarray(row * numColumns, (row + 1) * numColumns)),
  );
}

/**
 * The matrix as a column of an arrayDataset: f32, samples of shape [numColumns].
 *
 * @throws {ValueError} with row and column: E_MISSING when a value is missing, E_VALUE when f32 cannot hold it.
 */
export function datasetColumn(input: MatrixInput): Column {
  const matrix = createMatrix(input);
  const place = matrix.values.findIndex((value) => Number.isNaN(value));
  if (place >= 0) {
    const [row, column] = [Math.floor(place / matrix.numColumns), place % matrix.numColumns];
    throw new ValueError(
      `datasetColumn: row ${row}, column ${column} is missing (NaN); it must be a number. Drop or impute it first (dropMissing, SimpleImputer).`,
      { row, column },
      "E_MISSING",
    );
  }
  const data = Float32Array.from(matrix.values);
  const large = data.findIndex((value) => !Number.isFinite(value));
  if (large >= 0) {
    const [row, column] = [Math.floor(large / matrix.numColumns), large % matrix.numColumns];
    throw new ValueError(
      `datasetColumn: row ${row}, column ${column} is ${matrix.values[large]}; f32 must hold it. Scale it first (StandardScaler, RobustScaler).`,
      { row, column, value: matrix.values[large] },
    );
  }
  return { data, shape: [matrix.numColumns] };
}

function matrixOfTable(table: Table, names: readonly string[] = Object.keys(table.columns)): Matrix {
  const columns = names.map((name) => numberColumn("createMatrix", table, name));
  const values = new Float64Array(table.numRows * columns.length);
  for (const [c, column] of columns.entries()) {
    for (let row = 0; row < table.numRows; row++) values[row * columns.length + c] = column[row]!;
  }
  return { numRows: table.numRows, numColumns: columns.length, values };
}
