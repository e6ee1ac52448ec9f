/** @file A text classifier on a recurrent encoder. Legend: B batch, T sequence, C embed, H hidden, V vocab, D directions. */
import { concat, nn, ShapeError, type Tensor } from "@lockstep/core";
import { assertChoice, assertDropout, assertWholeSizes } from "../model-config.js";

export type RecurrentClassifierCell = "lstm" | "gru";

export interface RecurrentClassifierConfig {
  readonly vocabSize: number;
  readonly numClasses: number;
  readonly embedDim: number;
  readonly hiddenDim: number;
  /** Default "lstm". */
  readonly cell?: RecurrentClassifierCell;
  /** Default 1. */
  readonly numLayers?: number;
  /** Reads the text from its end, too. Default false. */
  readonly bidirectional?: boolean;
  /** Probability of dropping, in [0, 1): embeddings, outputs between layers, and the last state. Default 0. */
  readonly dropout?: number;
}

/** @throws {ValueError} E_MODEL_CONFIG */
function assertRecurrentClassifierConfig(config: RecurrentClassifierConfig): void {
  const subject = { model: "RecurrentClassifier", config };
  const { vocabSize, numClasses, embedDim, hiddenDim, numLayers = 1, cell = "lstm", dropout = 0 } = config;
  assertWholeSizes(subject, { vocabSize, numClasses, embedDim, hiddenDim, numLayers });
  assertChoice(subject, "cell", { value: cell, choices: ["lstm", "gru"] });
  assertDropout(subject, dropout);
}

export interface TextInputs {
  /** How many tokens each text has, 1..T; what comes after is padding and changes nothing. Default: T. */
  readonly lengths?: nn.SequenceLengths | undefined;
}

/**
 * Classes of texts: embeddings, an LSTM or GRU, and a linear map of its last state.
 *
 * @shape ids [B, T] i32 -> logits [B, numClasses]
 * @throws {ValueError} E_MODEL_CONFIG for sizes that make no model; E_INDEX_RANGE for an id outside the vocabulary; E_SEQUENCE_LENGTH.
 *   {ShapeError} E_SHAPE when ids are not [B, T].
 * @source none: ours
 * @example
 * const config = { vocabSize: 20, numClasses: 3, embedDim: 4, hiddenDim: 5 };
 * new RecurrentClassifier(config).forward(zeros([2, 7], { dtype: "i32" })).shape; // => [2, 3]
 */
export class RecurrentClassifier extends nn.Module {
  readonly config: Readonly<Required<RecurrentClassifierConfig>>;
  embedding: nn.Embedding;
  dropout: nn.Dropout;
  encoder: nn.Lstm | nn.Gru;
  head: nn.Linear;

  constructor(config: RecurrentClassifierConfig) {
    super();
    assertRecurrentClassifierConfig(config);
    const { vocabSize, numClasses, embedDim, hiddenDim } = config;
    const { cell = "lstm", numLayers = 1, bidirectional = false, dropout = 0 } = config;
    this.config = { vocabSize, numClasses, embedDim, hiddenDim, cell, numLayers, bidirectional, dropout };
    this.embedding = new nn.Embedding(vocabSize, embedDim);
    this.dropout = new nn.Dropout(dropout);
    const options = { numLayers, bidirectional, dropout, batchFirst: true };
    this.encoder = new (cell === "lstm" ? nn.Lstm : nn.Gru)(embedDim, hiddenDim, options);
    this.head = new nn.Linear(hiddenDim * (bidirectional ? 2 : 1), numClasses);
  }

  forward(ids: Tensor, { lengths }: TextInputs = {}): Tensor {
    assertIds("RecurrentClassifier", ids);
    const embedded = this.dropout.forward(this.embedding.forward(ids)); // [B, T, C]
    const { hn } = this.encoder.forward(embedded, { lengths }); // [L D, B, H]
    const last = hn.shape[0]! - 1;
    const states = this.config.bidirectional ? [hn.select(0, last - 1), hn.select(0, last)] : [hn.select(0, last)];
    return this.head.forward(this.dropout.forward(concat(states, 1))); // [B, D H] -> [B, numClasses]
  }
}

/** @throws {ShapeError} E_SHAPE */
export function assertIds(model: string, ids: Tensor): void {
  if (ids.numDims === 2 && ids.shape[0]! > 0 && ids.shape[1]! > 0) return;
  throw new ShapeError(
    `${model}: ids are [${ids.shape.join(",")}]; they must be [B,T] with at least one text and one token.`,
    { ids: ids.shape },
  );
}
