import { mul } from "../ops/arithmetic.js";
import { scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { type AttributionOptions, chosenClasses, type ExplainedFunction, withGradient } from "./explained-outputs.js";

/**
 * What each input contributes to an output, to first order: input * d output / d input.
 *
 * Exact for a function that is linear without a constant; says nothing where the function is saturated (`integratedGradients` does).
 * Adds to the gradients of parameters that require one: freeze the model, or zero them afterwards.
 *
 * @shape inputs [B, ...] f32, outputs(inputs) [B, C] or [B] -> as inputs
 * @throws {ShapeError} E_SHAPE for inputs or outputs of other shapes. {ValueError} E_EXPLAIN for targets that are no classes. {StateError}
 *   E_NO_GRAD when outputs do not depend on the inputs.
 * @source Shrikumar et al. 2016, "Not Just a Black Box"; captum's InputXGradient
 * @example
 * const weights = tensor([[2], [-1]]);
 * explain.gradientTimesInput((x) => x.matmul(weights), tensor([[3, 4]])).toArraySync(); // => [[6, -4]]
 */
export function gradientTimesInput(
  outputs: ExplainedFunction,
  inputs: Tensor,
  options: AttributionOptions = {},
): Tensor {
  const where = "gradientTimesInput";
  return scope(() => {
    const classes = chosenClasses(where, outputs, inputs, options);
    return withGradient(where, outputs, { inputs, classes }, (gradient) => mul(gradient, inputs));
  });
}
