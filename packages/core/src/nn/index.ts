export { Gelu, Relu, Sigmoid, Silu, Tanh } from "./activations.js";
export { CausalSelfAttention, type CausalSelfAttentionOptions } from "./causal-self-attention.js";
export { Dropout } from "./dropout.js";
export { Embedding, type EmbeddingOptions } from "./embedding.js";
export {
  EmbeddingBag,
  type EmbeddingBagInputs,
  type EmbeddingBagMode,
  type EmbeddingBagOptions,
} from "./embedding-bag.js";
export * as init from "./init.js";
export { LayerNorm, type LayerNormModuleOptions } from "./layer-norm.js";
export { Linear, type LinearOptions } from "./linear.js";
export { Module } from "./module.js";
export type { LoadStateDictOptions, StateDictSource } from "./module-state.js";
export {
  type AttentionMasks,
  MultiheadAttention,
  type MultiheadAttentionInputs,
  type MultiheadAttentionOptions,
  type MultiheadAttentionResult,
} from "./multihead-attention.js";
export { Parameter } from "./parameter.js";
export {
  LearnedPositions,
  type PositionOptions,
  RotaryEmbedding,
  type RotaryEmbeddingOptions,
  SinusoidalPositions,
} from "./positions.js";
export { Gru, Lstm, type LstmResult, type Nonlinearity, Rnn, type RnnOptions } from "./recurrent.js";
export {
  GruCell,
  LstmCell,
  type LstmState,
  type RecurrentCellOptions,
  RnnCell,
  type RnnCellOptions,
} from "./recurrent-cells.js";
export type { RecurrentInputs, RecurrentOptions, RecurrentResult, SequenceLengths } from "./recurrent-layer.js";
export { type Layer, Sequential } from "./sequential.js";
export { TransformerDecoder, TransformerEncoder, type TransformerStackOptions } from "./transformer.js";
export {
  type TransformerActivation,
  type TransformerDecoderInputs,
  TransformerDecoderLayer,
  TransformerEncoderLayer,
  type TransformerLayerOptions,
} from "./transformer-layers.js";
