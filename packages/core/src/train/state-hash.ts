/** @file A 128-bit hash of everything a step changes, by which replicas compare themselves (L2). */
import type { Backend, TensorView } from "../backend/backend.js";

/**
 * Hash of parameters, buffers, optimizer state and counters, in this order. Tensors must be contiguous and in a fixed order.
 *
 * @source none: ours
 */
export function stateHash(
  backend: Backend,
  state: {
    readonly parameters: Iterable<TensorView>;
    readonly buffers: Iterable<TensorView>;
    readonly optimizer: Iterable<TensorView>;
    /** What a step changes beside tensors, as text: the step, the optimizer's counters. */
    readonly counters: string;
  },
): string {
  return hashWithText(backend, [...state.parameters, ...state.buffers, ...state.optimizer], state.counters);
}

/** Hash of a text, the same on every machine. @source none: ours */
export function hashText(backend: Backend, text: string): string {
  return hashWithText(backend, [], text);
}

function hashWithText(backend: Backend, tensors: readonly TensorView[], text: string): string {
  const codes = Int32Array.from(text, (character) => character.codePointAt(0) ?? 0);
  const buffer = backend.allocate(codes.byteLength);
  try {
    backend.write(buffer, 0, codes);
    return backend.kernels.hash([...tensors, { buffer, offset: 0, shape: [codes.length], strides: [1], dtype: "i32" }]);
  } finally {
    backend.free(buffer);
  }
}
