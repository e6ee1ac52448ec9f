import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { clipGradNorm, decodeSafetensors, losses, optim, scope, tensor } from "@lockstep/core";
import { describe, expect, test } from "vitest";
import { Gpt } from "./gpt.js";

/** Written by tools/golden/model.py with PyTorch; core's golden tests check that script and file belong together. */
const path = fileURLToPath(new URL("../../../core/testdata/golden/model.safetensors", import.meta.url));
const { tensors, metadata } = decodeSafetensors(readFileSync(path), { source: "model.safetensors" });
const config = {
  vocabSize: Number(metadata.vocabSize),
  seqLen: Number(metadata.seqLen),
  embedDim: Number(metadata.embedDim),
  numHeads: Number(metadata.numHeads),
  numLayers: Number(metadata.numLayers),
};

function goldenModel(): Gpt {
  const model = new Gpt(config);
  const weights = [...tensors].filter(([key]) => key.startsWith("init/"));
  model.loadStateDict(weights.map(([key, value]) => [key.slice("init/".length), value]));
  return model;
}
const stored = (name: string) => {
  const { data, shape } = tensors.get(name)!;
  return tensor(data, { shape });
};
function worstDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let worst = 0;
  for (let i = 0; i < expected.length; i++) worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!));
  return worst;
}

describe("a two-layer GPT against PyTorch", () => {
  test("gives the same logits and the same gradients of the first step", () => {
    const model = goldenModel();
    const logits = model.forward(stored("inputs"));
    expect(worstDifference(logits.dataSync(), tensors.get("logits")!.data)).toBeLessThan(2e-6);
    losses.meanLoss(losses.crossEntropy(logits, stored("targets"))).backward();
    const parameters = model.namedParameters();
    expect(parameters.length).toBe(28);
    for (const [name, parameter] of parameters) {
      const expected = tensors.get(`grad/${name}`)!.data;
      expect(worstDifference(parameter.grad!.dataSync(), expected), name).toBeLessThan(5e-7);
    }
  });

  test("goes down the same loss curve for 50 steps of AdamW with clipping", () => {
    const model = goldenModel();
    const isMatrix = (p: { readonly shape: readonly number[] }) => p.shape.length >= 2;
    const optimizer = new optim.AdamW(
      [
        { parameters: model.parameters().filter(isMatrix), weightDecay: 0.1 },
        { parameters: model.parameters().filter((p) => !isMatrix(p)), weightDecay: 0 },
      ],
      { learningRate: 3e-3, betas: [0.9, 0.95] },
    );
    const [inputs, targets] = [stored("inputs"), stored("targets")];
    const curve = Array.from({ length: 50 }, () => {
      const loss = scope(() => {
        const mean = losses.meanLoss(losses.crossEntropy(model.forward(inputs), targets));
        mean.backward();
        return mean.itemSync();
      });
      clipGradNorm(model.parameters(), 1);
      optimizer.step();
      optimizer.zeroGrad();
      return loss;
    });
    const expected = tensors.get("losses")!.data;
    expect(worstDifference(curve.slice(0, 10), expected.subarray(0, 10))).toBeLessThan(1e-5);
    // Rounding differs between the two and grows along the way.
    expect(worstDifference(curve, expected)).toBeLessThan(2e-5);
    expect(curve[49]).toBeLessThan(0.9);
  });
});
