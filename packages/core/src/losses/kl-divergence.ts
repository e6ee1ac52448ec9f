import { klLogTerms, klTerms } from "../ops/elementwise-losses.js";
import { sum } from "../ops/expand-sum.js";
import type { Tensor } from "../tensor/tensor.js";
import { classRows } from "./class-targets.js";
import { assertAlike, assertElements } from "./loss-checks.js";
import type { LossSum } from "./loss-sum.js";

export interface KlDivergenceOptions {
  /** The target holds logarithms of probabilities. Default false. */
  readonly logTarget?: boolean;
}

/**
 * Kullback-Leibler divergence of distributions over the last dim, from `logProbs` to `target`.
 *
 *   sum    = sum of target * ( log(target) - logProbs ), 0 where the target is 0
 *   weight = number of distributions: all dims but the last
 *
 * @shape logProbs, target of one shape [..., C] -> scalar
 * @throws {ShapeError} E_SHAPE if the shapes differ. {DTypeError} E_DTYPE unless both are f32. {ValueError} E_TARGET_RANGE with the first
 *   negative target.
 * @source torch.nn.functional.kl_div(reduction="sum"); of two dims sum / weight is its "batchmean", not its "mean", which divides by
 *   elements. Kullback and Leibler 1951.
 * @example
 * losses.klDivergence(tensor([[0.5, 0.5]]).log(), tensor([[1, 0]])).sum.itemSync(); // => 0.6931471824645996
 */
export function klDivergence(
  logProbs: Tensor,
  target: Tensor,
  { logTarget = false }: KlDivergenceOptions = {},
): LossSum {
  assertAlike("klDivergence", { logProbs, target });
  const weight = classRows("klDivergence", logProbs).shape[0]!;
  if (logTarget) return { sum: sum(klLogTerms(logProbs, target)), weight };
  assertElements("klDivergence", ["the target", target], { rule: ">= 0", holds: (value) => value >= 0 });
  return { sum: sum(klTerms(logProbs, target)), weight };
}
