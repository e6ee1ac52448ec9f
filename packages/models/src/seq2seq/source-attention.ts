/** @file Legend: B batch, T target, S source, H hidden of the decoder, M features of the memory. */
import { concat, nn, type Tensor, where } from "@lockstep/core";

/** "general": h W m; "additive": v tanh(W h + U m). */
export type AttentionScore = "general" | "additive";

/** A hidden place's score: finite, as in core's attention. */
const hiddenScore = -1e30;

export interface SourceAttentionOptions {
  /** H */
  readonly hiddenDim: number;
  /** M */
  readonly memoryDim: number;
  readonly score: AttentionScore;
}

/** What is looked at: the encoder's outputs, their keys, and where they are padding. */
export interface SourceMemory {
  /** [B, S, M] */
  readonly memory: Tensor;
  /** [B, S, H] */
  readonly keys: Tensor;
  /** [B, S] i32, 1 hides. */
  readonly padding: Tensor | undefined;
}

/**
 * Attention of recurrent decoders: weights over the source, the mean of the memory under them, and tanh of a linear map of it beside the
 * decoder's state.
 *
 * @shape hidden [B, T, H] -> [B, T, H]
 * @source Luong et al. 2015, sections 3 and 3.1 (global attention, "general"); Bahdanau et al. 2015, appendix A.1.2 ("additive")
 */
export class SourceAttention extends nn.Module {
  readonly score: AttentionScore;
  key: nn.Linear;
  query: nn.Linear | undefined;
  energy: nn.Linear | undefined;
  combine: nn.Linear;

  constructor({ hiddenDim, memoryDim, score }: SourceAttentionOptions) {
    super();
    this.score = score;
    this.key = new nn.Linear(memoryDim, hiddenDim, { bias: false });
    if (score === "additive") {
      this.query = new nn.Linear(hiddenDim, hiddenDim);
      this.energy = new nn.Linear(hiddenDim, 1, { bias: false });
    }
    this.combine = new nn.Linear(memoryDim + hiddenDim, hiddenDim, { bias: false });
  }

  forward(hidden: Tensor, { memory, keys, padding }: SourceMemory): Tensor {
    const scores = this.#scores(hidden, keys); // [B, T, S]
    const seen = padding === undefined ? scores : where(padding.unsqueeze(1), hiddenScore, scores);
    const context = seen.softmax().matmul(memory); // [B, T, M]
    return this.combine.forward(concat([context, hidden], 2)).tanh();
  }

  #scores(hidden: Tensor, keys: Tensor): Tensor {
    if (this.query === undefined || this.energy === undefined) return hidden.matmul(keys.transpose(1, 2));
    const sums = this.query.forward(hidden).unsqueeze(2).add(keys.unsqueeze(1)); // [B, T, S, H]
    return this.energy.forward(sums.tanh()).squeeze(3);
  }
}
