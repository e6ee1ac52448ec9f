/** @file Lengths and angles of vectors along the last dim, with gradients that stay finite where a vector is 0. */
import { abs, add, div, maximum, mul, square, sub } from "../ops/arithmetic.js";
import { where as choose, eq } from "../ops/compare.js";
import { sum } from "../ops/expand-sum.js";
import { pow, sqrt } from "../ops/math.js";
import { max } from "../ops/reduce.js";
import { reshape } from "../ops/reshape.js";
import type { Tensor } from "../tensor/tensor.js";

/** |d|_p along the last dim, p in 1..Infinity; where it is 0 its gradient is 0. [..., D] -> [...] */
function rowNorm(d: Tensor, p: number): Tensor {
  if (p === 1) return sum(abs(d), -1);
  if (p === Number.POSITIVE_INFINITY) return max(abs(d), -1);
  const total = sum(p === 2 ? square(d) : absPower(d, p), -1);
  const isZero = eq(total, 0);
  const safe = choose(isZero, 1, total); // the root's derivative at 0 is infinite
  const root = p === 2 ? sqrt(safe) : pow(safe, 1 / p);
  return choose(isZero, 0, root);
}

/** |x|^p; at 0 it and its derivative are 0. */
function absPower(x: Tensor, p: number): Tensor {
  const isZero = eq(x, 0);
  return choose(isZero, 0, pow(choose(isZero, 1, abs(x)), p));
}

/** |x - y + eps|_p along the last dim. @source torch.nn.functional.pairwise_distance */
export function rowDistance(x: Tensor, y: Tensor, { p, eps }: { readonly p: number; readonly eps: number }): Tensor {
  const d = sub(x, y);
  return rowNorm(eps === 0 ? d : add(d, eps), p);
}

/** Rows divided by their lengths; a row of zeros stays one. [N, D] -> [N, D] @source torch.nn.functional.normalize */
export function unitRows(x: Tensor): Tensor {
  const length = maximum(rowNorm(x, 2), 1e-12); // [N]
  return div(x, reshape(length, [-1, 1]));
}

/** Cosine of the angle of each pair. @source torch.nn.functional.cosine_embedding_loss, which adds its 1e-12 to the squares */
export function rowCosine(x: Tensor, y: Tensor): Tensor {
  const squares = mul(add(sum(square(x), -1), 1e-12), add(sum(square(y), -1), 1e-12));
  return div(sum(mul(x, y), -1), sqrt(squares));
}
