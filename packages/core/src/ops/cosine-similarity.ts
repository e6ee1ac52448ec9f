import { ValueError } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";
import { div, maximum, mul, square } from "./arithmetic.js";
import { sum } from "./expand-sum.js";
import { sqrt } from "./math.js";

export interface CosineSimilarityOptions {
  /** Default 1. */
  readonly axis?: number;
  /** Least length. Default 1e-8. */
  readonly eps?: number;
}

/**
 * The cosine of the angle between vectors: x . y / (max(|x|, eps) max(|y|, eps)).
 *
 * @shape x, y [..., n, ...], broadcast against each other -> without the axis
 * @throws {ValueError} E_VALUE unless eps is above 0.
 * @source torch.nn.functional.cosine_similarity as of 1.13, where eps is the least of each length. Deviation: a length below
 *   eps is a constant for the gradient, too
 * @example
 * cosineSimilarity(tensor([[1, 0], [3, 4]]), tensor([[5, 0], [4, 3]])).toArraySync(); // => [1, 0.9599999785423279]
 */
export function cosineSimilarity(x: Tensor, y: Tensor, { axis = 1, eps = 1e-8 }: CosineSimilarityOptions = {}): Tensor {
  if (!(eps > 0)) throw new ValueError(`cosineSimilarity: eps is ${eps}; it must be above 0.`, { eps });
  const lengthOf = (vectors: Tensor) => sqrt(maximum(sum(square(vectors), axis), eps * eps));
  return div(sum(mul(x, y), axis), mul(lengthOf(x), lengthOf(y)));
}
