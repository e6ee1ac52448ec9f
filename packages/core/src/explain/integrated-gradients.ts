import { noGrad } from "../autograd/grad-mode.js";
import { ShapeError, ValueError } from "../errors.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { copy } from "../ops/copy.js";
import { expand } from "../ops/expand-sum.js";
import { zerosLike } from "../tensor/create.js";
import { scope } from "../tensor/scope.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { type AttributionOptions, chosenClasses, type ExplainedFunction, withGradient } from "./explained-outputs.js";

export interface IntegratedGradientsOptions extends AttributionOptions {
  /** Where the path to the inputs begins: an input that says nothing. Broadcasts to inputs. Default 0. */
  readonly baseline?: Tensor;
  /** Points of the path at which the gradient is taken. Default 64. */
  readonly numPoints?: number;
}

export interface IntegratedGradients {
  /** As inputs. Their sum over a sample is its output minus that of the baseline, but for the error of the integral. */
  readonly attributions: Tensor;
  /** [B], what is explained: the output at the inputs. */
  readonly outputs: Tensor;
  /** [B], at the baseline. */
  readonly baselineOutputs: Tensor;
}

/**
 * What each input contributes to the way from the baseline's output to this one:
 *
 *   (input - baseline) * mean over k of  d output / d input  at  baseline + (k + 1/2) / numPoints * (input - baseline)
 *
 * Adds to the gradients of parameters that require one: freeze the model, or zero them afterwards.
 *
 * @shape inputs [B, ...] f32, outputs(inputs) [B, C] or [B] -> attributions as inputs
 * @numerics The midpoint rule: exact where the gradient is linear along the path, else its error falls with 1 / numPoints^2.
 * @throws {ShapeError} E_SHAPE for shapes that do not fit. {ValueError} E_EXPLAIN for targets that are no classes or a numPoints that is no
 *   count. {StateError} E_NO_GRAD when outputs do not depend on the inputs.
 * @source Sundararajan, Taly and Yan 2017, "Axiomatic Attribution for Deep Networks", section 3; captum's IntegratedGradients
 * @example
 * explain.integratedGradients((x) => x.square().sum(1), tensor([[3, 4]])).attributions.toArraySync(); // => [[9, 16]]
 */
export function integratedGradients(
  outputs: ExplainedFunction,
  inputs: Tensor,
  options: IntegratedGradientsOptions = {},
): IntegratedGradients {
  const where = "integratedGradients";
  const { numPoints = 64 } = options;
  if (!Number.isInteger(numPoints) || numPoints < 1) {
    throw new ValueError(
      `${where}: numPoints is ${numPoints}; it must be a whole number, 1 or more.`,
      { numPoints },
      "E_EXPLAIN",
    );
  }
  return scope(() => {
    const classes = chosenClasses(where, outputs, inputs, options);
    const baseline = baselineOf(where, inputs, options.baseline);
    const way = noGrad(() => sub(inputs, baseline));
    const valuesAt = (place: Tensor): Tensor =>
      withGradient(where, outputs, { inputs: place, classes }, (_, values) => copy(values));
    let total = zerosLike(inputs);
    for (let k = 0; k < numPoints; k++) {
      const before = total;
      total = scope(() => {
        const place = noGrad(() => add(baseline, mul(way, (k + 0.5) / numPoints)));
        return withGradient(where, outputs, { inputs: place, classes }, (gradient) => add(before, gradient));
      });
      before.dispose();
    }
    return {
      attributions: noGrad(() => mul(way, mul(total, 1 / numPoints))),
      outputs: valuesAt(inputs),
      baselineOutputs: valuesAt(baseline),
    };
  });
}

function baselineOf(where: string, inputs: Tensor, baseline: Tensor | undefined): Tensor {
  if (baseline === undefined) return zerosLike(inputs);
  const fits =
    baseline.dtype === "f32" &&
    baseline.numDims <= inputs.numDims &&
    baseline.shape.every((size, i) => {
      const wanted = inputs.shape[inputs.numDims - baseline.numDims + i];
      return size === wanted || size === 1;
    });
  if (fits) return copy(expand(baseline, inputs.shape));
  throw new ShapeError(
    `${where}: baseline is ${baseline.dtype} ${formatShape(baseline.shape)}; it must be f32 and broadcast to inputs ${formatShape(inputs.shape)}.`,
    { baseline: baseline.shape, inputs: inputs.shape },
  );
}
