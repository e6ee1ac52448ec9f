/** @file Text of a tensor for consoles: NumPy's brackets, aligned columns, large tensors summarised, long rows wrapped. */
import type { DType, DTypeArray } from "./dtype.js";
import { contiguousStrides, formatShape, numElements, type Shape } from "./shape.js";

export interface FormatOptions {
  /** Tensors of more elements are summarised. Default 1,000. */
  readonly threshold?: number;
  /** Elements shown at each end of a summarised axis. Default 3. */
  readonly edgeItems?: number;
  /** Most decimals of an f32. Default 4. */
  readonly precision?: number;
  /** Characters of a line before it is wrapped. Default 100. */
  readonly lineWidth?: number;
}

/** From here on, and below `smallest`, numbers are written as 1.5e+8. NumPy's limits. */
const largest = 1e8;
const smallest = 1e-4;
const mostUnlike = 1000;

export function formatTensor(
  values: DTypeArray,
  { shape, dtype }: { readonly shape: Shape; readonly dtype: DType },
  options: FormatOptions = {},
): string {
  const { threshold = 1000, edgeItems = 3, precision = 4, lineWidth = 100 } = options;
  const edge = numElements(shape) > threshold ? edgeItems : Number.POSITIVE_INFINITY;
  const head = `Tensor(${formatShape(shape)}, ${dtype})`;
  if (numElements(shape) === 0) return `${head} []`;
  const shown: number[] = [];
  walk(shape, edge, (place) => shown.push(values[place]!));
  const texts = formatNumbers(shown, dtype, precision);
  const width = texts.reduce((most, text) => Math.max(most, text.length), 0);
  const cells = texts.map((text) => text.padStart(width));
  let next = 0;
  const body = brackets({ shape, edge, lineWidth, cell: () => cells[next++]! }, 0);
  return `${head}${shape.length > 1 ? "\n" : " "}${body}`;
}

/** Indices of one axis; undefined stands for those left out. */
function placesOf(size: number, edge: number): (number | undefined)[] {
  if (size <= 2 * edge) return Array.from({ length: size }, (_, i) => i);
  const ends = Array.from({ length: edge }, (_, i) => i);
  return [...ends, undefined, ...ends.map((i) => size - edge + i)];
}

/** Visits the flat places of all elements that are shown, in order. */
function walk(shape: Shape, edge: number, visit: (place: number) => void): void {
  const strides = contiguousStrides(shape);
  const step = (axis: number, start: number): void => {
    if (axis === shape.length) {
      visit(start);
      return;
    }
    for (const i of placesOf(shape[axis]!, edge)) if (i !== undefined) step(axis + 1, start + i * strides[axis]!);
  };
  step(0, 0);
}

interface Layout {
  readonly shape: Shape;
  readonly edge: number;
  readonly lineWidth: number;
  readonly cell: () => string;
}

function brackets(layout: Layout, axis: number): string {
  const { shape, edge, lineWidth, cell } = layout;
  if (axis === shape.length) return cell().trim();
  const places = placesOf(shape[axis]!, edge);
  const indent = " ".repeat(axis + 1);
  if (axis < shape.length - 1) {
    const parts = places.map((i) => (i === undefined ? "..." : brackets(layout, axis + 1)));
    return `[${parts.join(`,${"\n".repeat(shape.length - 1 - axis)}${indent}`)}]`;
  }
  const lines: string[] = [];
  let line = "";
  for (const [k, i] of places.entries()) {
    const text = (i === undefined ? "..." : cell()) + (k < places.length - 1 ? "," : "");
    if (line !== "" && indent.length + line.length + 1 + text.length > lineWidth) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? text : ` ${text}`;
  }
  return `[${[...lines, line].join(`\n${indent}`)}]`;
}

/** In one notation for all: whole numbers, decimals, or powers of ten. */
function formatNumbers(values: readonly number[], dtype: DType, precision: number): string[] {
  if (dtype === "bool") return values.map((value) => (value === 0 ? "false" : "true"));
  if (dtype !== "f32") return values.map(String);
  const sizes = values.map(Math.abs).filter((size) => size > 0 && size < Number.POSITIVE_INFINITY);
  const most = sizes.reduce((a, b) => Math.max(a, b), 0);
  const least = sizes.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const isWhole = sizes.every(Number.isInteger);
  const isScientific = most >= largest || (!isWhole && (least < smallest || most / least > mostUnlike));
  const trimmed = values.map((value) => {
    if (!Number.isFinite(value)) return String(value);
    return isScientific ? value.toExponential(precision) : value.toFixed(isWhole ? 0 : precision);
  });
  return isScientific || isWhole ? trimmed.map(withSign(values)) : sameDecimals(trimmed).map(withSign(values));
}

/** toFixed writes -0 as "-0" or "0", by engine and digits: always as 0 here. */
function withSign(values: readonly number[]): (text: string, i: number) => string {
  return (text, i) => (values[i] === 0 ? text.replace("-", "") : text);
}

/** Without the zeros that all of them end in. */
function sameDecimals(texts: readonly string[]): string[] {
  const numbers = texts.filter((text) => text.includes("."));
  const decimals = numbers.map((text) => text.replace(/0+$/, "").length - text.indexOf(".") - 1);
  const kept = Math.max(1, ...decimals);
  return texts.map((text) => (text.includes(".") ? text.slice(0, text.indexOf(".") + 1 + kept) : text));
}
