/** Kinds of numbers a tensor can hold. All are four bytes wide. */
export type DType = "f32" | "i32";

/** Typed array that holds the elements of a dtype. */
export type DTypeArray = Float32Array | Int32Array;

/** Bytes of one element. */
export const bytesPerElement: Readonly<Record<DType, number>> = { f32: 4, i32: 4 };
