import { embedding } from "../ops/embedding.js";
import type { Tensor } from "../tensor/tensor.js";
import { normalParameter } from "./init.js";
import { assertSizes } from "./linear.js";
import { Module } from "./module.js";
import type { Parameter } from "./parameter.js";

/**
 * Rows of a table by number.
 *
 * @shape ids [...] i32 -> [..., embedDim]; weight [numRows, embedDim]
 * @throws {ValueError} E_LAYER when a size is not a whole number of at least 1.
 * @source torch.nn.Embedding, its initial weights too: N(0, 1).
 */
export class Embedding extends Module {
  weight: Parameter;

  constructor(numRows: number, embedDim: number) {
    super();
    assertSizes("Embedding", { numRows, embedDim });
    this.weight = normalParameter([numRows, embedDim], 1);
  }

  forward(ids: Tensor): Tensor {
    return embedding(this.weight, ids);
  }
}
