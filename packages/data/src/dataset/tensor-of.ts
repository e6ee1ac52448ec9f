import { currentBackend, type DTypeArray, Tensor } from "@lockstep/core";

/** A contiguous tensor with these numbers, on the current backend, in the current scope: f32, i32 or u8 as the array is. */
export function tensorOf(data: DTypeArray, shape: readonly number[]): Tensor {
  const backend = currentBackend();
  const dtype = data instanceof Float32Array ? "f32" : data instanceof Int32Array ? "i32" : "u8";
  const tensor = Tensor.allocate(backend, shape, dtype);
  backend.write(tensor.buffer, tensor.offset, data);
  return tensor;
}

/** A zeroed array of the same type. */
export function arrayLike(data: DTypeArray, length: number): DTypeArray {
  if (data instanceof Float32Array) return new Float32Array(length);
  return data instanceof Int32Array ? new Int32Array(length) : new Uint8Array(length);
}
