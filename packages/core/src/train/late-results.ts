/** @file Results of whole tensors on every backend: at once on a CPU, later on a device that can only be waited for. */
import type { Backend, TensorView } from "../backend/backend.js";

/**
 * As the kernel row `hash`: 32 hex digits of the bytes of contiguous views in order, as they are at the call. The same on every machine.
 *
 * @source none: ours
 */
export async function hashAsync(backend: Backend, tensors: readonly TensorView[]): Promise<string> {
  return backend.late === undefined ? backend.kernels.hash(tensors) : backend.late.hash(tensors);
}

/**
 * As the kernel row `findNonFinite`: the index of the first element of a contiguous view that is not finite, as it is at the call, or -1.
 *
 * @source none: ours
 */
export async function findNonFiniteAsync(backend: Backend, x: TensorView): Promise<number> {
  return backend.late === undefined ? backend.kernels.findNonFinite(x) : backend.late.findNonFinite(x);
}
