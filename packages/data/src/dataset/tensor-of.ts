import { currentBackend, Tensor } from "@lockstep/core";

/** A contiguous tensor with these numbers, on the current backend, in the current scope. */
export function tensorOf(data: Float32Array | Int32Array, shape: readonly number[]): Tensor {
  const backend = currentBackend();
  const tensor = Tensor.allocate(backend, shape, data instanceof Float32Array ? "f32" : "i32");
  backend.write(tensor.buffer, tensor.offset, data);
  return tensor;
}
