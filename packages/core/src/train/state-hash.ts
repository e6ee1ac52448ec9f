/** @file A 128-bit hash of everything a step changes, by which replicas compare themselves (L2). */
import type { Backend, TensorView } from "../backend/backend.js";

/**
 * Hash of parameters, buffers and optimizer state, in this order. Tensors must be contiguous and in a fixed order.
 *
 * @source none: ours
 */
export function stateHash(
  backend: Backend,
  state: {
    readonly parameters: Iterable<TensorView>;
    readonly buffers: Iterable<TensorView>;
    readonly optimizer: Iterable<TensorView>;
  },
): string {
  return backend.kernels.hash([...state.parameters, ...state.buffers, ...state.optimizer]);
}
