/** @file Ops of the user's own, with a gradient of their own. */
import { ShapeError } from "../errors.js";
import { scope } from "../tensor/scope.js";
import { formatShape, shapesEqual } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { isGradEnabled, noGrad } from "./grad-mode.js";
import { record } from "./tape-entry.js";

export interface CustomVjpContext {
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
}

/**
 * Makes a differentiable function of `forward` (which is not recorded) and `vjp`.
 *
 * @param forward  computes a new tensor from its inputs.
 * @param vjp  answers one cotangent for each input, of its shape; undefined stands for zeros.
 * @shape any
 * @throws {ShapeError} E_SHAPE in backward when a cotangent has not the shape of its input.
 * @source none: ours (torch.autograd.Function and jax.custom_vjp are the nearest)
 * @example
 * const clippedGradient = customGrad((x) => x.mul(1), (g) => [g.clip(-1, 1)]);
 * const x = tensor([5]); x.requiresGrad = true;
 * clippedGradient(x).mul(10).sum().backward();
 * x.grad.toArraySync(); // => [1]
 */
export function customGrad(
  forward: (...inputs: Tensor[]) => Tensor,
  vjp: (cotangent: Tensor, context: CustomVjpContext) => readonly (Tensor | undefined)[],
): (...inputs: Tensor[]) => Tensor {
  return (...inputs) => {
    const output = scope(() => {
      const result = noGrad(() => forward(...inputs));
      return result.viewAs(result);
    });
    if (!isGradEnabled() || !inputs.some((input) => input.requiresGrad)) return output;
    record("customGrad", inputs, [output], {
      saved: [...inputs.map((input, place) => ({ tensor: input, place })), { tensor: output, place: -1 }],
      backward: (saved, [cotangent]) => {
        const context = { inputs: saved.slice(0, -1), output: saved[saved.length - 1]! };
        const cotangents = vjp(cotangent!, context);
        context.inputs.forEach((input, i) => {
          const found = cotangents[i];
          if (found instanceof Tensor && !shapesEqual(found.shape, input.shape)) {
            throw new ShapeError(
              `customGrad: the vjp gave ${formatShape(found.shape)} for input ${i}, which is ${formatShape(input.shape)}; they must be equal.`,
              { input: i, cotangent: found.shape, shape: input.shape },
            );
          }
        });
        return cotangents;
      },
    });
    return output;
  };
}
