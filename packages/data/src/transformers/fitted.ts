/** @file What the scalers and encoders share: refusing to work before fit, and input of another width. */
import { StateError, ValueError } from "@lockstep/core";
import { createMatrix, type Matrix, type MatrixInput } from "../table/matrix.js";

/** @throws {StateError} E_NOT_FITTED when `state` is not there yet. */
export function fitted<State>(where: string, state: State | undefined): State {
  if (state !== undefined) return state;
  throw new StateError(
    `${where}: it is not fitted; fit(...) must come first, on the training part.`,
    {},
    "E_NOT_FITTED",
  );
}

/** @throws {ValueError} E_FIT without rows, or when a column has no value; infinite values are refused too. */
export function fitMatrix(where: string, input: MatrixInput): Matrix {
  const matrix = createMatrix(input);
  const { numRows, numColumns, values } = matrix;
  if (numRows === 0 || numColumns === 0) {
    throw new ValueError(
      `${where}.fit: there are ${numRows} rows of ${numColumns} columns; there must be at least one of each.`,
      { numRows, numColumns },
      "E_FIT",
    );
  }
  assertFinite(`${where}.fit`, matrix);
  for (let column = 0; column < numColumns; column++) {
    let isThere = false;
    for (let row = 0; row < numRows && !isThere; row++) isThere = !Number.isNaN(values[row * numColumns + column]!);
    if (isThere) continue;
    throw new ValueError(
      `${where}.fit: column ${column} has no value in ${numRows} rows; it must have at least one. Leave it out.`,
      { column, numRows },
      "E_FIT",
    );
  }
  return matrix;
}

/** @throws {ValueError} E_COLUMNS when the number of columns is not the fitted one; E_FIT for an infinite value. */
export function sameWidth(where: string, input: MatrixInput, numColumns: number): Matrix {
  const matrix = createMatrix(input);
  assertWidth(where, matrix.numColumns, numColumns);
  assertFinite(where, matrix);
  return matrix;
}

/** @throws {ValueError} E_COLUMNS */
export function assertWidth(where: string, numColumns: number, expected: number): void {
  if (numColumns === expected) return;
  throw new ValueError(
    `${where}: there are ${numColumns} columns; there must be ${expected}, as in fit.`,
    { numColumns, expected },
    "E_COLUMNS",
  );
}

function assertFinite(where: string, { values, numColumns }: Matrix): void {
  const place = values.findIndex((value) => !Number.isFinite(value) && !Number.isNaN(value));
  if (place < 0) return;
  const [row, column] = [Math.floor(place / numColumns), place % numColumns];
  throw new ValueError(
    `${where}: row ${row}, column ${column} is ${values[place]}; it must be finite or missing (NaN).`,
    { row, column, value: values[place] },
    "E_FIT",
  );
}

/** Each value by a rule of its column. */
export function mapColumns(matrix: Matrix, map: (value: number, column: number) => number): Matrix {
  const { numColumns, values } = matrix;
  return { ...matrix, values: values.map((value, place) => map(value, place % numColumns)) };
}

/** The values of one column, row after row. */
export function columnValues({ numRows, numColumns, values }: Matrix, column: number): Float64Array {
  return Float64Array.from({ length: numRows }, (_, row) => values[row * numColumns + column]!);
}

/** A spread below ten f64 roundings counts as none: such a column is shifted, not scaled. */
export function scaleOrOne(spread: number): number {
  return spread < 2.220446049250313e-15 ? 1 : spread;
}
