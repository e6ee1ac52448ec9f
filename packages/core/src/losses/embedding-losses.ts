/** @file Losses of pairs and triplets of vectors along the last dim. Legend: D length of a vector. */

import { ShapeError, ValueError } from "../errors.js";
import { relu } from "../ops/activations.js";
import { minimum, mul, square, sub } from "../ops/arithmetic.js";
import { where as choose, lt } from "../ops/compare.js";
import { sum } from "../ops/expand-sum.js";
import { formatShape, shapesEqual } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { assertAlike, assertOption, signLabels } from "./loss-checks.js";
import type { LossSum } from "./loss-sum.js";
import { rowCosine, rowDistance } from "./row-distance.js";

function assertVectors(where: string, named: Readonly<Record<string, Tensor>>): number {
  assertAlike(where, named);
  const [[name, { shape }]] = Object.entries(named) as [[string, Tensor]];
  if (shape.length === 0 || shape[shape.length - 1] === 0) {
    throw new ShapeError(`${where}: ${name} is ${formatShape(shape)}; it must be [..., D], D at least 1.`, {
      [name]: shape,
    });
  }
  return shape.slice(0, -1).reduce((a, b) => a * b, 1);
}

function pairSigns(where: string, x: Tensor, labels: Tensor): Tensor {
  if (!shapesEqual(labels.shape, x.shape.slice(0, -1))) {
    throw new ShapeError(
      `${where}: the vectors are ${formatShape(x.shape)} and labels ${formatShape(labels.shape)}; labels must have the leading dims of the vectors.`,
      { x: x.shape, labels: labels.shape },
    );
  }
  return signLabels(where, labels);
}

export interface CosineEmbeddingOptions {
  /** In -1..1: the cosine up to which a pair that does not belong together costs nothing. Default 0. */
  readonly margin?: number;
}

/**
 * Vectors that belong together (label 1) shall point the same way, others (label -1) shall not.
 *
 *   sum    = sum of ( label 1: 1 - cos(x, y), label -1: max(0, cos(x, y) - margin) )
 *   weight = number of pairs
 *
 * @shape x, y of one shape [..., D], labels [...] 1 or -1 (i32 or f32) -> scalar
 * @numerics 1e-12 is added to each squared length: the cosine of a vector of zeros is 0.
 * @throws {ShapeError} E_SHAPE; {DTypeError} E_DTYPE; {ValueError} E_TARGET_RANGE with the first label that is neither 1 nor -1, E_VALUE for
 *   a margin outside of -1..1.
 * @source torch.nn.functional.cosine_embedding_loss(reduction="sum").
 * @example
 * losses.cosineEmbeddingLoss(tensor([[3, 4]]), tensor([[4, -3]]), tensor([1])).sum.itemSync(); // => 1
 */
export function cosineEmbeddingLoss(
  x: Tensor,
  y: Tensor,
  labels: Tensor,
  { margin = 0 }: CosineEmbeddingOptions = {},
): LossSum {
  const where = "cosineEmbeddingLoss";
  const weight = assertVectors(where, { x, y });
  const signs = pairSigns(where, x, labels);
  if (!(margin >= -1 && margin <= 1)) {
    throw new ValueError(`${where}: margin is ${margin}; it must be in -1..1.`, { margin });
  }
  const cosine = rowCosine(x, y);
  return { sum: sum(choose(lt(signs, 0), relu(sub(cosine, margin)), sub(1, cosine))), weight };
}

export interface ContrastiveOptions {
  /** Distance from which on a pair that does not belong together costs nothing, >= 0. Default 1. */
  readonly margin?: number;
}

/**
 * Vectors that belong together (label 1) shall be near, others (label -1) at least `margin` apart. With d = |x - y|:
 *
 *   sum    = sum of ( label 1: d^2 / 2, label -1: max(0, margin - d)^2 / 2 )
 *   weight = number of pairs
 *
 * @shape x, y of one shape [..., D], labels [...] 1 or -1 (i32 or f32) -> scalar
 * @numerics The gradient at distance 0 is 0.
 * @throws {ShapeError} E_SHAPE; {DTypeError} E_DTYPE; {ValueError} E_TARGET_RANGE with the first label that is neither 1 nor -1, E_VALUE for
 *   a negative margin.
 * @source Hadsell, Chopra and LeCun 2006, equation 4, whose Y is 0 for pairs that belong together. PyTorch has none.
 * @example
 * losses.contrastiveLoss(tensor([[3, 4]]), tensor([[0, 0]]), tensor([1])).sum.itemSync(); // => 12.5
 */
export function contrastiveLoss(
  x: Tensor,
  y: Tensor,
  labels: Tensor,
  { margin = 1 }: ContrastiveOptions = {},
): LossSum {
  const weight = assertVectors("contrastiveLoss", { x, y });
  const signs = pairSigns("contrastiveLoss", x, labels);
  assertOption("contrastiveLoss", ["margin", margin], ">= 0");
  const distance = rowDistance(x, y, { p: 2, eps: 0 });
  const near = sum(square(sub(x, y)), -1);
  const apart = square(relu(sub(margin, distance)));
  return { sum: mul(sum(choose(lt(signs, 0), apart, near)), 0.5), weight };
}

export interface TripletMarginOptions {
  /** By how much the negative must be farther away than the positive, >= 0. Default 1. */
  readonly margin?: number;
  /** Norm of the distances, 1..Infinity. Default 2. */
  readonly p?: number;
  /** Added to every difference, so that no distance is 0. Default 1e-6. */
  readonly eps?: number;
  /** Measures the negative from the positive where that is nearer than from the anchor. Default false. */
  readonly swap?: boolean;
}

/**
 * The positive shall be nearer to the anchor than the negative is.
 *
 *   sum    = sum of max(0, margin + |anchor - positive + eps|_p - |anchor - negative + eps|_p)
 *   weight = number of triplets
 *
 * @shape anchor, positive, negative of one shape [..., D] -> scalar
 * @throws {ShapeError} E_SHAPE if the shapes differ. {DTypeError} E_DTYPE unless all are f32. {ValueError} E_VALUE for a negative margin or
 *   eps, or a p below 1.
 * @source torch.nn.functional.triplet_margin_loss(reduction="sum"); Balntas et al. 2016 for `swap`.
 * @example
 * losses.tripletMarginLoss(tensor([[0]]), tensor([[1]]), tensor([[3]]), { margin: 4 }).sum.itemSync(); // => 2
 */
export function tripletMarginLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  { margin = 1, p = 2, eps = 1e-6, swap = false }: TripletMarginOptions = {},
): LossSum {
  const where = "tripletMarginLoss";
  const weight = assertVectors(where, { anchor, positive, negative });
  assertOption(where, ["margin", margin], ">= 0");
  assertOption(where, ["eps", eps], ">= 0");
  if (!(p >= 1)) throw new ValueError(`${where}: p is ${p}; it must be a number >= 1, or Infinity.`, { p });
  const near = rowDistance(anchor, positive, { p, eps });
  const fromAnchor = rowDistance(anchor, negative, { p, eps });
  const far = swap ? minimum(fromAnchor, rowDistance(positive, negative, { p, eps })) : fromAnchor;
  return { sum: sum(relu(sub(near, sub(far, margin)))), weight };
}
