import { square, sub } from "../ops/arithmetic.js";
import { sum } from "../ops/expand-sum.js";
import type { Tensor } from "../tensor/tensor.js";
import { assertAlike } from "./loss-checks.js";
import type { LossSum } from "./loss-sum.js";

/**
 * Squared error: sum = sum of (prediction - target)^2, weight = number of elements.
 *
 * @shape prediction, target of one shape -> scalar
 * @throws {ShapeError} E_SHAPE if the shapes differ (no broadcasting: it hides mistakes). {DTypeError} E_DTYPE unless both are f32.
 * @source torch.nn.functional.mse_loss(reduction="sum").
 * @example
 * losses.mseLoss(tensor([1, 2]), tensor([0, 4])).sum.itemSync(); // => 5
 */
export function mseLoss(prediction: Tensor, target: Tensor): LossSum {
  assertAlike("mseLoss", { prediction, target });
  return { sum: sum(square(sub(prediction, target))), weight: prediction.size };
}
