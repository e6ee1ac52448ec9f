/** @file Losses of labels that are 1 or -1. */

import { relu } from "../ops/activations.js";
import { add, mul, square, sub } from "../ops/arithmetic.js";
import { binaryCrossEntropyTerms } from "../ops/binary-cross-entropy.js";
import { where as choose, lt } from "../ops/compare.js";
import { sum } from "../ops/expand-sum.js";
import type { Tensor } from "../tensor/tensor.js";
import { assertAlike, assertFloats, assertOption, assertSameShape, signLabels } from "./loss-checks.js";
import type { LossSum } from "./loss-sum.js";

export interface HingeOptions {
  /** How far on its side a score must be to cost nothing, >= 0. Default 1. */
  readonly margin?: number;
  /** Squares each term. Default false. */
  readonly isSquared?: boolean;
}

/**
 * Hinge loss: sum = sum of max(0, margin - label * score), squared on demand; weight = number of elements.
 *
 * @shape scores, labels of one shape, labels 1 or -1 (i32 or f32) -> scalar
 * @throws {ShapeError} E_SHAPE if the shapes differ. {DTypeError} E_DTYPE. {ValueError} E_TARGET_RANGE with the first label that is neither
 *   1 nor -1; E_VALUE for a negative margin.
 * @source Rosasco et al. 2004; Keras' Hinge and SquaredHinge. PyTorch has none.
 * @example
 * losses.hingeLoss(tensor([0.5, -2]), tensor([1, -1], { dtype: "i32" })).sum.itemSync(); // => 0.5
 */
export function hingeLoss(scores: Tensor, labels: Tensor, options: HingeOptions = {}): LossSum {
  const { margin = 1, isSquared = false } = options;
  const signs = checkedSigns("hingeLoss", { scores, labels });
  assertOption("hingeLoss", ["margin", margin], ">= 0");
  const terms = relu(sub(margin, mul(scores, signs)));
  return { sum: sum(isSquared ? square(terms) : terms), weight: scores.size };
}

/**
 * Logistic loss of labels 1 and -1: sum = sum of log(1 + e^(-label * score)), weight = number of elements.
 *
 * @shape scores, labels of one shape, labels 1 or -1 (i32 or f32) -> scalar
 * @numerics Without overflow for scores of any size.
 * @throws {ShapeError} E_SHAPE if the shapes differ. {DTypeError} E_DTYPE. {ValueError} E_TARGET_RANGE with the first label that is neither
 *   1 nor -1.
 * @source torch.nn.functional.soft_margin_loss(reduction="sum").
 * @example
 * losses.softMarginLoss(tensor([0]), tensor([-1])).sum.itemSync(); // => 0.6931471824645996
 */
export function softMarginLoss(scores: Tensor, labels: Tensor): LossSum {
  const signs = checkedSigns("softMarginLoss", { scores, labels });
  const targets = mul(add(signs, 1), 0.5);
  return { sum: sum(binaryCrossEntropyTerms(scores, targets)), weight: scores.size };
}

export interface MarginOptions {
  /** Default: see the loss. */
  readonly margin?: number;
}

/**
 * Distances of pairs that belong together (label 1) shall be small, those of others (label -1) at least `margin`.
 *
 *   sum    = sum of ( label 1: distance, label -1: max(0, margin - distance) )
 *   weight = number of elements
 *
 * @shape distances, labels of one shape, labels 1 or -1 (i32 or f32) -> scalar. margin >= 0, default 1
 * @throws {ShapeError} E_SHAPE if the shapes differ. {DTypeError} E_DTYPE. {ValueError} E_TARGET_RANGE with the first label that is neither
 *   1 nor -1; E_VALUE for a negative margin.
 * @source torch.nn.functional.hinge_embedding_loss(reduction="sum").
 * @example
 * losses.hingeEmbeddingLoss(tensor([0.25, 0.25]), tensor([1, -1])).sum.itemSync(); // => 1
 */
export function hingeEmbeddingLoss(distances: Tensor, labels: Tensor, { margin = 1 }: MarginOptions = {}): LossSum {
  const signs = checkedSigns("hingeEmbeddingLoss", { distances, labels });
  assertOption("hingeEmbeddingLoss", ["margin", margin], ">= 0");
  return { sum: sum(choose(lt(signs, 0), relu(sub(margin, distances)), distances)), weight: distances.size };
}

/**
 * Of two scores the one that the label names shall be the larger by `margin`: x for 1, y for -1.
 *
 *   sum    = sum of max(0, margin - label * (x - y))
 *   weight = number of elements
 *
 * @shape x, y, labels of one shape, labels 1 or -1 (i32 or f32) -> scalar. margin >= 0, default 0
 * @throws {ShapeError} E_SHAPE if the shapes differ. {DTypeError} E_DTYPE. {ValueError} E_TARGET_RANGE with the first label that is neither
 *   1 nor -1; E_VALUE for a negative margin.
 * @source torch.nn.functional.margin_ranking_loss(reduction="sum").
 * @example
 * losses.marginRankingLoss(tensor([1]), tensor([3]), tensor([1])).sum.itemSync(); // => 2
 */
export function marginRankingLoss(x: Tensor, y: Tensor, labels: Tensor, { margin = 0 }: MarginOptions = {}): LossSum {
  assertAlike("marginRankingLoss", { x, y });
  const signs = checkedSigns("marginRankingLoss", { x, labels });
  assertOption("marginRankingLoss", ["margin", margin], ">= 0");
  return { sum: sum(relu(sub(margin, mul(signs, sub(x, y))))), weight: x.size };
}

function checkedSigns(where: string, named: { readonly labels: Tensor } & Readonly<Record<string, Tensor>>): Tensor {
  const { labels, ...scores } = named;
  assertFloats(where, scores as Readonly<Record<string, Tensor>>);
  assertSameShape(where, { ...(scores as Readonly<Record<string, Tensor>>), labels });
  return signLabels(where, labels);
}
