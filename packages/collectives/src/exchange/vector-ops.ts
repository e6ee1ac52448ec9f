/**
 * @file What an exchange does to numbers, given to it by the composition root: core's WebAssembly kernels in a worker,
 * plain JavaScript in a test. Every operation is element-wise or a hash, so that no implementation can choose an order.
 */
import { bytesOf, floatsOf } from "../transport/transport.js";

export interface VectorOps {
  /** out[i] = left[i] + right[i], one f32 addition each; out may be left or right. */
  add(out: Float32Array, left: Float32Array, right: Float32Array): void;
  /** out[i] = fround(values[i] / divisor), divisor an f32; out may be values. */
  divide(out: Float32Array, values: Float32Array, divisor: number): void;
  /** Index of the first NaN or infinity, -1 when there is none. */
  findNonFinite(values: Float32Array): number;
  /** 128-bit hash of the bytes, 32 hex digits. */
  hash(values: Float32Array): string;
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
