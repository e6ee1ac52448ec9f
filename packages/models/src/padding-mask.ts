/** @file Legend: B batch, T sequence. */
import { currentBackend, ge, Tensor, tensor, withBackend } from "@lockstep/core";

/**
 * 1 at the places past each sequence's length, as attention layers take it.
 *
 * @shape lengths B numbers -> [B, T] i32
 * @source none: ours
 */
export function paddingMask(lengths: Tensor | readonly number[] | Int32Array, numSteps: number): Tensor {
  const isTensor = lengths instanceof Tensor;
  return withBackend(isTensor ? lengths.backend : currentBackend(), () => {
    const column = isTensor ? lengths : tensor(Int32Array.from(lengths));
    const steps = tensor(
      Int32Array.from({ length: numSteps }, (_, t) => t),
      { shape: [1, numSteps] },
    );
    return ge(steps, column.reshape([-1, 1]));
  });
}
