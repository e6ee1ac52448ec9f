/** @file Views on a CPU backend, seeded numbers and bit comparison, for tests of this room. */
import type { Backend, TensorView } from "../backend/backend.js";
import { contiguousStrides, numElements } from "../backend/strided.js";
import type { DType, DTypeArray } from "../tensor/dtype.js";

/** Seeded uniform numbers in [-1, 1) (mulberry32). */
export function randomValues(seed: number, count: number): Float32Array {
  let state = seed | 0;
  return Float32Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  });
}

/** A contiguous view of the shape, `offset` elements into a buffer that goes on behind it; everything outside holds 77. */
export function viewOf(
  backend: Backend,
  shape: readonly number[],
  values?: DTypeArray,
  { offset = 0, dtype = values instanceof Int32Array ? "i32" : "f32", tail = 0 }: ViewOptions = {},
): TensorView {
  const count = numElements(shape);
  const buffer = backend.allocate(4 * (offset + count + tail));
  const all = dtype === "f32" ? new Float32Array(offset + count + tail) : new Int32Array(offset + count + tail);
  all.fill(77);
  if (values) all.set(values, offset);
  backend.write(buffer, 0, all);
  return { buffer, offset, shape, strides: contiguousStrides(shape), dtype };
}

interface ViewOptions {
  readonly offset?: number;
  readonly dtype?: DType;
  readonly tail?: number;
}

export function valuesOf(backend: Backend, view: TensorView): DTypeArray {
  if (!backend.readSync) throw new TypeError("valuesOf: the backend has no readSync");
  return backend.readSync(view);
}

/** The elements of the buffer behind the view: 77 where nothing was written. */
export function behind(backend: Backend, view: TensorView): DTypeArray {
  const start = view.offset + numElements(view.shape);
  const count = view.buffer.byteLength / 4 - start;
  return valuesOf(backend, { ...view, offset: start, shape: [count], strides: [1] });
}

/** As integers, so that NaN, -0 and every bit count. */
export function bitsOf(values: DTypeArray): number[] {
  return Array.from(new Int32Array(values.buffer, values.byteOffset, values.length));
}

/** Distance in units in the last place of the exact value. */
export function ulpError(actual: number, exact: number): number {
  const rounded = Math.fround(exact);
  if (Object.is(actual, rounded) || (Number.isNaN(actual) && Number.isNaN(exact))) return 0;
  if (!Number.isFinite(actual) || !Number.isFinite(rounded)) return actual === rounded ? 0 : Number.POSITIVE_INFINITY;
  const magnitude = Math.abs(exact);
  const unit = magnitude < 2 ** -126 ? 2 ** -149 : 2 ** (Math.floor(Math.log2(magnitude)) - 23);
  return Math.abs(actual - exact) / unit;
}

/** Every `step`-th bit pattern of f32, NaNs left out. */
export function everyFloat(step: number): Float32Array {
  const bits = Uint32Array.from({ length: Math.floor(2 ** 32 / step) }, (_, i) => i * step);
  return new Float32Array(bits.buffer).filter((value) => !Number.isNaN(value));
}
