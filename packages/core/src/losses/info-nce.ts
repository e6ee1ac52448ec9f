/**
 * @file Contrastive losses over a batch: each row has its partner, and all other rows of the micro-batch are what it must be told from.
 * They are not additive over samples: they are defined on one micro-batch, whose size is fixed by the job. Legend: B rows, D length.
 */

import { ShapeError } from "../errors.js";
import { div } from "../ops/arithmetic.js";
import { eq } from "../ops/compare.js";
import { concat } from "../ops/concat.js";
import { crossEntropyRows } from "../ops/cross-entropy.js";
import { sum } from "../ops/expand-sum.js";
import { maskedFill } from "../ops/masks.js";
import { matmul } from "../ops/matmul.js";
import { transpose } from "../ops/permute.js";
import { reshape } from "../ops/reshape.js";
import { countBeside, indicesBeside } from "../ops/wrap-indices.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { assertAlike, assertOption } from "./loss-checks.js";
import type { LossSum } from "./loss-sum.js";
import { unitRows } from "./row-distance.js";

function assertPairs(where: string, named: Readonly<Record<string, Tensor>>): number {
  assertAlike(where, named);
  const [[name, { shape }]] = Object.entries(named) as [[string, Tensor]];
  if (shape.length !== 2 || shape[0]! < 2 || shape[1] === 0) {
    throw new ShapeError(
      `${where}: ${name} is ${formatShape(shape)}; it must be [B, D] with B at least 2: a row is told from the others of its micro-batch.`,
      { [name]: shape },
    );
  }
  return shape[0]!;
}

export interface InfoNceOptions {
  /** Similarities are divided by it, > 0. Default 0.1. */
  readonly temperature?: number;
  /** Divides rows by their lengths first, so that similarities are cosines. Default true. */
  readonly normalize?: boolean;
}

/**
 * InfoNCE: query i shall be more similar to key i than to the other keys of its micro-batch.
 *
 *   sum    = sum over i of -log( exp(q_i k_i / temperature) / sum over j of exp(q_i k_j / temperature) )
 *   weight = B
 *
 * Not additive over samples: defined on one micro-batch, whose size is a part of its meaning.
 *
 * @shape queries, keys of one shape [B, D], B at least 2 -> scalar
 * @throws {ShapeError} E_SHAPE if the shapes differ, or there are fewer than 2 rows. {DTypeError} E_DTYPE unless both are f32. {ValueError}
 *   E_VALUE unless temperature > 0.
 * @source van den Oord et al. 2018, equation 4; the mean of both directions is CLIP's loss (Radford et al. 2021). PyTorch has none.
 * @example
 * losses.infoNce(tensor([[1, 0], [1, 0]]), tensor([[0, 1], [0, 1]])).sum.itemSync(); // => 1.3862943649291992
 */
export function infoNce(queries: Tensor, keys: Tensor, options: InfoNceOptions = {}): LossSum {
  const { temperature = 0.1, normalize = true } = options;
  const numRows = assertPairs("infoNce", { queries, keys });
  assertOption("infoNce", ["temperature", temperature], "> 0");
  const [q, k] = normalize ? [unitRows(queries), unitRows(keys)] : [queries, keys];
  const logits = div(matmul(q, transpose(k)), temperature); // [B, B]
  return { sum: sum(crossEntropyRows(logits, countBeside(logits, numRows)).losses), weight: numRows };
}

export interface NtXentOptions {
  /** Cosines are divided by it, > 0. Default 0.5. */
  readonly temperature?: number;
}

/**
 * NT-Xent: of the 2 B views of a micro-batch each shall be most similar, by cosine, to the other view of its sample.
 *
 *   sum    = sum over the 2 B views of -log( exp(cos(z_i, partner) / temperature) / sum over j != i of exp(cos(z_i, z_j) / temperature) )
 *   weight = 2 B
 *
 * Not additive over samples: defined on one micro-batch, whose size is a part of its meaning.
 *
 * @shape x, y of one shape [B, D], row i of both made of one sample, B at least 2 -> scalar
 * @throws {ShapeError} E_SHAPE if the shapes differ, or there are fewer than 2 rows. {DTypeError} E_DTYPE unless both are f32. {ValueError}
 *   E_VALUE unless temperature > 0.
 * @source Chen et al. 2020 (SimCLR), equation 1. PyTorch has none.
 * @example
 * losses.ntXent(tensor([[1, 0], [1, 0]]), tensor([[1, 0], [1, 0]])).sum.itemSync(); // => 4.394449234008789
 */
export function ntXent(x: Tensor, y: Tensor, { temperature = 0.5 }: NtXentOptions = {}): LossSum {
  const numPairs = assertPairs("ntXent", { x, y });
  assertOption("ntXent", ["temperature", temperature], "> 0");
  const z = unitRows(concat([x, y], 0)); // [2 B, D]
  const numViews = 2 * numPairs;
  const logits = div(matmul(z, transpose(z)), temperature); // [2 B, 2 B]
  const isSelf = eq(countBeside(z, numViews), reshape(countBeside(z, numViews), [numViews, 1]));
  const partners = indicesBeside(
    z,
    Int32Array.from({ length: numViews }, (_, i) => (i + numPairs) % numViews),
  );
  const rows = crossEntropyRows(maskedFill(logits, isSelf, Number.NEGATIVE_INFINITY), partners);
  return { sum: sum(rows.losses), weight: numViews };
}
