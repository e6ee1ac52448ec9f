/** @file The mean and the maximum of a mail's words, classified. Legend: B batch, T words, C embed, F hidden. */
import { concat, nn, type Tensor } from "@lockstep/core";
import { paddingId } from "./mails.js";

export interface MailNetConfig {
  readonly vocabSize: number;
  readonly embedDim: number;
  readonly hiddenDim: number;
  /** Of words, and of hidden units. */
  readonly dropout: number;
}

/**
 * A deep averaging network: embeddings, their mean and maximum over the words that dropout leaves, and two layers.
 *
 * @shape ids [B, T] i32 -> logits [B, 2]
 * @source Iyyer, Manjunatha, Boyd-Graber, Daume 2015, "Deep Unordered Composition Rivals Syntactic Methods for Text Classification", section 3.
 *   Deviations: the maximum (at least 0, which padding is) beside the mean, a LayerNorm behind both; what is left of the words is scaled up, as dropout does.
 */
export class MailNet extends nn.Module {
  embedding: nn.Embedding;
  wordDropout: nn.Dropout;
  body: nn.Sequential;

  constructor({ vocabSize, embedDim, hiddenDim, dropout }: MailNetConfig) {
    super();
    this.embedding = new nn.Embedding(vocabSize, embedDim);
    nn.init.normal(this.embedding.weight, 0, 1 / Math.sqrt(embedDim));
    this.wordDropout = new nn.Dropout(dropout);
    this.body = new nn.Sequential(
      new nn.LayerNorm(2 * embedDim),
      new nn.Linear(2 * embedDim, hiddenDim),
      new nn.Relu(),
      new nn.Dropout(dropout),
      new nn.Linear(hiddenDim, 2),
    );
  }

  forward(ids: Tensor): Tensor {
    return this.classify(this.embedding.forward(ids), ids);
  }

  /** From the embeddings on. @shape embedded [B, T, C], ids [B, T] -> [B, 2] */
  classify(embedded: Tensor, ids: Tensor): Tensor {
    const isWord = ids.ne(paddingId).cast("f32").unsqueeze(2); // [B, T, 1]
    const kept = embedded.mul(this.wordDropout.forward(isWord)); // [B, T, C]
    return this.body.forward(concat([kept.sum(1).div(isWord.sum(1)), kept.max(1).relu()], 1));
  }
}
