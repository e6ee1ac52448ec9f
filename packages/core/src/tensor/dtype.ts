/**
 * @file Kinds of numbers a tensor can hold.
 *
 * Every element takes one 32-bit word of backend memory, so that copies, gathers and sorts know one width: f32 as IEEE 754 single,
 * i32 in two's complement, u8 as a word in 0..255, bool as a word that is 0 or 1. On the host and in files u8 and bool take one byte.
 */

export type DType = "f32" | "i32" | "u8" | "bool";

/** Typed array that holds the elements of a dtype: Float32Array, Int32Array, and Uint8Array for u8 and bool. */
export type DTypeArray = Float32Array | Int32Array | Uint8Array;

/** Bytes of one element in backend memory. */
export const bytesPerElement: Readonly<Record<DType, number>> = { f32: 4, i32: 4, u8: 4, bool: 4 };

/** A zeroed array for `length` elements of a dtype. */
export function hostArray(dtype: DType, length: number): DTypeArray {
  if (dtype === "f32") return new Float32Array(length);
  return dtype === "i32" ? new Int32Array(length) : new Uint8Array(length);
}

/** The dtype of a typed array given without one. */
export function dtypeOfArray(values: DTypeArray): DType {
  if (values instanceof Float32Array) return "f32";
  return values instanceof Int32Array ? "i32" : "u8";
}
