/**
 * @file Arithmetic on ranges of a CPU backend's memory, for a thread that has the memory and not the backend (the socket thread).
 * The results have the bits of the backend's own kernels.
 */

import { BackendError } from "../errors.js";
import { finishHash, initialLanes } from "../hash/hash128.js";
import { addRange, divideRange, findNonFiniteRange, hashRange, sumSquaresRange } from "./kernels/ranges.js";
import { maxPages } from "./memory-layout.js";
import { buildModule } from "./module-builder.js";

/** All views must be of the memory that the ops were made for. */
export interface VectorOps {
  /** dst = left + right; dst may be left or right. All of one length. */
  add(dst: Float32Array, left: Float32Array, right: Float32Array): void;
  /** dst = src / divisor, the divisor rounded to f32 first; dst may be src. */
  divide(dst: Float32Array, src: Float32Array, divisor: number): void;
  /** Index of the first value that is infinite or NaN, -1 if there is none. */
  findNonFinite(vector: Float32Array): number;
  /**
   * Sum of squares in f64; not finite exactly when a value is not. Lane l of 4 adds the values l, l + 4, l + 8 ..., then
   * (lane 0 + lane 2) + (lane 1 + lane 3).
   */
  sumSquares(vector: Float32Array): number;
  /** 32 hex digits: as `hash128` of the bytes. */
  hash(vector: Float32Array): string;
}

interface RangeFunctions {
  addRange(left: number, right: number, dst: number, count: number): void;
  divideRange(src: number, dst: number, count: number, divisor: number): void;
  findNonFiniteRange(address: number, count: number): number;
  sumSquaresRange(address: number, count: number): number;
  hashRange(address: number, numWords: number): Iterable<number>;
}

/** @throws {BackendError} E_BACKEND from its methods for a view of another memory, or views of unequal lengths. */
export function createVectorOps(memory: WebAssembly.Memory): VectorOps {
  const shared = typeof SharedArrayBuffer !== "undefined" && (memory.buffer as unknown) instanceof SharedArrayBuffer;
  const functions = [addRange, divideRange, findNonFiniteRange, sumSquaresRange, hashRange(initialLanes())];
  const { bytes } = buildModule(functions, "strict", { initialPages: 1, maximumPages: maxPages, shared });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const ranges = instance.exports as unknown as RangeFunctions;
  const address = (vector: Float32Array, length = vector.length): number => {
    if (vector.length !== length) {
      throw new BackendError(
        `vectorOps: vectors of ${length} and ${vector.length} elements; all must have one length.`,
        {
          lengths: [length, vector.length],
        },
      );
    }
    assertOwn(memory, vector);
    return vector.byteOffset;
  };
  return {
    add(dst, left, right) {
      ranges.addRange(address(left, dst.length), address(right, dst.length), address(dst), dst.length);
    },
    divide(dst, src, divisor) {
      ranges.divideRange(address(src, dst.length), address(dst), dst.length, divisor);
    },
    findNonFinite: (vector) => ranges.findNonFiniteRange(address(vector), vector.length),
    sumSquares: (vector) => ranges.sumSquaresRange(address(vector), vector.length),
    hash: (vector) => finishHash(Int32Array.from(ranges.hashRange(address(vector), vector.length)), vector.byteLength),
  };
}

/** A view made before a shared memory grew has another buffer object of the same bytes: a shared buffer of the right kind will do. */
function assertOwn(memory: WebAssembly.Memory, vector: Float32Array): void {
  const buffer = memory.buffer as unknown;
  const isOwn = (vector.buffer as unknown) === buffer;
  const isOlder =
    typeof SharedArrayBuffer !== "undefined" &&
    buffer instanceof SharedArrayBuffer &&
    vector.buffer instanceof SharedArrayBuffer;
  if (isOwn || isOlder) return;
  throw new BackendError(
    "vectorOps: a vector of another memory was passed in; all must be views of the memory of the ops.",
  );
}
