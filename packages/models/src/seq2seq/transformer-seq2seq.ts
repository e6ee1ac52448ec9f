/** @file Legend: B batch, S source, T target, C embed, V vocabulary, R rows. */
import { nn, type Tensor } from "@lockstep/core";
import { assertChoice, assertDivides, assertDropout, assertWholeSizes } from "../model-config.js";
import { paddingMask } from "../padding-mask.js";
import { assertIds, type TextInputs } from "../text-classifier/recurrent-classifier.js";
import type { DecodingModel } from "./decoding-model.js";

export interface TransformerSeq2SeqConfig {
  readonly sourceVocabSize: number;
  readonly targetVocabSize: number;
  /** Longest source and longest target. */
  readonly sourceSeqLen: number;
  readonly targetSeqLen: number;
  /** A multiple of numHeads; even for sinusoidal positions. */
  readonly embedDim: number;
  readonly numHeads: number;
  /** Of the encoder, and of the decoder. */
  readonly numLayers: number;
  /** Default 4 embedDim. */
  readonly feedforwardDim?: number;
  /** Default "learned". */
  readonly positions?: "learned" | "sinusoidal";
  /** Probability of dropping, in [0, 1): embeddings and what the layers drop. Default 0. */
  readonly dropout?: number;
}

/** What the decoder keeps between two tokens; rows first. */
export interface TransformerSeq2SeqState {
  readonly layers: readonly nn.DecoderLayerState[];
  /** [R, S] i32, 1 hides. */
  readonly padding: Tensor | undefined;
  /** Position of the next token. */
  readonly position: number;
}

/** @throws {ValueError} E_MODEL_CONFIG */
function assertTransformerSeq2SeqConfig(config: TransformerSeq2SeqConfig): void {
  const subject = { model: "TransformerSeq2Seq", config };
  const { feedforwardDim = 4 * config.embedDim, positions = "learned", dropout = 0, ...sizes } = config;
  assertWholeSizes(subject, { ...sizes, feedforwardDim });
  assertDivides(subject, sizes);
  assertChoice(subject, "positions", { value: positions, choices: ["learned", "sinusoidal"] });
  assertDropout(subject, dropout);
}

/**
 * The transformer: an encoder reads the source, a decoder writes the target.
 *
 * `step` keeps the keys and values of all tokens before (`nn.TransformerDecoder.step`), so that a token costs one position.
 *
 * @shape source [B, S] i32, target [B, T] i32 (the tokens so far, the start token first) -> logits [B, T, V] of the tokens after them
 * @throws {ValueError} E_MODEL_CONFIG for sizes that make no model; E_INDEX_RANGE for an id outside its vocabulary. {ShapeError} E_SHAPE
 * @source Vaswani et al. 2017; the layers are torch.nn.Transformer(norm_first=True, activation="gelu"), under its names in `transformer`.
 *   Deviation: the head has a matrix of its own.
 * @example
 * const sizes = { sourceVocabSize: 9, targetVocabSize: 7, sourceSeqLen: 6, targetSeqLen: 6 };
 * const model = new TransformerSeq2Seq({ ...sizes, embedDim: 8, numHeads: 2, numLayers: 1 });
 * const ids = zeros([2, 6], { dtype: "i32" });
 * model.forward(ids, ids.narrow(1, 0, 3)).shape; // => [2, 3, 7]
 */
export class TransformerSeq2Seq extends nn.Module implements DecodingModel<TransformerSeq2SeqState> {
  readonly config: Readonly<Required<TransformerSeq2SeqConfig>>;
  sourceEmbedding: nn.Embedding;
  targetEmbedding: nn.Embedding;
  sourcePositions: nn.LearnedPositions | nn.SinusoidalPositions;
  targetPositions: nn.LearnedPositions | nn.SinusoidalPositions;
  dropout: nn.Dropout;
  transformer: nn.Transformer;
  head: nn.Linear;

  constructor(config: TransformerSeq2SeqConfig) {
    super();
    assertTransformerSeq2SeqConfig(config);
    const { feedforwardDim = 4 * config.embedDim, positions = "learned", dropout = 0 } = config;
    this.config = { ...config, feedforwardDim, positions, dropout };
    const { sourceVocabSize, targetVocabSize, sourceSeqLen, targetSeqLen, embedDim, numHeads, numLayers } = config;
    this.sourceEmbedding = new nn.Embedding(sourceVocabSize, embedDim);
    this.targetEmbedding = new nn.Embedding(targetVocabSize, embedDim);
    for (const { weight } of [this.sourceEmbedding, this.targetEmbedding]) {
      nn.init.normal(weight, 0, 1 / Math.sqrt(embedDim));
    }
    const Positions = positions === "learned" ? nn.LearnedPositions : nn.SinusoidalPositions;
    this.sourcePositions = new Positions(sourceSeqLen, embedDim);
    this.targetPositions = new Positions(targetSeqLen, embedDim);
    this.dropout = new nn.Dropout(dropout);
    this.transformer = new nn.Transformer({
      ...{ embedDim, numHeads, feedforwardDim, dropout, numEncoderLayers: numLayers, numDecoderLayers: numLayers },
      ...{ activation: "gelu", batchFirst: true, normFirst: true },
    });
    this.head = new nn.Linear(embedDim, targetVocabSize);
  }

  forward(source: Tensor, target: Tensor, inputs: TextInputs = {}): Tensor {
    assertIds("TransformerSeq2Seq", target);
    const { memory, padding } = this.#read(source, inputs);
    const decoded = this.transformer.decoder.forward(this.#embedTarget(target, 0), memory, {
      target: { isCausal: true },
      source: { keyPaddingMask: padding },
    });
    return this.head.forward(decoded);
  }

  encode(source: Tensor, inputs: TextInputs = {}): TransformerSeq2SeqState {
    const { memory, padding } = this.#read(source, inputs);
    return { layers: this.transformer.decoder.begin(memory), padding, position: 0 };
  }

  step(tokens: Tensor, { layers, padding, position }: TransformerSeq2SeqState) {
    const embedded = this.#embedTarget(tokens.reshape([-1, 1]), position); // [R, 1, C]
    const next = this.transformer.decoder.step(embedded, layers, { keyPaddingMask: padding });
    const logits = this.head.forward(next.output.select(1, 0));
    return { logits, state: { layers: next.states, padding, position: position + 1 } };
  }

  #embedTarget(target: Tensor, start: number): Tensor {
    return this.dropout.forward(this.targetPositions.forward(this.targetEmbedding.forward(target), { start }));
  }

  #read(source: Tensor, { lengths }: TextInputs): { memory: Tensor; padding: Tensor | undefined } {
    assertIds("TransformerSeq2Seq", source);
    const [batch, numSteps] = source.shape as [number, number];
    const where = "TransformerSeq2Seq";
    const padding = lengths === undefined ? undefined : paddingMask(lengths, numSteps, { where, batch }); // [B, S]
    const embedded = this.dropout.forward(this.sourcePositions.forward(this.sourceEmbedding.forward(source)));
    return { memory: this.transformer.encoder.forward(embedded, { keyPaddingMask: padding }), padding };
  }
}
