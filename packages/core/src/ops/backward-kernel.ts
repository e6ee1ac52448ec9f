/** @file Kernels that exist only for a vjp. The vjp check of their forward op is their test; they have no gradient of their own. */
import { isGradEnabled } from "../autograd/grad-mode.js";
import type { Backend } from "../backend/backend.js";
import { StateError } from "../errors.js";
import { withMemoryContext } from "../tensor/memory-context.js";
import { Tensor } from "../tensor/tensor.js";
import { contiguousCopy } from "./apply.js";
import type { TensorSpec } from "./contract.js";

/**
 * Allocates `specs`, runs the kernel, returns the outputs.
 * @throws {StateError} E_SECOND_DERIVATIVE inside a recorded backward: better than a silent zero.
 */
export function runBackwardKernel(
  name: string,
  { inputs, outputs: specs }: { readonly inputs: readonly Tensor[]; readonly outputs: readonly TensorSpec[] },
  run: (backend: Backend, outputs: readonly Tensor[]) => void,
): readonly Tensor[] {
  if (isGradEnabled() && inputs.some((tensor) => tensor.requiresGrad)) {
    throw new StateError(
      `${name}: second derivatives of this fused op are not supported. Compute the composite of it from simple ops where createGraph is needed.`,
      { op: name },
      "E_SECOND_DERIVATIVE",
    );
  }
  const backend = inputs[0]!.backend;
  try {
    const outputs = specs.map((spec) => Tensor.allocate(backend, spec.shape, spec.dtype, spec.fidelity));
    run(backend, outputs);
    return outputs;
  } catch (error) {
    throw withMemoryContext(error, { op: name, inputs, outputs: specs });
  }
}

/** `x`, or a contiguous copy of it that is not recorded (the enclosing backward frees it). */
export function asContiguous(x: Tensor): Tensor {
  return x.isContiguous ? x : contiguousCopy(x);
}
