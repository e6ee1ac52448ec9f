import { Generator } from "@lockstep/core";
import { describe, expect, test } from "vitest";
import { assertSamplingOptions, type SamplingOptions, sampleToken } from "./sample-token.js";

const logits = Float32Array.from([0.5, 2, -1, 2, 1]);

/** How often each token is drawn in `count` draws. */
function frequencies(options: SamplingOptions, count = 20_000): number[] {
  const generator = new Generator(3);
  const counts = new Array<number>(logits.length).fill(0);
  for (let i = 0; i < count; i++) counts[sampleToken(logits, options, generator)]! += 1;
  return counts.map((n) => n / count);
}
/** softmax(logits / temperature) over the tokens that are kept. */
function expected(temperature: number, kept: readonly number[]): number[] {
  const weights = Array.from(logits, (logit, i) => (kept.includes(i) ? Math.exp(logit / temperature) : 0));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

describe("sampleToken", () => {
  const all = [0, 1, 2, 3, 4];
  test.each([
    { name: "all tokens", options: {}, kept: all, temperature: 1 },
    { name: "a flatter distribution at temperature 2", options: { temperature: 2 }, kept: all, temperature: 2 },
    { name: "the three most probable", options: { topK: 3 }, kept: [1, 3, 4], temperature: 1 },
    // 0.37 + 0.37 = 0.74 is not yet 0.8; with 0.14 it is.
    { name: "the nucleus", options: { topP: 0.8 }, kept: [1, 3, 4], temperature: 1 },
    { name: "the nucleus of the three most probable", options: { topK: 3, topP: 0.8 }, kept: [1, 3], temperature: 1 },
  ])("draws $name in proportion to probability", ({ options, kept, temperature }) => {
    const found = frequencies(options);
    for (const [i, probability] of expected(temperature, kept).entries()) {
      if (probability === 0) expect(found[i]).toBe(0);
      expect(found[i]).toBeCloseTo(probability, 1.7);
    }
  });

  test("takes the most probable token, of equals the smaller id, at temperature 0", () => {
    expect(frequencies({ temperature: 0 }, 10)).toEqual([0, 1, 0, 0, 0]);
    expect(frequencies({ topK: 1 }, 10)).toEqual([0, 1, 0, 0, 0]);
  });

  test("refuses logits that are not finite, naming the token", () => {
    const message =
      "sampleToken: the logit of token 1 is NaN; all logits must be finite. The model's weights are probably not.";
    expect(() => sampleToken(Float32Array.from([0, Number.NaN]), {}, new Generator(1))).toThrow(
      expect.objectContaining({ code: "E_NOT_FINITE", message }),
    );
  });

  test.each([
    { options: { temperature: -1 }, message: "generate: temperature is -1; it must be a finite number of at least 0." },
    { options: { topK: 0 }, message: "generate: topK is 0; it must be a whole number of at least 1." },
    { options: { topP: 0 }, message: "generate: topP is 0; it must be in (0, 1]." },
  ])("says: $message", ({ options, message }) => {
    expect(() => assertSamplingOptions(options)).toThrow(expect.objectContaining({ name: "ValueError", message }));
  });
});
