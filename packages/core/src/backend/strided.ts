/** @file Arithmetic on shapes and strides, as backends need it. Strides and offsets count elements. */
import type { TensorView } from "./backend.js";

export function numElements(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

/** Row-major without gaps. Dims of length 1 may have any stride. */
export function isContiguous(view: Pick<TensorView, "shape" | "strides">): boolean {
  let expected = 1;
  for (let dim = view.shape.length - 1; dim >= 0; dim--) {
    const size = view.shape[dim] ?? 1;
    if (size === 0) return true;
    if (size !== 1 && view.strides[dim] !== expected) return false;
    expected *= size;
  }
  return true;
}

/** Offsets of the elements of a strided view in row-major order. */
export function* stridedOffsets(shape: readonly number[], strides: readonly number[]): Generator<number> {
  if (numElements(shape) === 0) return;
  const index = new Array<number>(shape.length).fill(0);
  let offset = 0;
  for (;;) {
    yield offset;
    let dim = shape.length - 1;
    for (; dim >= 0; dim--) {
      const size = shape[dim] ?? 1;
      const stride = strides[dim] ?? 0;
      const next = (index[dim] ?? 0) + 1;
      offset += stride;
      index[dim] = next;
      if (next < size) break;
      offset -= next * stride;
      index[dim] = 0;
    }
    if (dim < 0) return;
  }
}

export interface CollapsedDims {
  readonly shape: readonly number[];
  /** Strides of each operand, in the dims of `shape`. */
  readonly strides: readonly (readonly number[])[];
}

/** Drops dims of length 1 and merges neighbouring dims that every operand walks through as one. At least one dim remains. */
export function collapseDims(shape: readonly number[], operands: readonly (readonly number[])[]): CollapsedDims {
  const sizes: number[] = [];
  const strides: number[][] = operands.map(() => []);
  for (let dim = 0; dim < shape.length; dim++) {
    const size = shape[dim] ?? 1;
    if (size === 1) continue;
    const last = sizes.length - 1;
    const merges = last >= 0 && operands.every((s, i) => strides[i]?.[last] === size * (s[dim] ?? 0));
    if (merges) {
      sizes[last] = (sizes[last] ?? 1) * size;
      operands.forEach((s, i) => {
        const own = strides[i];
        if (own) own[last] = s[dim] ?? 0;
      });
    } else {
      sizes.push(size);
      operands.forEach((s, i) => {
        strides[i]?.push(s[dim] ?? 0);
      });
    }
  }
  if (sizes.length === 0) {
    sizes.push(1);
    for (const own of strides) own.push(1);
  }
  return { shape: sizes, strides };
}

/** Row-major strides without gaps. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    strides[dim] = stride;
    stride *= shape[dim] ?? 1;
  }
  return strides;
}
