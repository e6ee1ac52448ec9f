/** @file The one division of a step: summed gradient by summed weight. */
import type { Backend, TensorView } from "../backend/backend.js";
import { ValueError } from "../errors.js";
import { div, input, scalar } from "../expr/expr.js";
import { elementwiseProgram } from "../expr/program.js";

const divideByScalar = elementwiseProgram("divideByScalar", ["f32"], [div(input(0), scalar(0))], 1);

/**
 * out = sum / fround(totalWeight), each element one f32 division. `out` may be `sum`.
 *
 * @shape sum [L], out [L], contiguous
 * @throws {ValueError} E_NO_WEIGHT when the total weight is 0: the step has nothing to train on (L6).
 * @source none: ours
 */
export function divideByWeight(
  backend: Backend,
  views: { sum: TensorView; out: TensorView },
  totalWeight: number,
): void {
  assertTotalWeight(totalWeight);
  backend.elementwise(divideByScalar, [views.sum], [Math.fround(totalWeight)], [views.out]);
}

/** @throws {ValueError} E_NO_WEIGHT when the weights of all micro-batches of a step add up to 0. @source none: ours. */
export function assertTotalWeight(totalWeight: number): void {
  if (totalWeight > 0) return;
  throw new ValueError(
    `treeSum: the weights of all micro-batches add up to ${totalWeight}; at least one sample or token of a step must be trained on. Check ignored targets and padding.`,
    { totalWeight },
    "E_NO_WEIGHT",
  );
}
