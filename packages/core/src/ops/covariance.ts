/** @file Covariances and correlations of rows. */
import { ShapeError } from "../errors.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { div, sub } from "./arithmetic.js";
import { clip } from "./compare.js";
import { diag } from "./diagonal.js";
import { outer } from "./grid.js";
import { sqrt } from "./math.js";
import { matmul } from "./matmul.js";
import { transpose } from "./permute.js";
import { mean } from "./reduce.js";

export interface CovarianceOptions {
  /** Sums are divided by count - correction. Default 1. */
  readonly correction?: number;
}

/**
 * How rows vary together: each row a variable, each column an observation.
 * @shape x [variables, observations] -> [variables, variables]
 * @throws {ShapeError} E_SHAPE unless x has two dims and more than `correction` columns.
 * @source numpy.cov
 */
export function cov(x: Tensor, { correction = 1 }: CovarianceOptions = {}): Tensor {
  if (x.numDims !== 2 || x.shape[1]! <= correction) {
    throw new ShapeError(
      `cov: x is ${formatShape(x.shape)} and correction ${correction}; x must have two dims, and more columns than the correction.`,
      { x: x.shape, correction },
    );
  }
  const centred = sub(x, mean(x, 1, { keepDims: true }));
  return div(matmul(centred, transpose(centred)), x.shape[1]! - correction);
}

/** Covariances divided by both standard deviations: in -1..1. @shape x [variables, observations] -> [variables, variables] @throws as `cov` @source numpy.corrcoef */
export function corrCoef(x: Tensor): Tensor {
  const together = cov(x);
  const deviations = sqrt(diag(together));
  // Rounding may leave 1.0000001.
  return clip(div(together, outer(deviations, deviations)), -1, 1);
}
