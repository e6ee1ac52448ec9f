import { describe, expect, test } from "vitest";
import { type GptName, gptConfig } from "./gpt-config.js";

describe("gptConfig", () => {
  test("gives GPT-2's sizes by name, some of them replaced", () => {
    expect(gptConfig("gpt2-124m", { seqLen: 256, dropout: 0.1 })).toEqual({
      vocabSize: 50257,
      seqLen: 256,
      numLayers: 12,
      numHeads: 12,
      embedDim: 768,
      dropout: 0.1,
    });
  });

  test.each([
    {
      make: () => gptConfig("gpt-huge" as GptName),
      code: "E_MODEL_NAME",
      message: 'gptConfig: there is no model "gpt-huge"; the names are gpt-nano, gpt-small, gpt-big, gpt2-124m.',
    },
    {
      make: () => gptConfig("gpt-nano", { numLayers: 0 }),
      code: "E_MODEL_CONFIG",
      message: "Gpt: numLayers is 0; it must be a whole number of at least 1.",
    },
    {
      make: () => gptConfig("gpt-nano", { numHeads: 3 }),
      code: "E_MODEL_CONFIG",
      message: "Gpt: embedDim is 32 and numHeads 3; the second must divide the first.",
    },
    {
      make: () => gptConfig("gpt-nano", { dropout: 1 }),
      code: "E_MODEL_CONFIG",
      message: "Gpt: dropout is 1; it must be in [0, 1).",
    },
  ])("says: $message", ({ make, code, message }) => {
    expect(make).toThrow(expect.objectContaining({ name: "ValueError", code, message }));
  });
});
