import { ValueError } from "../errors.js";
import { input, lt, scalar, select } from "../expr/expr.js";
import { elementwiseProgram } from "../expr/program.js";
import type { Tensor } from "../tensor/tensor.js";
import { runInPlace } from "./run-in-place.js";

const [value, low, high] = [input(0), scalar(0), scalar(1)];
const clampProgram = elementwiseProgram(
  "clipByValue",
  ["f32"],
  [select(lt(high, value), high, select(lt(value, low), low, value))],
  2,
);

/**
 * Brings every element of all gradients into [-maxGradValue, maxGradValue], in place. NaN stays NaN.
 *
 * @shape any
 * @param parameters those without a gradient are left out.
 * @throws {ValueError} E_VALUE when maxGradValue is not above 0.
 * @source Same values as torch.nn.utils.clip_grad_value_.
 */
export function clipGradValue(parameters: Iterable<Tensor>, maxGradValue: number): void {
  if (!(maxGradValue > 0)) {
    throw new ValueError(`clipGradValue: maxGradValue is ${maxGradValue}; it must be above 0.`, { maxGradValue });
  }
  const gradients = [...parameters].map(({ grad }) => grad).filter((grad) => grad !== undefined);
  const scalars = [-maxGradValue, maxGradValue];
  runInPlace(gradients.map((grad) => ({ program: clampProgram, inputs: [grad], scalars, written: [grad] })));
}
