/** @file Cross-entropies of independent yes-or-no targets. */
import { customGrad } from "../autograd/custom-grad.js";
import { withBackend } from "../backend/current-backend.js";
import { ShapeError } from "../errors.js";
import { add, div, maximum, mul, neg, sub } from "../ops/arithmetic.js";
import { binaryCrossEntropyTerms } from "../ops/binary-cross-entropy.js";
import { weightedBinaryCrossEntropyTerms } from "../ops/elementwise-losses.js";
import { sum } from "../ops/expand-sum.js";
import { log } from "../ops/math.js";
import { tensor } from "../tensor/create.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { assertAlike, assertElements, assertFloats, assertOption } from "./loss-checks.js";
import type { LossSum } from "./loss-sum.js";

export interface BinaryCrossEntropyOptions {
  /** Multiplies the loss of the part that is positive: a number, a list for the last dim, or a tensor that broadcasts. Default 1. */
  readonly posWeight?: number | readonly number[] | Tensor;
}

/**
 * Cross-entropy of independent yes-or-no targets under a sigmoid.
 *
 *   sum    = sum of ( posWeight * target * log(1 + e^-x) + (1 - target) * log(1 + e^x) ), x the logit
 *   weight = number of elements
 *
 * @shape logits, targets of one shape, targets in [0, 1] -> scalar
 * @numerics Without overflow for logits of any size.
 * @throws {ShapeError} E_SHAPE if the shapes differ (no broadcasting: it hides mistakes), or posWeight does not broadcast to them.
 *   {DTypeError} E_DTYPE unless all are f32. {ValueError} E_VALUE for a negative posWeight.
 * @source torch.nn.functional.binary_cross_entropy_with_logits(pos_weight, reduction="sum").
 * @example
 * losses.binaryCrossEntropyWithLogits(tensor([0, 0]), tensor([0, 1])).sum.itemSync(); // => 1.3862943649291992
 */
export function binaryCrossEntropyWithLogits(
  logits: Tensor,
  targets: Tensor,
  { posWeight }: BinaryCrossEntropyOptions = {},
): LossSum {
  const where = "binaryCrossEntropyWithLogits";
  assertAlike(where, { logits, targets });
  const terms =
    posWeight === undefined
      ? binaryCrossEntropyTerms(logits, targets)
      : weightedBinaryCrossEntropyTerms(logits, targets, checkedPosWeight(where, logits, posWeight));
  return { sum: sum(terms), weight: logits.size };
}

function checkedPosWeight(
  where: string,
  logits: Tensor,
  posWeight: NonNullable<BinaryCrossEntropyOptions["posWeight"]>,
): Tensor | number {
  if (typeof posWeight === "number") {
    assertOption(where, ["posWeight", posWeight], ">= 0");
    return posWeight;
  }
  for (const [i, value] of "shape" in posWeight ? [] : posWeight.entries())
    assertOption(where, [`posWeight[${i}]`, value], ">= 0");
  const weights = "shape" in posWeight ? posWeight : withBackend(logits.backend, () => tensor([...posWeight]));
  assertFloats(where, { posWeight: weights });
  const fits = weights.shape.every((size, i) => {
    const wanted = logits.shape[logits.numDims - weights.numDims + i];
    return size === 1 || size === wanted;
  });
  if (!fits || weights.numDims > logits.numDims) {
    throw new ShapeError(
      `${where}: posWeight is ${formatShape(weights.shape)}, but logits are ${formatShape(logits.shape)}; it must broadcast to them: one weight for each place of the last dim, say.`,
      { posWeight: weights.shape, logits: logits.shape },
    );
  }
  return weights.detach();
}

/** Below this the gradient's denominator p (1 - p) does not go; PyTorch's number. */
const smallestVariance = 1e-12;
/** No logarithm counts as less than this; PyTorch's number. */
const smallestLog = -100;

/** log(p), at least -100. */
function boundedLog(p: Tensor): Tensor {
  return maximum(log(p), smallestLog);
}

/**
 * Cross-entropy of independent yes-or-no targets, of probabilities. Where there are logits, binaryCrossEntropyWithLogits keeps more digits.
 *
 *   sum    = sum of -( target * log(p) + (1 - target) * log(1 - p) ), each logarithm at least -100
 *   weight = number of elements
 *
 * @shape probabilities, targets of one shape, both in [0, 1] -> scalar
 * @numerics The gradient is (p - target) / max(p (1 - p), 1e-12): finite at 0 and 1.
 * @throws {ShapeError} E_SHAPE if the shapes differ. {DTypeError} E_DTYPE unless both are f32. {ValueError} E_TARGET_RANGE with the first
 *   probability or target outside of [0, 1].
 * @source torch.nn.functional.binary_cross_entropy(reduction="sum"), with its two bounds.
 * @example
 * losses.binaryCrossEntropy(tensor([0.5, 1]), tensor([1, 1])).sum.itemSync(); // => 0.6931471824645996
 */
export function binaryCrossEntropy(probabilities: Tensor, targets: Tensor): LossSum {
  const where = "binaryCrossEntropy";
  assertAlike(where, { probabilities, targets });
  const inside = { rule: "in [0, 1]", holds: (value: number) => value >= 0 && value <= 1 };
  assertElements(where, ["the probability", probabilities], inside);
  assertElements(where, ["the target", targets], inside);
  const wantsTargets = targets.requiresGrad;
  const terms = customGrad(
    (p, t) => neg(add(mul(t, boundedLog(p)), mul(sub(1, t), boundedLog(sub(1, p))))),
    (cotangent, { inputs: [p, t] }) => {
      const variance = maximum(mul(p!, sub(1, p!)), smallestVariance);
      const dTargets = () => mul(cotangent, sub(boundedLog(sub(1, p!)), boundedLog(p!)));
      return [mul(cotangent, div(sub(p!, t!), variance)), wantsTargets ? dTargets() : undefined];
    },
  );
  return { sum: sum(terms(probabilities, targets)), weight: probabilities.size };
}
