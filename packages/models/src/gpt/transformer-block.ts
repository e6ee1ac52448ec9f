/** @file One layer of GPT-2. Legend: B batch, T sequence, C embed, F hidden of the MLP (4C). */
import { nn, type Tensor } from "@lockstep/core";

export interface BlockOptions {
  readonly embedDim: number;
  readonly numHeads: number;
  readonly dropout: number;
}

/**
 * Two linear maps with a tanh-form gelu between.
 *
 * @shape x [..., C] -> [..., C]
 * @source GPT-2's MLP
 */
export class GptMlp extends nn.Module {
  fc: nn.Linear;
  proj: nn.Linear;

  constructor(embedDim: number) {
    super();
    this.fc = new nn.Linear(embedDim, 4 * embedDim);
    this.proj = new nn.Linear(4 * embedDim, embedDim);
  }

  forward(x: Tensor): Tensor {
    return this.proj.forward(this.fc.activated(x, "geluTanh")); // [..., F] between
  }
}

/**
 * x + attention(norm(x)), then x + mlp(norm(x)): normalised before each branch, so that the residual stream is never touched.
 *
 * @shape x [B, T, C] -> [B, T, C]
 * @source GPT-2's block. Deviation: no dropout on attention weights.
 */
export class TransformerBlock extends nn.Module {
  norm1: nn.LayerNorm;
  attention: nn.CausalSelfAttention;
  norm2: nn.LayerNorm;
  mlp: GptMlp;
  dropout: nn.Dropout;

  constructor({ embedDim, numHeads, dropout }: BlockOptions) {
    super();
    this.norm1 = new nn.LayerNorm(embedDim);
    this.attention = new nn.CausalSelfAttention({ embedDim, numHeads });
    this.norm2 = new nn.LayerNorm(embedDim);
    this.mlp = new GptMlp(embedDim);
    this.dropout = new nn.Dropout(dropout);
  }

  forward(x: Tensor): Tensor {
    const attended = x.add(this.dropout.forward(this.attention.forward(this.norm1.forward(x))));
    return attended.add(this.dropout.forward(this.mlp.forward(this.norm2.forward(attended))));
  }
}
