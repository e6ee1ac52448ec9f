import { Tensor } from "@lockstep/core";
import { describe, expect, test } from "vitest";
import { charTokenizer, encodeDocuments, splitDocuments, textDataset } from "../index.js";

const tokens = Int32Array.from({ length: 103 }, (_, i) => i);

describe("textDataset", () => {
  test("cuts windows that do not overlap, at one offset an epoch", () => {
    const dataset = textDataset(tokens, { seqLen: 9 });
    expect(dataset.size).toBe(9);
    const offsets = new Set<number>();
    for (let epoch = 0; epoch < 40; epoch++) {
      const starts = Array.from({ length: dataset.size }, (_, index) => dataset.window({ epoch, index })[0]!);
      for (const [index, start] of starts.entries()) expect(start).toBe(starts[0]! + 10 * index);
      expect([...dataset.window({ epoch, index: 8 })]).toEqual([...tokens.subarray(starts[8]!, starts[8]! + 10)]);
      offsets.add(starts[0]!);
    }
    expect([...offsets].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("gives the same window whatever was asked before", () => {
    const [first, second] = [textDataset(tokens, { seqLen: 9 }), textDataset(tokens, { seqLen: 9 })];
    const ask = (dataset: typeof first, epoch: number) => [...dataset.window({ epoch, index: 3 })];
    const inOrder = [0, 1, 2].map((epoch) => ask(first, epoch));
    expect([2, 0, 1].map((epoch) => ask(second, epoch))).toEqual([inOrder[2], inOrder[0], inOrder[1]]);
  });

  test("keeps the offset 0 and uses every window for evaluation", () => {
    const dataset = textDataset(tokens, { seqLen: 9, offset: "zero" });
    expect(dataset.size).toBe(10);
    expect(dataset.window({ epoch: 5, index: 9 })[0]).toBe(90);
  });

  test("makes one sample of a text that has just one window", () => {
    const dataset = textDataset(tokens.subarray(0, 10), { seqLen: 9 });
    expect(dataset.size).toBe(1);
    expect([...dataset.window({ epoch: 3, index: 0 })]).toEqual([...tokens.subarray(0, 10)]);
  });

  test("batches inputs and the tokens that follow them", () => {
    const dataset = textDataset(tokens, { seqLen: 3, offset: "zero" });
    const { inputs, targets } = dataset.batch([
      { epoch: 0, index: 2 },
      { epoch: 0, index: 0 },
    ]);
    expect(inputs).toBeInstanceOf(Tensor);
    expect([inputs.dtype, targets.dtype]).toEqual(["i32", "i32"]);
    expect(inputs.toArraySync()).toEqual([
      [8, 9, 10],
      [0, 1, 2],
    ]);
    expect(targets.toArraySync()).toEqual([
      [9, 10, 11],
      [1, 2, 3],
    ]);
  });

  test.each([
    {
      make: () => textDataset(new Int32Array(0), { seqLen: 4 }),
      code: "E_TEXT_EMPTY",
      message:
        "textDataset: the text is empty (0 tokens); it must have at least one window. Check the files of the job.",
    },
    {
      make: () => textDataset(new Int32Array(4), { seqLen: 4 }),
      code: "E_TEXT_TOO_SHORT",
      message:
        "textDataset: the text has 4 tokens; it must have at least 5, one window (seqLen 4 and one target). Give more text or lower seqLen.",
    },
    {
      make: () => textDataset(tokens, { seqLen: 4, vocabSize: 65 }),
      code: "E_TOKEN_RANGE",
      message:
        "textDataset: token 65 at position 65 is out of the vocabulary; it must be in 0..64. Encode the text with the model's own tokenizer.",
    },
    {
      make: () => textDataset(tokens, { seqLen: 0 }),
      code: "E_VALUE",
      message: "textDataset: seqLen is 0; it must be a whole number of at least 1.",
    },
    {
      make: () => textDataset(tokens, { seqLen: 9 }).window({ epoch: 0, index: 9 }),
      code: "E_SAMPLE",
      message: "textDataset.window: a sample is {epoch: 0, index: 9}; index must be in 0..8 and epoch at least 0.",
    },
    {
      make: () => textDataset(tokens, { seqLen: 9 }).batch([]),
      code: "E_SAMPLE",
      message: "textDataset.batch: samples is empty; a batch must have at least one sample.",
    },
  ])("says: $message", ({ make, code, message }) => {
    expect(make).toThrow(expect.objectContaining({ name: "ValueError", code, message }));
  });
});

describe("encodeDocuments", () => {
  const tokenizer = charTokenizer("abc|");
  test("puts the separator behind every document and leaves empty ones out", () => {
    expect(tokenizer.decode(encodeDocuments(tokenizer, ["ab", "", "c"], { separator: "|" }))).toBe("ab|c|");
  });
  test("refuses documents without any text", () => {
    const message = "encodeDocuments: none of 2 documents has any text; at least one must. Check the files of the job.";
    expect(() => encodeDocuments(tokenizer, ["", ""])).toThrow(
      expect.objectContaining({ code: "E_TEXT_EMPTY", message }),
    );
  });
});

describe("splitDocuments", () => {
  test("holds out the last of every group, so that more documents do not move the split", () => {
    expect(splitDocuments([0, 1, 2, 3, 4, 5, 6], { evalEvery: 3 })).toEqual({ train: [0, 1, 3, 4, 6], eval: [2, 5] });
  });
  test("refuses a group larger than the list", () => {
    const message =
      "splitDocuments: evalEvery is 9 and there are 2 documents; evalEvery must be a whole number in 2..2.";
    expect(() => splitDocuments(["a", "b"], { evalEvery: 9 })).toThrow(
      expect.objectContaining({ code: "E_VALUE", message }),
    );
  });
});
