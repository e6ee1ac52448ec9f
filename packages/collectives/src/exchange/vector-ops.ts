/**
 * @file What an exchange does to numbers, given to it by the composition root: core's WebAssembly kernels in a worker,
 * plain JavaScript in a test. Every operation is element-wise, a hash, or a sum whose order is given, so that no implementation can
 * choose one.
 */
import { bytesOf, floatsOf } from "../transport/transport.js";

export interface VectorOps {
  /** out[i] = left[i] + right[i], one f32 addition each; out may be left or right. */
  add(out: Float32Array, left: Float32Array, right: Float32Array): void;
  /** out[i] = fround(values[i] / divisor), divisor an f32; out may be values. */
  divide(out: Float32Array, values: Float32Array, divisor: number): void;
  /** Index of the first NaN or infinity, -1 when there is none. */
  findNonFinite(values: Float32Array): number;
  /**
   * Sum of squares in f64: lane l of 4 adds the values l, l + 4, l + 8 ..., then (lane 0 + lane 2) + (lane 1 + lane 3). Finite exactly
   * when every value is: squares of f32 do not overflow f64.
   */
  sumSquares(values: Float32Array): number;
  /** 128-bit hash of the bytes, 32 hex digits. */
  hash(values: Float32Array): string;
}

/**
 * `VectorOps.sumSquares` in JavaScript, for vectors wherever they lie.
 *
 * @shape values [n] -> number
 * @source none: ours
 */
export function sumSquares(values: Float32Array): number {
  const numWhole = values.length - (values.length % 4);
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let i = 0; i < numWhole; i += 4) {
    a += values[i]! * values[i]!;
    b += values[i + 1]! * values[i + 1]!;
    c += values[i + 2]! * values[i + 2]!;
    d += values[i + 3]! * values[i + 3]!;
  }
  const rest = (lane: number): number =>
    numWhole + lane < values.length ? values[numWhole + lane]! * values[numWhole + lane]! : 0;
  return a + rest(0) + (c + rest(2)) + (b + rest(1) + (d + rest(3)));
}

/** Where an exchange keeps received node vectors and intermediate sums. */
export interface VectorPool {
  acquire(length: number): Float32Array;
  /** A received payload as a vector; it is released like an acquired one. */
  receive(payload: Uint8Array): Float32Array;
  release(vector: Float32Array): void;
}

export interface VectorPoolOptions {
  /** Makes a vector where the ops can work on it; received payloads are then copied there. By default they stay where they are. */
  readonly allocate?: (length: number) => Float32Array;
}

/** Vectors that are reused by length and never given back. @source none: ours */
export function createVectorPool(options: VectorPoolOptions = {}): VectorPool {
  const { allocate } = options;
  const free = new Map<number, Float32Array[]>();
  const own = new WeakSet<Float32Array>();
  const acquire = (length: number): Float32Array => {
    const vector = free.get(length)?.pop() ?? allocate?.(length) ?? new Float32Array(length);
    own.add(vector);
    return vector;
  };
  return {
    acquire,
    receive(payload) {
      if (allocate === undefined) return floatsOf(payload);
      const vector = acquire(payload.byteLength / 4);
      bytesOf(vector).set(payload);
      return vector;
    },
    release(vector) {
      if (!own.has(vector)) return;
      const vectors = free.get(vector.length) ?? [];
      free.set(vector.length, vectors);
      vectors.push(vector);
    },
  };
}
