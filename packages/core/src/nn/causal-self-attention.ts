/** @file Legend: B batch, T sequence, C embed, H heads, D head dim. */
import { ShapeError, ValueError } from "../errors.js";
import { packedCausalAttention } from "../ops/causal-attention.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { Linear } from "./linear.js";
import { Module } from "./module.js";

export interface CausalSelfAttentionOptions {
  readonly embedDim: number;
  /** Divides embedDim. */
  readonly numHeads: number;
}

/**
 * Multi-head attention of a sequence to itself and its past: queries, keys and values from one fused projection, heads, and a projection
 * of the result.
 *
 * @shape x [B, T, C] -> [B, T, C]
 * @throws {ValueError} E_LAYER when numHeads does not divide embedDim. {ShapeError} E_SHAPE when x is not [B, T, embedDim].
 * @source GPT-2's attention block. Deviation: no dropout on the attention weights (the fused kernel has none); drop the output instead.
 */
export class CausalSelfAttention extends Module {
  readonly numHeads: number;
  qkv: Linear;
  proj: Linear;

  constructor({ embedDim, numHeads }: CausalSelfAttentionOptions) {
    super();
    if (!Number.isInteger(embedDim / numHeads) || numHeads < 1) {
      throw new ValueError(
        `CausalSelfAttention: embedDim is ${embedDim} and numHeads ${numHeads}; the second must divide the first.`,
        { embedDim, numHeads },
        "E_LAYER",
      );
    }
    this.numHeads = numHeads;
    this.qkv = new Linear(embedDim, 3 * embedDim);
    this.proj = new Linear(embedDim, embedDim);
  }

  forward(x: Tensor): Tensor {
    const embedDim = this.proj.weight.shape[0]!;
    if (x.numDims !== 3 || x.shape[2] !== embedDim) {
      throw new ShapeError(
        `CausalSelfAttention: x is ${formatShape(x.shape)}; it must be [B,T,${embedDim}], batch, sequence and embedDim.`,
        { x: x.shape, embedDim },
      );
    }
    // Heads lie side by side in each of the three, [B, T, 3, H, D]; the fused kernel reads and writes them in place.
    return this.proj.forward(packedCausalAttention(this.qkv.forward(x), this.numHeads)); // [B, T, C]
  }
}
