/**
 * @file Chooses the next token from logits, on the host: the same token on every engine, because probabilities are computed in f64 by
 * scalar-math and ties go to the smaller id.
 */
import { type Generator, scalarMath, ValueError } from "@lockstep/core";

export interface SamplingOptions {
  /** Divides the logits. 0 is greedy: the most probable token always. Default 1. */
  readonly temperature?: number;
  /** Only the k most probable tokens. Default: all. */
  readonly topK?: number;
  /** Only the most probable tokens that together reach this probability, in (0, 1]. Applied after topK. Default 1. */
  readonly topP?: number;
}

/** @throws {ValueError} E_VALUE for an option out of range. */
export function assertSamplingOptions({ temperature = 1, topK, topP = 1 }: SamplingOptions): void {
  if (!(temperature >= 0 && temperature < Number.POSITIVE_INFINITY)) {
    throw new ValueError(`generate: temperature is ${temperature}; it must be a finite number of at least 0.`, {
      temperature,
    });
  }
  if (topK !== undefined && (!Number.isInteger(topK) || topK < 1)) {
    throw new ValueError(`generate: topK is ${topK}; it must be a whole number of at least 1.`, { topK });
  }
  if (!(topP > 0 && topP <= 1)) throw new ValueError(`generate: topP is ${topP}; it must be in (0, 1].`, { topP });
}

/**
 * A token, drawn in proportion to its probability among those that topK and topP leave. One uniform number is drawn, none when greedy.
 *
 * @param logits one number a token of the vocabulary
 * @throws {ValueError} E_NOT_FINITE when a logit is NaN or infinite.
 * @source Holtzman et al. 2020 (nucleus sampling) for topP; Fan, Lewis and Dauphin 2018 for topK.
 */
export function sampleToken(logits: Float32Array, options: SamplingOptions, generator: Generator): number {
  const { temperature = 1, topK = logits.length, topP = 1 } = options;
  assertFiniteLogits("sampleToken", logits);
  if (temperature === 0 || topK === 1) return indexOfLargest(logits);
  const isCut = topK < logits.length || topP < 1;
  const order = Array.from(logits.keys());
  if (isCut) order.sort((a, b) => logits[b]! - logits[a]! || a - b);
  const kept = order.slice(0, topK);
  const largest = logits[indexOfLargest(logits)]!;
  const weights = kept.map((token) => scalarMath.exp((logits[token]! - largest) / temperature));
  const count = topP < 1 ? countReaching(weights, topP) : weights.length;
  let total = 0;
  for (let i = 0; i < count; i++) total += weights[i]!;
  let rest = generator.uniform() * total;
  for (let i = 0; i < count; i++) {
    rest -= weights[i]!;
    if (rest < 0) return kept[i]!;
  }
  return kept[count - 1]!;
}

/** How many of the (descending) weights together reach `part` of their sum. */
function countReaching(weights: readonly number[], part: number): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  for (const [i, weight] of weights.entries()) {
    sum += weight;
    if (sum >= part * total) return i + 1;
  }
  return weights.length;
}

function indexOfLargest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** @throws {ValueError} E_NOT_FINITE naming the first logit that is NaN or infinite. */
function assertFiniteLogits(where: string, logits: Float32Array): void {
  const bad = logits.findIndex((logit) => !Number.isFinite(logit));
  if (bad < 0) return;
  throw new ValueError(
    `${where}: the logit of token ${bad} is ${logits[bad]}; all logits must be finite. The model's weights are probably not.`,
    { token: bad, logit: logits[bad] },
    "E_NOT_FINITE",
  );
}
