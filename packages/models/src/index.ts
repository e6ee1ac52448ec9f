export {
  type GenerateOptions,
  generate,
  isLanguageModel,
  type LanguageModel,
} from "./generation/generate.js";
export { type GenerateTextOptions, generateText, type TextCodec } from "./generation/generate-text.js";
export { type SamplingOptions, sampleToken } from "./generation/sample-token.js";
export { Gpt } from "./gpt/gpt.js";
export { type GptConfig, type GptName, gptConfig, gptNames } from "./gpt/gpt-config.js";
export { gptLoss } from "./gpt/gpt-loss.js";
export { type BlockOptions, GptMlp, TransformerBlock } from "./gpt/transformer-block.js";
export { Lenet, type LenetConfig } from "./lenet/lenet.js";
export { Mlp, type MlpActivation, type MlpConfig } from "./mlp/mlp.js";
export { type PaddingMaskOptions, paddingMask } from "./padding-mask.js";
export { BasicBlock, type BasicBlockOptions } from "./resnet/basic-block.js";
export { Resnet18, type Resnet18Config, torchvisionNames } from "./resnet/resnet18.js";
export { type BeamSearchOptions, beamSearch } from "./seq2seq/beam-search.js";
export type { DecodedSequence, DecodeOptions, DecodingModel } from "./seq2seq/decoding-model.js";
export { greedyDecode } from "./seq2seq/greedy-decode.js";
export {
  RecurrentSeq2Seq,
  type RecurrentSeq2SeqConfig,
  type RecurrentSeq2SeqState,
} from "./seq2seq/recurrent-seq2seq.js";
export {
  type AttentionScore,
  SourceAttention,
  type SourceAttentionOptions,
  type SourceMemory,
} from "./seq2seq/source-attention.js";
export {
  TransformerSeq2Seq,
  type TransformerSeq2SeqConfig,
  type TransformerSeq2SeqState,
} from "./seq2seq/transformer-seq2seq.js";
export {
  RecurrentClassifier,
  type RecurrentClassifierCell,
  type RecurrentClassifierConfig,
  type TextInputs,
} from "./text-classifier/recurrent-classifier.js";
export { TransformerClassifier, type TransformerClassifierConfig } from "./text-classifier/transformer-classifier.js";
export { bprLoss, type InBatchSoftmaxOptions, inBatchSoftmaxLoss } from "./two-tower/retrieval-losses.js";
export {
  Tower,
  type TowerConfig,
  type TowerFeature,
  type TowerInput,
  type TowerInputs,
} from "./two-tower/tower.js";
export { pairScores, TwoTower, type TwoTowerConfig, topItems } from "./two-tower/two-tower.js";
export { DoubleConv } from "./unet/double-conv.js";
export { Unet, type UnetConfig } from "./unet/unet.js";
export { renameWeights, type WeightNameMapping } from "./weight-names.js";
