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
export { Mlp, type MlpActivation, type MlpConfig } from "./mlp/mlp.js";
export { renameWeights, type WeightNameMapping } from "./weight-names.js";
export {
  RecurrentClassifier,
  type RecurrentClassifierCell,
  type RecurrentClassifierConfig,
  type TextInputs,
} from "./text-classifier/recurrent-classifier.js";
export { TransformerClassifier, type TransformerClassifierConfig } from "./text-classifier/transformer-classifier.js";
export { paddingMask } from "./padding-mask.js";
