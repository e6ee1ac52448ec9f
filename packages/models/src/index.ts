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
export { paddingMask } from "./padding-mask.js";
export { BasicBlock, type BasicBlockOptions } from "./resnet/basic-block.js";
export { Resnet18, type Resnet18Config, torchvisionNames } from "./resnet/resnet18.js";
export {
  RecurrentClassifier,
  type RecurrentClassifierCell,
  type RecurrentClassifierConfig,
  type TextInputs,
} from "./text-classifier/recurrent-classifier.js";
export { TransformerClassifier, type TransformerClassifierConfig } from "./text-classifier/transformer-classifier.js";
export { DoubleConv } from "./unet/double-conv.js";
export { Unet, type UnetConfig } from "./unet/unet.js";
export { renameWeights, type WeightNameMapping } from "./weight-names.js";
