/** @file Sizes of GPT models, and the ones that have a name. */
import { ValueError } from "@lockstep/core";
import { assertDivides, assertDropout, assertWholeSizes } from "../model-config.js";

export interface GptConfig {
  readonly vocabSize: number;
  /** Longest sequence: rows of the position embedding. */
  readonly seqLen: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** A multiple of numHeads. */
  readonly embedDim: number;
  /** Probability of dropping, in [0, 1): embeddings, attention weights and both residual branches. Default 0. */
  readonly dropout?: number;
}

const gptConfigs = {
  /** For tests: trains in seconds. */
  "gpt-nano": { vocabSize: 65, seqLen: 32, numLayers: 2, numHeads: 2, embedDim: 32 },
  /** 0.8 M parameters: characters. */
  "gpt-small": { vocabSize: 65, seqLen: 128, numLayers: 4, numHeads: 4, embedDim: 128 },
  /** 10.7 M parameters: characters. */
  "gpt-big": { vocabSize: 65, seqLen: 256, numLayers: 6, numHeads: 6, embedDim: 384 },
  /** GPT-2, the smallest of the published ones. */
  "gpt2-124m": { vocabSize: 50257, seqLen: 1024, numLayers: 12, numHeads: 12, embedDim: 768 },
} as const satisfies Record<string, GptConfig>;

export type GptName = keyof typeof gptConfigs;

export const gptNames = Object.keys(gptConfigs) as readonly GptName[];

/**
 * The sizes of a named model, some of them replaced.
 *
 * @throws {ValueError} E_MODEL_NAME for an unknown name; E_MODEL_CONFIG for sizes that make no model.
 * @example
 * gptConfig("gpt-small", { vocabSize: 84 }).embedDim; // => 128
 */
export function gptConfig(name: GptName, replaced: Partial<GptConfig> = {}): GptConfig {
  if (!Object.hasOwn(gptConfigs, name)) {
    throw new ValueError(
      `gptConfig: there is no model ${JSON.stringify(name)}; the names are ${gptNames.join(", ")}.`,
      { name },
      "E_MODEL_NAME",
    );
  }
  const config: GptConfig = { ...gptConfigs[name], ...replaced };
  assertGptConfig(config);
  return config;
}

/** @throws {ValueError} E_MODEL_CONFIG */
export function assertGptConfig(config: GptConfig): void {
  const subject = { model: "Gpt", config };
  const { vocabSize, seqLen, numLayers, numHeads, embedDim, dropout = 0 } = config;
  assertWholeSizes(subject, { vocabSize, seqLen, numLayers, numHeads, embedDim });
  assertDivides(subject, { embedDim, numHeads });
  assertDropout(subject, dropout);
}
