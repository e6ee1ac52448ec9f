import {
  createCpuBackend,
  losses,
  microBatchScope,
  noGrad,
  scope,
  seedScope,
  type Tensor,
  tensor,
  withBackend,
} from "@lockstep/core";
import { describe, expect, test } from "vitest";
import { Gpt, gptConfig, gptLoss } from "../index.js";

const config = { vocabSize: 11, seqLen: 8, numLayers: 2, numHeads: 2, embedDim: 12 };
const make = (seed = 1, extra = {}) => seedScope(seed, () => new Gpt({ ...config, ...extra }));
const idsOf = (...rows: number[][]) => tensor(rows, { dtype: "i32" });

describe("Gpt", () => {
  test("has the parameters of the model it is named after", () => {
    const count = (model: Gpt) => model.parameters().reduce((sum, parameter) => sum + parameter.size, 0);
    expect(count(new Gpt(gptConfig("gpt-small")))).toBe(818_048);
    // 12 C^2 + 13 C a layer, (V + T) C in the embeddings, 2 C in the last norm.
    const C = 12;
    expect(count(make())).toBe(2 * (12 * C * C + 13 * C) + (11 + 8) * C + 2 * C);
  });

  test("has the initial weights of GPT-2", () => {
    const model = seedScope(3, () => new Gpt(gptConfig("gpt-nano", { embedDim: 64 })));
    for (const [name, parameter] of model.namedParameters()) {
      const values = Float64Array.from(parameter.dataSync());
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const std = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
      if (name.endsWith("bias")) expect([mean, std], name).toEqual([0, 0]);
      else if (/norm\d?\.weight$/i.test(name)) expect([mean, std], name).toEqual([1, 0]);
      else expect(std / (name.endsWith("proj.weight") ? 0.01 : 0.02), name).toBeCloseTo(1, 1);
    }
  });

  test("has the same weights for the same seed, others for another", () => {
    const bits = (seed: number) => [...make(seed).parameters()[0]!.dataSync()];
    expect(bits(5)).toEqual(bits(5));
    expect(bits(5)).not.toEqual(bits(6));
  });

  test("does not see the future", () => {
    const model = make();
    const logits = (row: number[]) => model.forward(idsOf(row)).toArraySync() as number[][][];
    const [first, second] = [logits([1, 2, 3, 4, 5])[0]!, logits([1, 2, 3, 9, 0])[0]!];
    expect(first.slice(0, 3)).toEqual(second.slice(0, 3));
    expect(first[3]).not.toEqual(second[3]);
  });

  test("gives the last position's logits alone", () => {
    const model = make();
    const ids = idsOf([1, 2, 3], [4, 5, 6]);
    const all = model.forward(ids).toArraySync() as number[][][];
    const last = model.forwardLast(ids).toArraySync() as number[][];
    for (const [b, row] of last.entries()) {
      for (const [v, value] of row.entries()) expect(value).toBeCloseTo(all[b]![2]![v]!, 6);
    }
  });

  test("sends gradients to the token embedding from both of its uses", () => {
    const model = make();
    const { sum } = losses.crossEntropy(model.forward(idsOf([1, 2])), idsOf([2, 3]));
    sum.backward();
    const grad = model.tokenEmbedding.weight.grad!.toArraySync() as number[][];
    // Row 7 is no input: what it gets comes from the head.
    expect(grad[7]!.some((value) => value !== 0)).toBe(true);
    const isLarger = (row: number[], than: number[]) =>
      Math.max(...row.map(Math.abs)) > Math.max(...than.map(Math.abs));
    expect(isLarger(grad[1]!, grad[7]!)).toBe(true);
  });

  test("drops in training alone, and the same elements for the same micro-batch", () => {
    const model = make(1, { dropout: 0.5 });
    const run = (m: number) =>
      microBatchScope({ seed: 1, step: 0, m }, () => [...model.forward(idsOf([1, 2, 3])).dataSync()]);
    expect(run(0)).toEqual(run(0));
    expect(run(0)).not.toEqual(run(1));
    model.eval();
    expect(run(0)).toEqual(run(1));
  });

  test("gptLoss sums over tokens and counts them", () => {
    const model = make();
    const { sum, weight } = gptLoss(model, { inputs: idsOf([1, 2, 3]), targets: idsOf([2, 3, 4]) });
    expect(weight).toBe(3);
    expect(sum.itemSync() / 3).toBeCloseTo(Math.log(11), 1);
  });

  test("gptLoss of more logits than 64 MiB has the bits of all logits, and takes less memory", () => {
    const large = { vocabSize: 50_257, seqLen: 340, numLayers: 1, numHeads: 1, embedDim: 4 };
    const outcome = (lossOf: (model: Gpt, batch: { inputs: Tensor; targets: Tensor }) => losses.LossSum) => {
      const backend = createCpuBackend();
      const found = withBackend(backend, () =>
        scope(() => {
          const model = seedScope(1, () => new Gpt(large));
          const ids = Int32Array.from({ length: 340 }, (_, i) => (i * 7919) % 50_257);
          const [inputs, targets] = [ids, ids.toReversed()].map((values) => tensor(values, { shape: [1, 340] }));
          const { sum, weight } = lossOf(model, { inputs: inputs!, targets: targets! });
          sum.backward();
          const gradients = model.parameters().map(({ grad }) => backend.kernels.hash([grad!]));
          return { sum: sum.itemSync(), weight, gradients };
        }),
      );
      const { peakBytes } = backend.memory();
      backend.dispose();
      return { found, peakBytes };
    };
    const [inPieces, whole] = [
      outcome(gptLoss),
      outcome((model, { inputs, targets }) => losses.crossEntropy(model.forward(inputs), targets)),
    ];
    expect(inPieces.found).toEqual(whole.found);
    expect(inPieces.found.weight).toBe(340);
    // Two pieces of 64 MiB instead of logits and their gradient.
    expect(inPieces.peakBytes).toBeLessThan(whole.peakBytes);
  });

  test.each([
    {
      ids: () => idsOf([1, 2, 3, 4, 5, 6, 7, 8, 9]),
      message: "Gpt: ids are [1,9]; they must be [B,T] with T in 1..8 (seqLen). Cut the text or raise seqLen.",
    },
    {
      ids: () => tensor([1, 2], { dtype: "i32" }),
      message: "Gpt: ids are [2]; they must be [B,T] with T in 1..8 (seqLen). Cut the text or raise seqLen.",
    },
  ])("says: $message", ({ ids, message }) => {
    expect(() => noGrad(() => make().forward(ids()))).toThrow(expect.objectContaining({ name: "ShapeError", message }));
  });

  test("names a token out of the vocabulary", () => {
    expect(() => make().forward(idsOf([1, 11]))).toThrow(expect.objectContaining({ code: "E_INDEX_RANGE" }));
  });
});
