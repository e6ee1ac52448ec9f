/** @file A text classifier on a transformer encoder. Legend: B batch, T sequence, C embed, V vocab. */
import { nn, type Tensor, where } from "@lockstep/core";
import { assertChoice, assertDivides, assertDropout, assertWholeSizes } from "../model-config.js";
import { paddingMask } from "../padding-mask.js";
import { assertIds, type TextInputs } from "./recurrent-classifier.js";

export interface TransformerClassifierConfig {
  readonly vocabSize: number;
  readonly numClasses: number;
  /** Longest text. */
  readonly seqLen: number;
  /** A multiple of numHeads; even for sinusoidal positions. */
  readonly embedDim: number;
  readonly numHeads: number;
  readonly numLayers: number;
  /** Default 4 embedDim. */
  readonly feedforwardDim?: number;
  /** Default "learned". */
  readonly positions?: "learned" | "sinusoidal";
  /** Probability of dropping, in [0, 1): embeddings and what the encoder layers drop. Default 0. */
  readonly dropout?: number;
}

/** @throws {ValueError} E_MODEL_CONFIG */
function assertTransformerClassifierConfig(config: TransformerClassifierConfig): void {
  const subject = { model: "TransformerClassifier", config };
  const { vocabSize, numClasses, seqLen, embedDim, numHeads, numLayers } = config;
  const { feedforwardDim = 4 * embedDim, positions = "learned", dropout = 0 } = config;
  assertWholeSizes(subject, { vocabSize, numClasses, seqLen, embedDim, numHeads, numLayers, feedforwardDim });
  assertDivides(subject, { embedDim, numHeads });
  assertChoice(subject, "positions", { value: positions, choices: ["learned", "sinusoidal"] });
  assertDropout(subject, dropout);
}

/**
 * Classes of texts: embeddings with positions, encoder layers that normalise first, the mean over the text's tokens, and a linear map.
 *
 * @shape ids [B, T] i32, T at most seqLen -> logits [B, numClasses]
 * @throws {ValueError} E_MODEL_CONFIG for sizes that make no model; E_INDEX_RANGE for an id outside the vocabulary; E_SEQUENCE_LENGTH.
 *   {ShapeError} E_SHAPE when ids are not [B, T].
 * @source none: ours; the layers are torch.nn.TransformerEncoderLayer(norm_first=True, activation="gelu")
 */
export class TransformerClassifier extends nn.Module {
  readonly config: Readonly<Required<TransformerClassifierConfig>>;
  embedding: nn.Embedding;
  positions: nn.LearnedPositions | nn.SinusoidalPositions;
  dropout: nn.Dropout;
  encoder: nn.TransformerEncoder;
  head: nn.Linear;

  constructor(config: TransformerClassifierConfig) {
    super();
    assertTransformerClassifierConfig(config);
    const { vocabSize, numClasses, seqLen, embedDim, numHeads, numLayers } = config;
    const { feedforwardDim = 4 * embedDim, positions = "learned", dropout = 0 } = config;
    const sizes = { vocabSize, numClasses, seqLen, embedDim, numHeads, numLayers, feedforwardDim };
    this.config = { ...sizes, positions, dropout };
    this.embedding = new nn.Embedding(vocabSize, embedDim);
    nn.init.normal(this.embedding.weight, 0, 1 / Math.sqrt(embedDim));
    const Positions = positions === "learned" ? nn.LearnedPositions : nn.SinusoidalPositions;
    this.positions = new Positions(seqLen, embedDim);
    this.dropout = new nn.Dropout(dropout);
    const layer = { embedDim, numHeads, feedforwardDim, dropout, activation: "gelu" } as const;
    this.encoder = new nn.TransformerEncoder({
      ...layer,
      numLayers,
      batchFirst: true,
      normFirst: true,
      finalNorm: true,
    });
    this.head = new nn.Linear(embedDim, numClasses);
  }

  forward(ids: Tensor, { lengths }: TextInputs = {}): Tensor {
    assertIds("TransformerClassifier", ids);
    const [B, T] = ids.shape as [number, number];
    const embedded = this.dropout.forward(this.positions.forward(this.embedding.forward(ids))); // [B, T, C]
    if (lengths === undefined) return this.head.forward(this.encoder.forward(embedded).mean(1));
    const padding = paddingMask(lengths, T, { where: "TransformerClassifier", batch: B }); // [B, T]
    const encoded = this.encoder.forward(embedded, { keyPaddingMask: padding });
    const counts = padding.eq(0).cast("f32").sum(1, { keepDims: true }); // [B, 1]
    const kept = where(padding.unsqueeze(2), 0, encoded).sum(1); // [B, C]
    return this.head.forward(kept.div(counts));
  }
}
