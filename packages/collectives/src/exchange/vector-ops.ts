/**
 * @file What an exchange does to numbers, given to it by the composition root: core's WebAssembly kernels in a worker,
 * plain JavaScript in a test. Every operation is element-wise or a hash, so that no implementation can choose an order.
 */
import type { HashWords } from "@lockstep/protocol";
import { floatsOf } from "../transport/transport.js";

export interface VectorOps {
  /** out[i] = left[i] + right[i], one f32 addition each; out may be left or right. */
  add(out: Float32Array, left: Float32Array, right: Float32Array): void;
  /** out[i] = fround(values[i] / divisor), divisor an f32; out may be values. */
  divide(out: Float32Array, values: Float32Array, divisor: number): void;
  /** Index of the first NaN or infinity, -1 when there is none. */
  findNonFinite(values: Float32Array): number;
  /** 128-bit hash of the bytes. */
  hash(values: Float32Array): HashWords;
}

/** Where an exchange keeps received node vectors and intermediate sums. */
export interface VectorPool {
  acquire(length: number): Float32Array;
  /** A received payload as a vector; it is released like an acquired one. */
  receive(payload: Uint8Array): Float32Array;
  release(vector: Float32Array): void;
}

/** Sums in ordinary memory, reused by length; received payloads stay where they are. @source none: ours */
export function createVectorPool(): VectorPool {
  const free = new Map<number, Float32Array[]>();
  const own = new WeakSet<Float32Array>();
  return {
    acquire(length) {
      const vector = free.get(length)?.pop() ?? new Float32Array(length);
      own.add(vector);
      return vector;
    },
    receive: floatsOf,
    release(vector) {
      if (!own.has(vector)) return;
      const vectors = free.get(vector.length) ?? [];
      free.set(vector.length, vectors);
      vectors.push(vector);
    },
  };
}
