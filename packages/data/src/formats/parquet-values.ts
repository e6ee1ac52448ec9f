/** @file Values of a Parquet column as a column of a table. */
import type { ColumnInput } from "../table/table.js";
import { fileError } from "./file-error.js";

export interface ParquetColumn {
  readonly file: string;
  readonly name: string;
  readonly element: {
    readonly type?: string | undefined;
    readonly converted_type?: string | undefined;
    readonly scale?: number | undefined;
  };
}

/** Exact in f64 up to 10^22. */
const maxScale = 22;

/** Numbers, text and null. @throws {FormatError} E_FILE_FORMAT for what neither holds. */
export function parquetValues(column: ParquetColumn, values: readonly unknown[]): ColumnInput {
  const { converted_type: convertedType, scale = 0 } = column.element;
  const divisor = convertedType === "DECIMAL" ? powerOfTen(column, scale) : 1;
  return values.map((value, i) => {
    if (value === null || value === undefined) return null;
    if (typeof value === "number" || typeof value === "boolean")
      return divisor === 1 ? value : decimal(column, i, value);
    if (typeof value === "bigint") return wholeNumber(column, i, value) / divisor;
    if (typeof value === "string") return value;
    throw refuse(
      column,
      i,
      `is a ${value instanceof Uint8Array ? "run of bytes" : typeof value}`,
      "a number, a boolean, text or null",
    );
  }) as ColumnInput;

  function decimal(from: ParquetColumn, i: number, value: number | boolean): number {
    if (typeof value === "number" && Number.isSafeInteger(value)) return value / divisor;
    throw refuse(from, i, `is a decimal of ${String(value)} / ${divisor}`, "a decimal of at most 15 digits");
  }
}

function wholeNumber(column: ParquetColumn, i: number, value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw refuse(column, i, `is ${value}`, `a whole number in -${Number.MAX_SAFE_INTEGER}..${Number.MAX_SAFE_INTEGER}`);
}

function powerOfTen(column: ParquetColumn, scale: number): number {
  if (scale > maxScale)
    throw refuse(column, 0, `is a decimal of ${scale} places`, `a decimal of at most ${maxScale} places`);
  let power = 1;
  for (let i = 0; i < scale; i++) power *= 10;
  return power;
}

function refuse({ file, name }: ParquetColumn, i: number, is: string, must: string) {
  return fileError("decodeParquet", {
    file,
    place: `row ${i + 1}, column ${name}`,
    is,
    must: `it must be ${must}. Leave the column out with { columns }, or write it as text.`,
    fields: { row: i + 1, column: name },
  });
}
