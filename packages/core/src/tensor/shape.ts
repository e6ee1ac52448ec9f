/** @file Arithmetic of shapes and strides. Pure; strides and offsets count elements. */
import { ShapeError } from "../errors.js";

export type Shape = readonly number[];

/** Number of elements; 1 for a scalar's []. */
export function numElements(shape: Shape): number {
  let n = 1;
  for (let i = 0; i < shape.length; i++) n *= shape[i]!;
  return n;
}

/** Row-major strides. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i]!;
  }
  return strides;
}

/** True for row-major order without gaps; strides of dims of size 0 or 1 do not matter. */
export function isContiguousLayout(shape: Shape, strides: readonly number[]): boolean {
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    const size = shape[i]!;
    if (size === 0) return true;
    if (size !== 1) {
      if (strides[i] !== expected) return false;
      expected *= size;
    }
  }
  return true;
}

export function shapesEqual(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(",")}]`;
}

/** -1 is the last axis. @throws {ShapeError} E_AXIS when out of range. */
export function normalizeAxis(where: string, axis: number, numDims: number): number {
  if (!Number.isInteger(axis) || axis < -numDims || axis >= numDims) {
    throw new ShapeError(
      `${where}: axis is ${axis}, but the tensor has ${numDims} dims; axis must be an integer in [${-numDims}, ${numDims - 1}].`,
      { axis, numDims },
      "E_AXIS",
    );
  }
  return axis < 0 ? axis + numDims : axis;
}

/** @throws {ShapeError} E_SHAPE unless every size is a non-negative integer. */
export function assertShape(where: string, shape: Shape): void {
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0) {
      throw new ShapeError(`${where}: shape is ${formatShape(shape)}; every size must be a non-negative integer.`, {
        shape,
      });
    }
  }
}

/** NumPy's rule: aligned at the last dim, 1 stretches. @throws {ShapeError} E_SHAPE with both shapes. */
export function broadcastShapes(where: string, a: Shape, b: Shape): Shape {
  if (shapesEqual(a, b)) return a;
  const rank = Math.max(a.length, b.length);
  const out = new Array<number>(rank);
  for (let i = 1; i <= rank; i++) {
    const x = i <= a.length ? a[a.length - i]! : 1;
    const y = i <= b.length ? b[b.length - i]! : 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new ShapeError(
        `${where}: shapes are ${formatShape(a)} and ${formatShape(b)}; aligned at the last dim, sizes must be equal or 1.`,
        { a, b },
      );
    }
    out[rank - i] = x === 1 ? y : x;
  }
  return out;
}

/** Strides that read a tensor of `shape` as if it had the broadcast shape `target`. */
export function broadcastStrides(shape: Shape, strides: readonly number[], target: Shape): number[] {
  const lead = target.length - shape.length;
  const out = new Array<number>(target.length);
  for (let i = 0; i < target.length; i++) {
    out[i] = i < lead || (shape[i - lead] === 1 && target[i] !== 1) ? 0 : strides[i - lead]!;
  }
  return out;
}

/** Replaces one -1 by what the element count asks for. @throws {ShapeError} E_SHAPE when it cannot be. */
export function resolveReshape(where: string, from: Shape, to: Shape): Shape {
  const count = numElements(from);
  const hole = to.indexOf(-1);
  let resolved = to;
  if (hole >= 0) {
    const rest = to.reduce((product, size, i) => (i === hole ? product : product * size), 1);
    const size = rest === 0 ? 0 : count / rest;
    if (Number.isInteger(size)) resolved = to.map((s, i) => (i === hole ? size : s));
  }
  if (resolved.some((size) => !Number.isInteger(size) || size < 0) || numElements(resolved) !== count) {
    throw new ShapeError(
      `${where}: the new shape is ${formatShape(to)}, but the tensor ${formatShape(from)} has ${count} elements; sizes must be integers whose product is ${count}, with at most one -1.`,
      { from, to },
    );
  }
  return resolved;
}

/** Strides of a view of `to` on the same elements, or undefined when a copy is needed. */
export function reshapeStrides(from: Shape, strides: readonly number[], to: Shape): number[] | undefined {
  if (isContiguousLayout(from, strides)) return contiguousStrides(to);
  const sizes: number[] = [];
  const steps: number[] = [];
  for (let i = 0; i < from.length; i++) {
    if (from[i] !== 1) {
      sizes.push(from[i]!);
      steps.push(strides[i]!);
    }
  }
  const out = new Array<number>(to.length).fill(1);
  let i = 0;
  let j = 0;
  while (i < sizes.length) {
    // A group of source dims and a group of target dims with the same number of elements.
    let sourceCount = sizes[i]!;
    let iEnd = i + 1;
    let targetCount = 1;
    let jEnd = j;
    while (jEnd < to.length && (targetCount < sourceCount || to[jEnd] === 1)) targetCount *= to[jEnd++]!;
    while (sourceCount !== targetCount) {
      if (sourceCount < targetCount) {
        if (iEnd >= sizes.length) return undefined;
        sourceCount *= sizes[iEnd++]!;
      } else {
        if (jEnd >= to.length) return undefined;
        targetCount *= to[jEnd++]!;
      }
    }
    for (let k = i; k + 1 < iEnd; k++) if (steps[k] !== sizes[k + 1]! * steps[k + 1]!) return undefined;
    let stride = steps[iEnd - 1]!;
    for (let k = jEnd - 1; k >= j; k--) {
      out[k] = stride;
      stride *= to[k]!;
    }
    i = iEnd;
    j = jEnd;
  }
  return out;
}
