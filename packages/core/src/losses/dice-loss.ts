import { ShapeError } from "../errors.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { sum } from "../ops/expand-sum.js";
import { permute } from "../ops/permute.js";
import { reshape } from "../ops/reshape.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { assertAlike, assertElements, assertOption } from "./loss-checks.js";
import type { LossSum } from "./loss-sum.js";

export interface DiceOptions {
  /** Added to both sides of each ratio, > 0: what is empty and found to be empty costs nothing. Default 1. */
  readonly smooth?: number;
  /** One ratio a class over all samples of the micro-batch, instead of one a sample and class. Default false. */
  readonly isOverBatch?: boolean;
}

/**
 * Dice loss of segmentations: how little prediction and target overlap.
 *
 *   sum    = sum over samples and classes of 1 - ( 2 * sum of p t + smooth ) / ( sum of p + sum of t + smooth )
 *   weight = B C
 *
 * where the inner sums run over positions. With `isOverBatch` they run over the samples too, and the weight is C: then the loss is not additive
 * over samples, but defined on one micro-batch, whose size is a part of its meaning.
 *
 * @shape probabilities, targets of one shape [B, C, ...] (targets f32 in 0..1, one-hot over classes) -> scalar
 * @throws {ShapeError} E_SHAPE if the shapes differ or have fewer than 2 dims. {DTypeError} E_DTYPE unless both are f32. {ValueError}
 *   E_TARGET_RANGE with the first target outside of 0..1; E_VALUE unless smooth > 0.
 * @source Milletari et al. 2016 (V-Net), with plain sums in the denominator; MONAI's DiceLoss. PyTorch has none.
 * @example
 * losses.diceLoss(tensor([[[1, 0, 0]]]), tensor([[[1, 1, 0]]])).sum.itemSync(); // => 0.25
 */
export function diceLoss(probabilities: Tensor, targets: Tensor, options: DiceOptions = {}): LossSum {
  const { smooth = 1, isOverBatch = false } = options;
  assertAlike("diceLoss", { probabilities, targets });
  assertOption("diceLoss", ["smooth", smooth], "> 0");
  if (probabilities.numDims < 2) {
    throw new ShapeError(
      `diceLoss: probabilities are ${formatShape(probabilities.shape)}; they must be [B, C, ...]: samples, classes, positions.`,
      { probabilities: probabilities.shape },
    );
  }
  assertElements("diceLoss", ["the target", targets], {
    rule: "in 0..1",
    holds: (value) => value >= 0 && value <= 1,
  });
  const [p, t] = [probabilities, targets].map((x) => regions(x, isOverBatch)) as [Tensor, Tensor]; // [ratios, positions]
  const overlap = add(mul(sum(mul(p, t), -1), 2), smooth);
  const total = add(add(sum(p, -1), sum(t, -1)), smooth);
  return { sum: sum(sub(1, div(overlap, total))), weight: p.shape[0]! };
}

/** [B, C, ...] -> [B C, positions], or [C, B positions]. */
function regions(x: Tensor, isOverBatch: boolean): Tensor {
  const [numSamples, numClasses, ...dims] = x.shape as [number, number, ...number[]];
  const numPositions = dims.reduce((a, b) => a * b, 1);
  const planes = reshape(x, [numSamples, numClasses, numPositions]);
  if (isOverBatch) return reshape(permute(planes, [1, 0, 2]), [numClasses, numSamples * numPositions]);
  return reshape(planes, [numSamples * numClasses, numPositions]);
}
