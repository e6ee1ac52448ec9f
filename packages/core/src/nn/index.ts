export {
  HardSigmoid,
  HardSwish,
  LogSigmoid,
  Mish,
  Relu,
  Relu6,
  Selu,
  Sigmoid,
  Silu,
  Softsign,
  Tanh,
} from "./activations.js";
export { BatchNorm1d, BatchNorm2d, type BatchNormModuleOptions } from "./batch-norm.js";
export { Bilinear, type BilinearSizes, CosineSimilarity } from "./bilinear.js";
export { CausalSelfAttention, type CausalSelfAttentionOptions } from "./causal-self-attention.js";
export { type CheckpointedModule, checkpoint } from "./checkpoint.js";
export { Conv1d, Conv2d, Conv3d, type ConvLayerOptions } from "./conv.js";
export { ConvTranspose1d, ConvTranspose2d, type ConvTransposeLayerOptions } from "./conv-transpose.js";
export { AlphaDropout, DropPath } from "./drop-path.js";
export { Dropout } from "./dropout.js";
export { Dropout2d } from "./dropout-2d.js";
export { Embedding, type EmbeddingOptions } from "./embedding.js";
export {
  EmbeddingBag,
  type EmbeddingBagInputs,
  type EmbeddingBagMode,
  type EmbeddingBagOptions,
} from "./embedding-bag.js";
export type { ForwardHook, ForwardInputs, ForwardOutput, ForwardPreHook, HookHandle } from "./forward-hooks.js";
export { GroupNorm, type GroupNormModuleOptions } from "./group-norm.js";
export * as init from "./init.js";
export { InstanceNorm1d, InstanceNorm2d, InstanceNorm3d } from "./instance-norm.js";
export { LayerNorm, type LayerNormModuleOptions } from "./layer-norm.js";
export { Linear, type LinearOptions } from "./linear.js";
export { Module } from "./module.js";
export { ModuleDict } from "./module-dict.js";
export { ModuleList } from "./module-list.js";
export type {
  LoadReport,
  LoadStateDictOptions,
  MismatchedTensor,
  NameMapping,
  StateDictSource,
} from "./module-state.js";
export {
  type AttentionMasks,
  appendKeyValues,
  type KeyValues,
  MultiheadAttention,
  type MultiheadAttentionInputs,
  type MultiheadAttentionOptions,
  type MultiheadAttentionResult,
} from "./multihead-attention.js";
export { matchesName, type NamePattern } from "./name-pattern.js";
export { Parameter } from "./parameter.js";
export {
  type AlphaOptions,
  Celu,
  Elu,
  Gelu,
  type GeluOptions,
  Glu,
  HardTanh,
  LeakyRelu,
  LogSoftmax,
  PRelu,
  type PReluOptions,
  Softmax,
  Softplus,
  SwiGlu,
} from "./parametric-activations.js";
export { PixelShuffle, PixelUnshuffle } from "./pixel-shuffle.js";
export {
  AdaptiveAvgPool1d,
  AdaptiveAvgPool2d,
  AdaptiveMaxPool1d,
  AdaptiveMaxPool2d,
  AvgPool1d,
  AvgPool2d,
  MaxPool1d,
  MaxPool2d,
} from "./pooling.js";
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
export { Flatten, Identity, Unflatten } from "./reshaping.js";
export { RmsNorm, type RmsNormModuleOptions } from "./rms-norm.js";
export { type Layer, Sequential } from "./sequential.js";
export type { StatisticsSource } from "./statistics-source.js";
export { type ModelSummary, type SummarizedModel, type SummaryRow, summary } from "./summary.js";
export {
  Transformer,
  TransformerDecoder,
  TransformerEncoder,
  type TransformerInputs,
  type TransformerOptions,
  type TransformerStackOptions,
} from "./transformer.js";
export {
  type DecoderLayerState,
  type TransformerActivation,
  type TransformerDecoderInputs,
  TransformerDecoderLayer,
  TransformerEncoderLayer,
  type TransformerLayerOptions,
} from "./transformer-layers.js";
export { Upsample } from "./upsample.js";
