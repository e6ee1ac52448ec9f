/**
 * @file Continues a sequence of tokens, one at a time. Deterministic: same weights, prompt, options and seed, same tokens.
 *
 * No cache of keys and values: every token is a forward pass over the last seqLen tokens.
 */
import { Generator, noGrad, scope, type Tensor, tensor, ValueError } from "@lockstep/core";
import { inEvaluation } from "./in-evaluation.js";
import { assertSamplingOptions, type SamplingOptions, sampleToken } from "./sample-token.js";

/** A module that predicts the next token at every position. Gpt is one. */
export interface LanguageModel {
  readonly config: { readonly vocabSize: number; readonly seqLen: number };
  /** @shape ids [B, T] i32 -> logits [B, T, V] */
  forward(ids: Tensor): Tensor;
  /** @shape ids [B, T] i32 -> logits [B, V] of the last position */
  forwardLast?(ids: Tensor): Tensor;
}

/** Whether a model can be given to `generate`. */
export function isLanguageModel(model: unknown): model is LanguageModel {
  if (typeof model !== "object" || model === null) return false;
  const { config, forward } = model as { config?: { vocabSize?: unknown; seqLen?: unknown } | null; forward?: unknown };
  return typeof forward === "function" && typeof config?.vocabSize === "number" && typeof config.seqLen === "number";
}

export interface GenerateOptions extends SamplingOptions {
  readonly maxNewTokens: number;
  /** Default 0. */
  readonly seed?: number;
  /** Ends the text; it is not part of the result. */
  readonly stopToken?: number;
  /** Called with each new token at once. */
  readonly onToken?: (token: number) => void;
}

/**
 * The new tokens after `prompt`. Reads values synchronously: for the CPU backend.
 *
 * @param prompt at least one token; of a long one the model sees the last seqLen
 * @throws {ValueError} E_PROMPT for an empty prompt, E_TOKEN_RANGE for a token out of the vocabulary, E_VALUE for an option out of
 *   range, E_NOT_FINITE when the model gives logits that are not finite.
 */
export function generate(model: LanguageModel, prompt: ArrayLike<number>, options: GenerateOptions): Int32Array {
  const { maxNewTokens, seed = 0, stopToken, onToken } = options;
  assertSamplingOptions(options);
  if (!Number.isInteger(maxNewTokens) || maxNewTokens < 0) {
    throw new ValueError(`generate: maxNewTokens is ${maxNewTokens}; it must be a whole number of at least 0.`, {
      maxNewTokens,
    });
  }
  const tokens = Array.from(prompt);
  assertPrompt(tokens, model.config.vocabSize);
  const generator = new Generator(seed);
  return inEvaluation(model, () => {
    for (let i = 0; i < maxNewTokens; i++) {
      const token = sampleToken(lastLogits(model, tokens), options, generator);
      if (token === stopToken) break;
      tokens.push(token);
      onToken?.(token);
    }
    return Int32Array.from(tokens.slice(prompt.length));
  });
}

function lastLogits(model: LanguageModel, tokens: readonly number[]): Float32Array {
  const seen = tokens.slice(-model.config.seqLen);
  return noGrad(() =>
    scope(() => {
      const ids = tensor(Int32Array.from(seen), { shape: [1, seen.length] });
      const logits = model.forwardLast?.(ids) ?? model.forward(ids);
      const all = logits.dataSync() as Float32Array;
      return all.slice(all.length - model.config.vocabSize);
    }),
  );
}

/** @throws {ValueError} E_PROMPT, E_TOKEN_RANGE */
function assertPrompt(tokens: readonly number[], vocabSize: number): void {
  if (tokens.length === 0) {
    throw new ValueError("generate: the prompt is empty; it must have at least one token.", {}, "E_PROMPT");
  }
  const position = tokens.findIndex((token) => !Number.isInteger(token) || token < 0 || token >= vocabSize);
  if (position >= 0) {
    throw new ValueError(
      `generate: token ${tokens[position]} at position ${position} of the prompt is out of the vocabulary; it must be in 0..${vocabSize - 1}.`,
      { token: tokens[position], position, vocabSize },
      "E_TOKEN_RANGE",
    );
  }
}
