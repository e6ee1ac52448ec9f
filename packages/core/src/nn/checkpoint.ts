/** @file Activation checkpointing: a module's inner activations are computed again in backward instead of being kept. */
import { enableGrad, isGradEnabled, noGrad } from "../autograd/grad-mode.js";
import { currentDraws, withDraws } from "../autograd/micro-batch-scope.js";
import { record } from "../autograd/tape-entry.js";
import { StateError } from "../errors.js";
import { scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Module } from "./module.js";

/** A module of one output. */
export interface CheckpointedModule extends Module {
  forward(...inputs: Tensor[]): Tensor;
}

/**
 * `module.forward(...inputs)`, of which only the inputs are kept until backward; there the forward pass is run again, with the same dropout
 * masks. Costs one more forward pass of the module and saves its activations.
 *
 * @shape that of the module
 * @numerics The gradients have the bits that they have without it, where no parameter of the module is used elsewhere, too.
 * @throws {StateError} E_CHECKPOINTED for a training module with running statistics (BatchNorm), which would count twice;
 *   E_SECOND_DERIVATIVE in a backward with createGraph.
 * @source Chen, Xu, Zhang, Guestrin, "Training deep nets with sublinear memory cost" (2016); torch.utils.checkpoint. Deviation: takes a
 *   module, so that a parameter's gradient is reported ready at the right time.
 * @example
 * const layer = new nn.Linear(2, 1);
 * nn.checkpoint(layer, tensor([[1, 2]])).shape; // => [1, 1]
 */
export function checkpoint(module: CheckpointedModule, ...inputs: Tensor[]): Tensor {
  const parameters = module.parameters().filter((parameter) => parameter.requiresGrad);
  if (!isGradEnabled() || ![...inputs, ...parameters].some(({ requiresGrad }) => requiresGrad)) {
    return module.forward(...inputs);
  }
  assertNoStatistics(module);
  const draws = currentDraws();
  const output = scope(() => {
    const result = noGrad(() => module.forward(...inputs));
    return result.viewAs(result);
  });
  record("checkpoint", [...inputs, ...parameters], [output], {
    saved: inputs.map((tensor, place) => ({ tensor, place })),
    backward: (saved, [cotangent]) => {
      if (isGradEnabled()) {
        throw new StateError(
          "checkpoint: a gradient of a gradient was asked for; what is computed again is not recorded. Call the module without checkpoint.",
          {},
          "E_SECOND_DERIVATIVE",
        );
      }
      const leaves = saved.map((tensor, i) => leafOf(tensor, inputs[i]!.requiresGrad));
      return gradientsOf(() => {
        const again = enableGrad(() => withDraws(draws, () => module.forward(...leaves)));
        again.backward({ cotangent: cotangent! });
      }, [...leaves, ...parameters]);
    },
  });
  return output;
}

function leafOf(tensor: Tensor, requiresGrad: boolean): Tensor {
  const leaf = tensor.viewAs(tensor);
  leaf.requiresGrad = requiresGrad;
  return leaf;
}

/** What `run` adds to the gradients of `leaves`, in the current scope; the gradients themselves stay as they were. */
function gradientsOf(run: () => void, leaves: readonly Tensor[]): (Tensor | undefined)[] {
  const before = leaves.map((leaf) => {
    const { grad } = leaf;
    leaf.grad = undefined;
    return grad;
  });
  try {
    run();
    return leaves.map(({ grad }) => grad?.viewAs(grad));
  } finally {
    leaves.forEach((leaf, i) => {
      leaf.grad?.dispose();
      leaf.grad = before[i];
    });
  }
}

function assertNoStatistics(module: Module): void {
  const [first] = module.namedStatistics();
  if (first === undefined || !module.training) return;
  throw new StateError(
    `checkpoint: "${first[0]}" keeps running statistics, and a forward pass that is run again would count them twice; a checkpointed module must have none. Use GroupNorm or LayerNorm, or leave it out of checkpoint.`,
    { module: first[0] },
    "E_CHECKPOINTED",
  );
}
