/** @file Arrays as people have them, as columns of samples; and columns as one safetensors file, which is how they reach workers. */
import { type DTypeArray, decodeSafetensors, encodeSafetensors, Tensor } from "@lockstep/core";
import { createMatrix, type Matrix, type Table } from "@lockstep/data";
import { FitError } from "./fit-error.js";

/** As data's Column, of whole numbers or floats. */
export interface Column {
  readonly data: Float32Array | Int32Array;
  readonly shape: readonly number[];
}

/** Numbers of numbers ..., as deep as the values have dims; typed arrays count as rows. true counts as 1, false as 0. */
export type Nested = number | boolean | Float32Array | Float64Array | Int32Array | Uint8Array | readonly Nested[];

/**
 * Samples along the first dim: a tensor, nested arrays, a flat typed array (one number a sample), numbers with a shape, or a matrix or table of
 * the room `data` (a sample is a row). Int32Array and i32 tensors stay i32; everything else is f32 (bytes and booleans, too), but for targets of a loss over classes.
 */
export type Values =
  | Tensor
  | readonly Nested[]
  | Float32Array
  | Int32Array
  | Float64Array
  | Uint8Array
  | Matrix
  | Table
  | { readonly data: Float32Array | Int32Array | Uint8Array; readonly shape: readonly number[] };

/** One input, or several by name. */
export type Inputs = Values | Readonly<Record<string, Values>>;

/** The name of the only input. */
export const onlyInput = "x";

export interface Columns {
  /** By name; a lone input is called `onlyInput`. */
  readonly inputs: Readonly<Record<string, Column>>;
  readonly targets: Column | undefined;
  readonly sampleWeight: Float32Array | undefined;
  readonly size: number;
}

export interface SampleArrays {
  readonly x: Inputs;
  readonly y?: Values;
  /** What each sample counts for in the loss; 1 without. */
  readonly sampleWeight?: readonly number[] | Float32Array;
}

/**
 * @throws {FitError} E_FIT_DATA for ragged arrays, values that are not finite, columns of unlike length, or no samples: names the
 *   column, the row and the rule.
 */
export function columnsOf(where: string, arrays: SampleArrays, targetDtype: "f32" | "i32"): Columns {
  assertArrays(where, arrays);
  const named = isValues(arrays.x) ? { [onlyInput]: arrays.x } : arrays.x;
  const inputs = Object.fromEntries(
    Object.entries(named).map(([name, values]) => [name, columnOf(`${where}: ${name}`, values, "f32")]),
  );
  const targets = arrays.y === undefined ? undefined : columnOf(`${where}: y`, arrays.y, targetDtype);
  const sampleWeight = arrays.sampleWeight && weightsOf(`${where}: sampleWeight`, arrays.sampleWeight);
  const sizes: [string, number][] = Object.entries(inputs).map(([name, column]) => [name, sizeOf(column)]);
  if (targets !== undefined) sizes.push(["y", sizeOf(targets)]);
  if (sampleWeight !== undefined) sizes.push(["sampleWeight", sampleWeight.length]);
  const [first] = sizes;
  if (first === undefined || first[1] === 0) {
    throw new FitError("E_FIT_DATA", `${where}: there are no samples; there must be at least one. Check the arrays.`);
  }
  for (const [name, size] of sizes) {
    if (size === first[1]) continue;
    const text = `${where}: ${name} has ${size} samples, and ${first[0]} has ${first[1]}; every column must have as many. Check the first dim.`;
    throw new FitError("E_FIT_DATA", text, { column: name, size, expected: first[1] });
  }
  return { inputs, targets, sampleWeight, size: first[1] };
}

/** Samples [from, to). The numbers are not copied. */
export function sliceColumns(columns: Columns, from: number, to: number): Columns {
  const slice = ({ data, shape }: Column): Column => {
    const length = shape.reduce((product, n) => product * n, 1);
    return { data: data.subarray(from * length, to * length), shape };
  };
  return {
    inputs: Object.fromEntries(Object.entries(columns.inputs).map(([name, column]) => [name, slice(column)])),
    targets: columns.targets && slice(columns.targets),
    sampleWeight: columns.sampleWeight?.subarray(from, to),
    size: to - from,
  };
}

/** The training and held-out columns as the bytes of one file. */
export function encodeColumns(parts: Readonly<Record<string, Columns>>): Uint8Array {
  const tensors: [string, { dtype: "f32" | "i32"; shape: readonly number[]; data: DTypeArray }][] = [];
  for (const [part, { inputs, targets, sampleWeight, size }] of Object.entries(parts)) {
    const add = (name: string, { data, shape }: Column) =>
      tensors.push([
        `${part}/${name}`,
        { dtype: data instanceof Int32Array ? "i32" : "f32", shape: [size, ...shape], data },
      ]);
    for (const [name, column] of Object.entries(inputs)) add(`x/${name}`, column);
    if (targets !== undefined) add("y", targets);
    if (sampleWeight !== undefined) add("sampleWeight", { data: sampleWeight, shape: [] });
  }
  return encodeSafetensors(tensors);
}

/** What `encodeColumns` wrote, by part. */
export function decodeColumns(bytes: Uint8Array): Readonly<Record<string, Columns | undefined>> {
  const { tensors } = decodeSafetensors(bytes, { source: "the samples" });
  const names = new Set([...tensors.keys()].map((name) => name.slice(0, name.indexOf("/"))));
  return Object.fromEntries([...names].map((part) => [part, partOf(tensors, part)]));
}

/** Undefined when there are no inputs of that part. */
function partOf(tensors: ReturnType<typeof decodeSafetensors>["tensors"], part: string): Columns | undefined {
  const inputs: Record<string, Column> = {};
  let targets: Column | undefined;
  let sampleWeight: Float32Array | undefined;
  let size = 0;
  for (const [name, { data, shape }] of tensors) {
    if (!name.startsWith(`${part}/`)) continue;
    const key = name.slice(part.length + 1);
    size = shape[0]!;
    const column = { data: data as Float32Array | Int32Array, shape: shape.slice(1) };
    if (key === "y") targets = column;
    else if (key === "sampleWeight") sampleWeight = data as Float32Array;
    else inputs[key.slice(2)] = column;
  }
  return Object.keys(inputs).length === 0 ? undefined : { inputs, targets, sampleWeight, size };
}

const arrayNames = { x: true, y: true, sampleWeight: true } as const satisfies Record<keyof SampleArrays, true>;

/** @throws {FitError} E_FIT_DATA unless there is one record with x, and nothing that is not known. */
export function assertArrays(where: string, arrays: SampleArrays): void {
  const given: unknown = arrays;
  const isRecord = typeof given === "object" && given !== null && !Array.isArray(given) && !(given instanceof Tensor);
  const names = isRecord ? Object.keys(given) : [];
  const unknown = names.find((name) => !Object.hasOwn(arrayNames, name));
  const what = isRecord ? `the samples have ${names.join(", ") || "no fields"}` : "the first argument is no record";
  if (isRecord && unknown === undefined && typeof arrays.x === "object" && arrays.x !== null) return;
  const text = `${where}: ${what}; they must be one object, { x, y } or { x, y, sampleWeight }, with arrays of as many samples.`;
  throw new FitError("E_FIT_DATA", text, { names });
}

function isMatrixOrTable(inputs: object): inputs is Matrix | Table {
  if (!("numRows" in inputs) || typeof inputs.numRows !== "number") return false;
  return ("values" in inputs && inputs.values instanceof Float64Array) || "columns" in inputs;
}

function isValues(inputs: Inputs): inputs is Values {
  if (inputs instanceof Tensor || Array.isArray(inputs) || ArrayBuffer.isView(inputs)) return true;
  if (isMatrixOrTable(inputs)) return true;
  const { data, shape } = inputs as { data?: unknown; shape?: unknown };
  return ArrayBuffer.isView(data) && Array.isArray(shape);
}

function columnOf(what: string, values: Values, plainDtype: "f32" | "i32"): Column {
  const column = readColumn(what, values, plainDtype);
  const { data } = column;
  const bad = data instanceof Float32Array ? data.findIndex((value) => !Number.isFinite(value)) : -1;
  if (bad >= 0) {
    const width = column.shape.reduce((product, n) => product * n, 1);
    const [row, place] = [Math.floor(bad / width), bad % width];
    const name = "columns" in values ? Object.keys(values.columns)[place] : place;
    const at = column.shape.length === 0 ? `row ${row}` : `row ${row}, column ${name}`;
    const advice = Number.isNaN(data[bad]) ? "Fill or drop missing values first." : "f32 must hold it: scale it first.";
    const text = `${what}: ${at} holds ${data[bad]}; every value must be finite. ${advice}`;
    throw new FitError("E_FIT_DATA", text, { row, value: String(data[bad]) });
  }
  return column;
}

function readColumn(what: string, values: Values, plainDtype: "f32" | "i32"): Column {
  if (values instanceof Tensor) {
    if (values.shape.length === 0) throw ragged(what, "is a scalar");
    return asTargets(what, { data: wide(values.dataSync()), shape: values.shape.slice(1) }, plainDtype);
  }
  if (values instanceof Float64Array) return { data: numbersOf(what, values, plainDtype), shape: [] };
  if (values instanceof Float32Array || values instanceof Int32Array || values instanceof Uint8Array) {
    return asTargets(what, { data: wide(values), shape: [] }, plainDtype);
  }
  if (Array.isArray(values)) return nestedColumn(what, values, plainDtype);
  if (isMatrixOrTable(values)) {
    const matrix = createMatrix(values);
    return { data: numbersOf(what, matrix.values, plainDtype), shape: [matrix.numColumns] };
  }
  const { data, shape } = values as { data: DTypeArray; shape: readonly number[] };
  const size = shape.reduce((product, n) => product * n, 1);
  if (shape.length === 0 || size !== data.length) {
    throw ragged(what, `has ${data.length} numbers and the shape [${shape.join(", ")}], which holds ${size}`);
  }
  return asTargets(what, { data: wide(data), shape: shape.slice(1) }, plainDtype);
}

function wide(data: DTypeArray): Float32Array | Int32Array {
  return data instanceof Uint8Array ? Float32Array.from(data) : data;
}

/** Labels are whole, everything else f32. */
function numbersOf(what: string, values: Float64Array | readonly number[], dtype: "f32" | "i32") {
  return dtype === "i32" ? wholeNumbers(what, values) : Float32Array.from(values);
}

/** Labels that came as f32 become i32 where the loss is over classes. */
function asTargets(what: string, { data, shape }: Column, plainDtype: "f32" | "i32"): Column {
  if (plainDtype === "f32" || data instanceof Int32Array) return { data, shape };
  return { data: wholeNumbers(what, data), shape };
}

function wholeNumbers(what: string, data: ArrayLike<number>): Int32Array {
  for (let i = 0; i < data.length; i++) {
    if (Number.isInteger(data[i])) continue;
    const text = `${what}: row ${i} holds ${data[i]}; a loss over classes takes labels 0, 1, 2, ... Encode them (LabelEncoder), or use another loss.`;
    throw new FitError("E_FIT_DATA", text, { row: i, value: data[i] });
  }
  return Int32Array.from(data);
}

function nestedColumn(what: string, values: readonly Nested[], plainDtype: "f32" | "i32"): Column {
  const shape: number[] = [];
  for (let level: Nested | undefined = values[0]; isList(level); level = level[0]) shape.push(level.length);
  const out: number[] = [];
  const read = (value: Nested, depth: number, row: number): void => {
    if (depth === shape.length) {
      if (isList(value)) throw ragged(what, `is deeper at row ${row} than at row 0`, row);
      if (typeof value !== "number" && typeof value !== "boolean") throw notNumber(what, value, row);
      out.push(Number(value));
      return;
    }
    if (!isList(value) || value.length !== shape[depth]) {
      const found = isList(value) ? `${value.length} values` : "a number";
      throw ragged(what, `has ${found} at row ${row} where row 0 has ${shape[depth]}`, row);
    }
    for (let i = 0; i < value.length; i++) read(value[i]!, depth + 1, row);
  };
  for (const [row, value] of values.entries()) read(value, 0, row);
  return { data: numbersOf(what, out, plainDtype), shape };
}

/** An array, or a row that is a typed array. */
function isList(value: Nested | undefined): value is readonly Nested[] {
  return Array.isArray(value) || ArrayBuffer.isView(value);
}

function notNumber(what: string, value: unknown, row: number): FitError {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  const advice =
    typeof value === "string"
      ? "Encode text first (LabelEncoder for labels, OneHotEncoder)."
      : "Fill or drop missing values first.";
  return new FitError("E_FIT_DATA", `${what}: row ${row} holds ${shown}; every value must be a number. ${advice}`, {
    row,
    value: shown,
  });
}

function ragged(what: string, problem: string, row?: number): FitError {
  const text = `${what} ${problem}; every row must have the same shape. Pad or cut the rows.`;
  return new FitError("E_FIT_DATA", text, row === undefined ? {} : { row });
}

function weightsOf(what: string, values: readonly number[] | Float32Array): Float32Array {
  const weights = Float32Array.from(values);
  const bad = weights.findIndex((weight) => !(weight >= 0) || !Number.isFinite(weight));
  if (bad < 0) return weights;
  const text = `${what}: row ${bad} is ${values[bad]}; a weight must be finite and at least 0.`;
  throw new FitError("E_FIT_DATA", text, { row: bad, value: String(values[bad]) });
}

function sizeOf({ data, shape }: Column): number {
  return data.length / shape.reduce((product, n) => product * n, 1);
}
