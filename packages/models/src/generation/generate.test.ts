import { seedScope, type Tensor, tensor } from "@lockstep/core";
import { describe, expect, test } from "vitest";
import { Gpt, generate, generateText, isLanguageModel } from "../index.js";

const config = { vocabSize: 5, seqLen: 4 };

/** Predicts the token after the last one, by a wide margin. */
const counter = {
  config,
  seen: [] as number[][],
  forward(ids: Tensor): Tensor {
    const row = (ids.toArraySync() as number[][])[0]!;
    this.seen.push(row);
    return tensor([row.map((id) => Array.from({ length: 5 }, (_, v) => (v === (id + 1) % 5 ? 50 : 0)))]);
  },
};
const gpt = seedScope(4, () => new Gpt({ ...config, numLayers: 1, numHeads: 1, embedDim: 8, dropout: 0.5 }));

describe("generate", () => {
  test("goes on from the prompt, seeing the last seqLen tokens, and reports each token", () => {
    counter.seen.length = 0;
    const reported: number[] = [];
    const tokens = generate(counter, [3, 4], { maxNewTokens: 6, onToken: (token) => reported.push(token) });
    expect([...tokens]).toEqual([0, 1, 2, 3, 4, 0]);
    expect(reported).toEqual([...tokens]);
    expect(counter.seen.slice(-2)).toEqual([
      [0, 1, 2, 3],
      [1, 2, 3, 4],
    ]);
  });

  test("stops before the stop token", () => {
    expect([...generate(counter, [0], { maxNewTokens: 9, stopToken: 3 })]).toEqual([1, 2]);
  });

  test("gives the same tokens for the same seed, others for another, and leaves dropout as it was", () => {
    const run = (seed: number) => [...generate(gpt, [1, 2], { maxNewTokens: 30, seed })];
    expect(run(1)).toEqual(run(1));
    expect(run(1)).not.toEqual(run(2));
    expect([gpt.training, gpt.dropout.training]).toEqual([true, true]);
  });

  test("is greedy at temperature 0, whatever the seed", () => {
    const run = (seed: number) => [...generate(gpt, [1], { maxNewTokens: 10, temperature: 0, seed })];
    expect(run(1)).toEqual(run(2));
  });

  test("frees what it allocates", () => {
    const { backend } = gpt.parameters()[0]!;
    generate(gpt, [1], { maxNewTokens: 2 });
    const before = backend.memory().numBuffers;
    generate(gpt, [1], { maxNewTokens: 20 });
    expect(backend.memory().numBuffers).toBe(before);
  });

  test.each([
    {
      make: () => generate(counter, [], { maxNewTokens: 1 }),
      code: "E_PROMPT",
      message: "generate: the prompt is empty; it must have at least one token.",
    },
    {
      make: () => generate(counter, [1, 5], { maxNewTokens: 1 }),
      code: "E_TOKEN_RANGE",
      message: "generate: token 5 at position 1 of the prompt is out of the vocabulary; it must be in 0..4.",
    },
    {
      make: () => generate(counter, [1], { maxNewTokens: -1 }),
      code: "E_VALUE",
      message: "generate: maxNewTokens is -1; it must be a whole number of at least 0.",
    },
    {
      make: () => generate(counter, [1], { maxNewTokens: 1, topP: 2 }),
      code: "E_VALUE",
      message: "generate: topP is 2; it must be in (0, 1].",
    },
  ])("says: $message", ({ make, code, message }) => {
    expect(make).toThrow(expect.objectContaining({ name: "ValueError", code, message }));
  });
});

describe("generateText", () => {
  /** "é" is the two tokens 1 and 2; any other token is its digit. */
  const codec = {
    encode: (text: string) => Array.from(text, Number),
    decode: (ids: ArrayLike<number>) => Array.from(ids).join("").replaceAll("12", "é").replaceAll("1", "\ufffd"),
  };
  test("gives whole characters piece by piece, and the whole text", () => {
    const pieces: string[] = [];
    const text = generateText(counter, codec, { prompt: "4", maxTokens: 6, onText: (piece) => pieces.push(piece) });
    expect(text).toBe("0é340");
    expect(pieces).toEqual(["0", "é", "3", "4", "0"]);
  });
});

test("isLanguageModel knows a Gpt from anything else", () => {
  expect([gpt, counter, {}, null, { forward() {} }, { forward() {}, config: null }].map(isLanguageModel)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});
