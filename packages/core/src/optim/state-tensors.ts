/**
 * @file Memory of an optimizer's state. On a device that binds few buffers at a time the state tensors of many parameters lie in one buffer,
 * so that one launch can update many; elsewhere each has its own.
 */
import type { Backend } from "../backend/backend.js";
import { untracked } from "../tensor/scope.js";
import { contiguousStrides } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";

/** Larger state tensors gain nothing from sharing. */
const maxSharedElements = 4_194_304;

export class StateMemory {
  #shared: { readonly tensor: Tensor; used: number } | undefined;
  /** Elements that are still to be allocated. */
  #numLeft: number;

  constructor(numElements: number) {
    this.#numLeft = numElements;
  }

  /** A tensor of the shape of `parameter`, filled with `initial`, that the caller disposes. */
  allocate(parameter: Tensor, initial: number): Tensor {
    const { backend, shape, size } = parameter;
    const state =
      backend.elementwiseRuns === undefined || size === 0 || size > maxSharedElements
        ? untracked(() => Tensor.allocate(backend, shape, "f32", "exact"))
        : this.#piece(backend, shape, size);
    this.#numLeft -= size;
    if (size > 0) backend.kernels.fill(state, initial);
    return state;
  }

  /** Gives up its own hold on what it allocated; the tensors keep theirs. */
  close(): void {
    this.#shared?.tensor.dispose();
    this.#shared = undefined;
  }

  #piece(backend: Backend, shape: readonly number[], size: number): Tensor {
    if (this.#shared?.tensor.backend !== backend || this.#shared.used + size > this.#shared.tensor.size) {
      this.close();
      const capacity = Math.min(maxSharedElements, Math.max(size, this.#numLeft));
      const tensor = untracked(() => Tensor.allocate(backend, [capacity], "f32", "exact"));
      this.#shared = { tensor, used: 0 };
    }
    const offset = this.#shared.used;
    this.#shared.used += size;
    return this.#shared.tensor.alias({ offset, shape, strides: contiguousStrides(shape) });
  }
}
