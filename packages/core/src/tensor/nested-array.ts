/** @file Nested JavaScript arrays <-> flat row-major elements. */
import { ShapeError } from "../errors.js";
import { formatShape, numElements, type Shape } from "./shape.js";

export type NestedArray = number | NestedArray[];
export type NestedInput = number | boolean | readonly NestedInput[];

export interface FlatValues {
  readonly shape: number[];
  /** Row-major; true is 1. */
  readonly values: number[];
  /** There are values, and all are true or false. */
  readonly isBoolean: boolean;
}

/** @throws {ShapeError} E_SHAPE when rows have different lengths. */
export function flattenNested(where: string, nested: NestedInput): FlatValues {
  const shape: number[] = [];
  for (let level: NestedInput | undefined = nested; Array.isArray(level); level = level[0]) shape.push(level.length);
  const values: number[] = [];
  let numBooleans = 0;
  const walk = (item: NestedInput, depth: number): void => {
    if (Array.isArray(item) !== depth < shape.length || (Array.isArray(item) && item.length !== shape[depth])) {
      const found = Array.isArray(item) ? `${item.length} items` : "a number";
      throw new ShapeError(
        `${where}: the nested array has ${found} at depth ${depth}, but its first path has shape ${formatShape(shape)}; all rows must have the same length.`,
        { shape, depth },
      );
    }
    if (Array.isArray(item)) for (const child of item) walk(child, depth + 1);
    else {
      if (typeof item === "boolean") numBooleans++;
      values.push(Number(item));
    }
  };
  walk(nested, 0);
  return { shape, values, isBoolean: numBooleans > 0 && numBooleans === values.length };
}

export function nestValues(values: ArrayLike<number>, shape: Shape): NestedArray {
  if (shape.length === 0) return values[0]!;
  const [size, ...rest] = shape as [number, ...number[]];
  const step = numElements(rest);
  const build = (start: number, dims: readonly number[]): NestedArray => {
    if (dims.length === 0) return values[start]!;
    const [length, ...inner] = dims as [number, ...number[]];
    const stride = numElements(inner);
    return Array.from({ length }, (_, i) => build(start + i * stride, inner));
  };
  return Array.from({ length: size }, (_, i) => build(i * step, rest));
}
