import type { Tensor } from "../tensor/tensor.js";

/** Overwrites a contiguous tensor. @param values as many as it has elements, row-major */
export function overwrite(tensor: Tensor, values: Float32Array): void {
  if (values.length > 0) tensor.backend.write(tensor.buffer, tensor.offset, values);
  tensor.storage.version++;
}
