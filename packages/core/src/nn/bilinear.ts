import { ShapeError } from "../errors.js";
import { mul } from "../ops/arithmetic.js";
import { type CosineSimilarityOptions, cosineSimilarity } from "../ops/cosine-similarity.js";
import { linear } from "../ops/linear.js";
import { reshape, unsqueeze } from "../ops/reshape.js";
import { formatShape, shapesEqual } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { uniformParameter } from "./init.js";
import { assertSizes, type LinearOptions } from "./linear.js";
import { Module } from "./module.js";
import type { Parameter } from "./parameter.js";

export interface BilinearSizes {
  readonly leftDim: number;
  readonly rightDim: number;
  readonly outDim: number;
}

/**
 * out[o] = x^T W[o] y + b[o].
 *
 * @shape x [..., leftDim], y [..., rightDim] -> [..., outDim]; weight [outDim, leftDim, rightDim], bias [outDim]
 * @throws {ValueError} E_LAYER for a bad size. {ShapeError} E_SHAPE for other inputs.
 * @source torch.nn.Bilinear, its initial weights too: uniform in +-1/sqrt(leftDim). Deviation: sizes by name.
 */
export class Bilinear extends Module {
  weight: Parameter;
  bias: Parameter | undefined;

  constructor({ leftDim, rightDim, outDim }: BilinearSizes, { bias = true }: LinearOptions = {}) {
    super();
    assertSizes("Bilinear", { leftDim, rightDim, outDim });
    const bound = 1 / Math.sqrt(leftDim);
    this.weight = uniformParameter([outDim, leftDim, rightDim], bound);
    this.bias = bias ? uniformParameter([outDim], bound) : undefined;
  }

  forward(x: Tensor, y: Tensor): Tensor {
    const [outDim, leftDim, rightDim] = this.weight.shape as [number, number, number];
    const rows = x.shape.slice(0, -1);
    if (x.shape.at(-1) !== leftDim || y.shape.at(-1) !== rightDim || !shapesEqual(rows, y.shape.slice(0, -1))) {
      throw new ShapeError(
        `Bilinear: x is ${formatShape(x.shape)} and y ${formatShape(y.shape)}; they must be [...,${leftDim}] and [...,${rightDim}] with the same leading dims.`,
        { x: x.shape, y: y.shape },
      );
    }
    const products = mul(unsqueeze(x, x.numDims), unsqueeze(y, y.numDims - 1)); // [..., leftDim, rightDim]
    const flat = reshape(products, [...rows, leftDim * rightDim]);
    return linear(flat, reshape(this.weight, [outDim, leftDim * rightDim]), this.bias);
  }
}

/** x . y / (max(|x|, eps) max(|y|, eps)) along an axis, 1 unless given. @shape x, y [..., n, ...] -> without the axis @source torch.nn.CosineSimilarity */
export class CosineSimilarity extends Module {
  readonly options: CosineSimilarityOptions;

  constructor(options: CosineSimilarityOptions = {}) {
    super();
    this.options = options;
  }

  forward(x: Tensor, y: Tensor): Tensor {
    return cosineSimilarity(x, y, this.options);
  }
}
