/**
 * @file A long list of tokens as samples for a language model: windows of seqLen + 1 tokens that do not overlap.
 *
 * Every epoch cuts the windows at another offset, so that over epochs every token is seen in every place. The offset comes from the
 * epoch (and `seed`), never from what was drawn before: samples can be had in any order, by anyone.
 * Legend: B batch, T sequence (seqLen).
 */
import { Generator, type Tensor, ValueError } from "@lockstep/core";
import type { SampleRef } from "../sampler/sample-ref.js";
import { assertSamples, type Dataset } from "./dataset.js";
import { tensorOf } from "./tensor-of.js";

export interface TextDatasetOptions {
  /** T. A window has one token more: the target of its last input. */
  readonly seqLen: number;
  /** Checks that all tokens are in 0..vocabSize-1. */
  readonly vocabSize?: number;
  /** "perEpoch" (default) for training; "zero" for evaluation: the same windows always, and as many as fit. */
  readonly offset?: "perEpoch" | "zero";
  /** With the epoch, the key of the offset. Default 0. */
  readonly seed?: number;
}

/** targets[b, t] is the token that follows inputs[b, t]. */
export interface TokenBatch {
  /** [B, T] i32 */
  readonly inputs: Tensor;
  /** [B, T] i32 */
  readonly targets: Tensor;
}

export interface TextDataset extends Dataset<TokenBatch> {
  readonly seqLen: number;
  readonly numTokens: number;
  /** The T + 1 tokens of a sample. */
  window(sample: SampleRef): Int32Array;
}

/**
 * Windows of a list of tokens. `tokens` is not copied and must not change.
 *
 * @throws {ValueError} E_TEXT_EMPTY, E_TEXT_TOO_SHORT (fewer than seqLen + 1 tokens), E_TOKEN_RANGE with the first bad position,
 *   E_VALUE for seqLen.
 */
export function textDataset(tokens: Int32Array, options: TextDatasetOptions): TextDataset {
  const { seqLen, vocabSize, offset = "perEpoch", seed = 0 } = options;
  if (!Number.isInteger(seqLen) || seqLen < 1) {
    throw new ValueError(`textDataset: seqLen is ${seqLen}; it must be a whole number of at least 1.`, { seqLen });
  }
  assertTokens(tokens, seqLen, vocabSize);
  const windowLength = seqLen + 1;
  // A whole window is left free for the offset, unless that leaves no sample.
  const spare = offset === "zero" ? 0 : windowLength - 1;
  const size = Math.max(1, Math.floor((tokens.length - spare) / windowLength));
  const largestOffset = Math.min(spare, tokens.length - size * windowLength);
  let cached = { epoch: -1, offset: 0 };
  const offsetOf = (epoch: number): number => {
    if (cached.epoch !== epoch) {
      cached = { epoch, offset: new Generator(seed, { stream: epoch }).integer(largestOffset + 1) };
    }
    return cached.offset;
  };
  const window = ({ epoch, index }: SampleRef): Int32Array => {
    const begin = offsetOf(epoch) + index * windowLength;
    return tokens.subarray(begin, begin + windowLength);
  };
  return {
    size,
    seqLen,
    numTokens: tokens.length,
    window(sample) {
      assertSamples("textDataset.window", [sample], size);
      return window(sample);
    },
    batch(samples) {
      assertSamples("textDataset.batch", samples, size);
      const inputs = new Int32Array(samples.length * seqLen);
      const targets = new Int32Array(samples.length * seqLen);
      for (const [row, sample] of samples.entries()) {
        const piece = window(sample);
        inputs.set(piece.subarray(0, seqLen), row * seqLen);
        targets.set(piece.subarray(1), row * seqLen);
      }
      const shape = [samples.length, seqLen];
      return { inputs: tensorOf(inputs, shape), targets: tensorOf(targets, shape) };
    },
  };
}

function assertTokens(tokens: Int32Array, seqLen: number, vocabSize: number | undefined): void {
  if (tokens.length === 0) {
    throw new ValueError(
      "textDataset: the text is empty (0 tokens); it must have at least one window. Check the files of the job.",
      { numTokens: 0 },
      "E_TEXT_EMPTY",
    );
  }
  if (tokens.length < seqLen + 1) {
    throw new ValueError(
      `textDataset: the text has ${tokens.length} tokens; it must have at least ${seqLen + 1}, one window (seqLen ${seqLen} and one target). Give more text or lower seqLen.`,
      { numTokens: tokens.length, seqLen },
      "E_TEXT_TOO_SHORT",
    );
  }
  if (vocabSize === undefined) return;
  for (let position = 0; position < tokens.length; position++) {
    const token = tokens[position]!;
    if (token < 0 || token >= vocabSize) {
      throw new ValueError(
        `textDataset: token ${token} at position ${position} is out of the vocabulary; it must be in 0..${vocabSize - 1}. Encode the text with the model's own tokenizer.`,
        { token, position, vocabSize },
        "E_TOKEN_RANGE",
      );
    }
  }
}
