/** @file Legend: B batch, S source, T target, C embed, H hidden, V vocabulary, L layers, D directions, R rows. */
import { nn, ShapeError, type Tensor } from "@lockstep/core";
import { assertChoice, assertDropout, assertWholeSizes } from "../model-config.js";
import { paddingMask } from "../padding-mask.js";
import { assertIds, type RecurrentClassifierCell, type TextInputs } from "../text-classifier/recurrent-classifier.js";
import type { DecodingModel } from "./decoding-model.js";
import { type AttentionScore, SourceAttention, type SourceMemory } from "./source-attention.js";

export interface RecurrentSeq2SeqConfig {
  readonly sourceVocabSize: number;
  readonly targetVocabSize: number;
  readonly embedDim: number;
  readonly hiddenDim: number;
  /** Default "gru". */
  readonly cell?: RecurrentClassifierCell;
  /** Of the encoder, and of the decoder. Default 1. */
  readonly numLayers?: number;
  /** Whether the encoder reads from both ends. Default true. */
  readonly bidirectional?: boolean;
  /** Default "general", Luong's; "additive" is Bahdanau's. */
  readonly attention?: AttentionScore;
  /** Probability of dropping, in [0, 1): embeddings, outputs between layers, and what the head sees. Default 0. */
  readonly dropout?: number;
}

/** What the decoder keeps between two tokens; rows first. */
export interface RecurrentSeq2SeqState extends SourceMemory {
  /** [R, L, H]; cell states for the LSTM alone. */
  readonly hidden: Tensor;
  readonly cells: Tensor | undefined;
}

/** @throws {ValueError} E_MODEL_CONFIG */
function assertRecurrentSeq2SeqConfig(config: RecurrentSeq2SeqConfig): void {
  const subject = { model: "RecurrentSeq2Seq", config };
  const { sourceVocabSize, targetVocabSize, embedDim, hiddenDim, numLayers = 1 } = config;
  assertWholeSizes(subject, { sourceVocabSize, targetVocabSize, embedDim, hiddenDim, numLayers });
  assertChoice(subject, "cell", { value: config.cell ?? "gru", choices: ["lstm", "gru"] });
  assertChoice(subject, "attention", { value: config.attention ?? "general", choices: ["general", "additive"] });
  assertDropout(subject, config.dropout ?? 0);
}

/**
 * A GRU or LSTM reads the source, another one writes the target and looks at the source before each token.
 *
 * The decoder begins with tanh of a linear map of the encoder's last states (of the cells without tanh). Attention stands behind the
 * decoder's layers, and what it gives is not fed into the next step: all steps of training run in one fused pass.
 *
 * @shape source [B, S] i32, target [B, T] i32 (the tokens so far, the start token first) -> logits [B, T, V] of the tokens after them
 * @throws {ValueError} E_MODEL_CONFIG for sizes that make no model; E_INDEX_RANGE for an id outside its vocabulary; E_SEQUENCE_LENGTH.
 *   {ShapeError} E_SHAPE
 * @source Luong et al. 2015, without input feeding; with attention "additive", the scores of Bahdanau et al. 2015 in the same place
 * @example
 * const model = new RecurrentSeq2Seq({ sourceVocabSize: 9, targetVocabSize: 7, embedDim: 4, hiddenDim: 5 });
 * const ids = zeros([2, 6], { dtype: "i32" });
 * model.forward(ids, ids.narrow(1, 0, 3)).shape; // => [2, 3, 7]
 */
export class RecurrentSeq2Seq extends nn.Module implements DecodingModel<RecurrentSeq2SeqState> {
  readonly config: Readonly<Required<RecurrentSeq2SeqConfig>>;
  sourceEmbedding: nn.Embedding;
  targetEmbedding: nn.Embedding;
  dropout: nn.Dropout;
  encoder: nn.Lstm | nn.Gru;
  hiddenBridge: nn.Linear;
  cellBridge: nn.Linear | undefined;
  decoder: nn.Lstm | nn.Gru;
  attention: SourceAttention;
  head: nn.Linear;

  constructor(config: RecurrentSeq2SeqConfig) {
    super();
    assertRecurrentSeq2SeqConfig(config);
    const { sourceVocabSize, targetVocabSize, embedDim, hiddenDim, cell = "gru", numLayers = 1 } = config;
    const { bidirectional = true, attention = "general", dropout = 0 } = config;
    const sizes = { sourceVocabSize, targetVocabSize, embedDim, hiddenDim, numLayers };
    this.config = { ...sizes, cell, bidirectional, attention, dropout };
    const memoryDim = hiddenDim * (bidirectional ? 2 : 1);
    const Recurrent = cell === "lstm" ? nn.Lstm : nn.Gru;
    this.sourceEmbedding = new nn.Embedding(sourceVocabSize, embedDim);
    this.targetEmbedding = new nn.Embedding(targetVocabSize, embedDim);
    this.dropout = new nn.Dropout(dropout);
    this.encoder = new Recurrent(embedDim, hiddenDim, { numLayers, bidirectional, dropout, batchFirst: true });
    this.hiddenBridge = new nn.Linear(memoryDim, hiddenDim);
    this.cellBridge = cell === "lstm" ? new nn.Linear(memoryDim, hiddenDim) : undefined;
    this.decoder = new Recurrent(embedDim, hiddenDim, { numLayers, dropout, batchFirst: true });
    this.attention = new SourceAttention({ hiddenDim, memoryDim, score: attention });
    this.head = new nn.Linear(hiddenDim, targetVocabSize);
  }

  forward(source: Tensor, target: Tensor, inputs: TextInputs = {}): Tensor {
    assertIds("RecurrentSeq2Seq", target);
    if (source.shape[0] !== target.shape[0]) {
      throw new ShapeError(
        `RecurrentSeq2Seq: source is [${source.shape.join(",")}] and target [${target.shape.join(",")}]; they must have one number of rows.`,
        { source: source.shape, target: target.shape },
      );
    }
    return this.#decode(target, this.encode(source, inputs)).logits;
  }

  encode(source: Tensor, { lengths }: TextInputs = {}): RecurrentSeq2SeqState {
    assertIds("RecurrentSeq2Seq", source);
    const embedded = this.dropout.forward(this.sourceEmbedding.forward(source)); // [B, S, C]
    const { output: memory, hn, cn } = this.encoder.forward(embedded, { lengths }) as nn.LstmResult;
    const padding = lengths === undefined ? undefined : paddingMask(lengths, source.shape[1]!);
    const hidden = this.hiddenBridge.forward(this.#joined(hn)).tanh(); // [B, L, H]
    const cells = this.cellBridge?.forward(this.#joined(cn));
    return { memory, keys: this.attention.key.forward(memory), padding, hidden, cells };
  }

  step(tokens: Tensor, state: RecurrentSeq2SeqState) {
    const { logits, hidden, cells } = this.#decode(tokens.reshape([-1, 1]), state);
    return { logits: logits.select(1, 0), state: { ...state, hidden, cells } };
  }

  /** States of all directions side by side. @shape [L D, B, H] -> [B, L, D H] */
  #joined(states: Tensor): Tensor {
    const { numLayers, hiddenDim } = this.config;
    const [places, batch] = states.shape as [number, number, number];
    const byRow = states.transpose(0, 1); // [B, L D, H]: the directions of a layer are neighbours
    return byRow.reshape([batch, numLayers, (places / numLayers) * hiddenDim]);
  }

  #decode(target: Tensor, state: RecurrentSeq2SeqState) {
    const embedded = this.dropout.forward(this.targetEmbedding.forward(target)); // [B, T, C]
    const states = { h0: state.hidden.transpose(0, 1), c0: state.cells?.transpose(0, 1) };
    const { output, hn, cn } = this.decoder.forward(embedded, states) as nn.RecurrentResult & { cn?: Tensor };
    const attended = this.dropout.forward(this.attention.forward(output, state)); // [B, T, H]
    return { logits: this.head.forward(attended), hidden: hn.transpose(0, 1), cells: cn?.transpose(0, 1) };
  }
}
