/** Legend: B texts, T tokens. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  decodeSafetensors,
  type LockstepError,
  losses,
  type nn,
  optim,
  scope,
  seedScope,
  type Tensor,
  tensor,
} from "@lockstep/core";
import { describe, expect, test } from "vitest";
import { RecurrentClassifier, type RecurrentClassifierConfig, type TextInputs } from "./recurrent-classifier.js";
import { TransformerClassifier, type TransformerClassifierConfig } from "./transformer-classifier.js";

/** Written by tools/golden/text_models.py with PyTorch; core's golden tests check that script and file belong together. */
const path = fileURLToPath(new URL("../../../core/testdata/golden/text_models.safetensors", import.meta.url));
const { tensors } = decodeSafetensors(readFileSync(path), { source: "text_models.safetensors" });

const recurrentConfig: RecurrentClassifierConfig = { vocabSize: 11, numClasses: 3, embedDim: 6, hiddenDim: 5 };
const transformerConfig: TransformerClassifierConfig = {
  ...{ vocabSize: 11, numClasses: 3, embedDim: 8 },
  ...{ seqLen: 9, numHeads: 2, numLayers: 2, feedforwardDim: 12 },
};

type Classifier = nn.Module & { forward(ids: Tensor, inputs?: TextInputs): Tensor };
const models: Readonly<Record<string, () => Classifier>> = {
  lstm: () => new RecurrentClassifier(recurrentConfig),
  lstmDeep: () => new RecurrentClassifier({ ...recurrentConfig, numLayers: 2, bidirectional: true }),
  gru: () => new RecurrentClassifier({ ...recurrentConfig, cell: "gru", bidirectional: true }),
  learned: () => new TransformerClassifier(transformerConfig),
  sinusoidal: () => new TransformerClassifier({ ...transformerConfig, positions: "sinusoidal" }),
};
const names = Object.keys(models);
const ids = (rows: readonly (readonly number[])[]) => tensor(rows as number[][], { dtype: "i32" });
const texts = [[3, 1, 4, 1, 5, 9, 2], [2, 7, 1], [8]];

/** One batch, filled up with a token. */
function padded(filler: number) {
  return {
    x: ids(texts.map((text) => [...text, ...new Array<number>(9 - text.length).fill(filler)])),
    lengths: texts.map((t) => t.length),
  };
}
const worst = (a: Tensor, b: Tensor): number => Math.max(...a.sub(b).abs().dataSync());

describe.each(names)("%s classifier", (name) => {
  test("gives the output and gradients that PyTorch gives, under its own weight names", () => {
    const model = models[name]!();
    const stored = (part: string) => tensors.get(`${name}/${part}`)!;
    const prefix = `${name}/weight/`;
    const weights = [...tensors].filter(([key]) => key.startsWith(prefix));
    model.loadStateDict(weights.map(([key, value]) => [key.slice(prefix.length), value]));
    const asTensor = (part: string) => tensor(stored(part).data, { shape: stored(part).shape });
    const out = model.forward(asTensor("ids"), { lengths: asTensor("lengths") });
    expect(worst(out, asTensor("out"))).toBeLessThan(5e-6);
    out.backward({ cotangent: asTensor("cotangent") });
    for (const [key, parameter] of model.namedParameters()) {
      expect(worst(parameter.grad!, asTensor(`grad/${key}`)), key).toBeLessThan(5e-5);
    }
  });

  test("a text gives the same alone as in a batch, whatever the padding holds", () => {
    const model = seedScope(1, models[name]!);
    const { x, lengths } = padded(0);
    const batch = model.forward(x, { lengths });
    expect([...model.forward(padded(10).x, { lengths }).dataSync()]).toEqual([...batch.dataSync()]);
    for (const [b, text] of texts.entries()) {
      expect(worst(model.forward(ids([text])), batch.narrow(0, b, 1))).toBeLessThan(1e-6);
    }
    expect(worst(model.forward(x), batch)).toBeGreaterThan(1e-3);
  });

  test("learns whether a text's first token is below its last one", () => {
    const model = seedScope(4, models[name]!);
    const samples = Array.from({ length: 48 }, (_, i) => [
      (i * 7) % 11,
      (i * 5 + 3) % 11,
      (i * i) % 11,
      (i * 3 + 1) % 11,
    ]);
    const x = ids(samples);
    const y = tensor(Int32Array.from(samples, ([first, , , last]) => (first! < last! ? 1 : 0)));
    const optimizer = new optim.AdamW(model.parameters(), { learningRate: 0.02 });
    const step = () => {
      const loss = scope(() => {
        const mean = losses.meanLoss(
          losses.crossEntropy(model.forward(x, { lengths: new Array<number>(48).fill(4) }), y),
        );
        mean.backward();
        return mean.itemSync();
      });
      optimizer.step();
      optimizer.zeroGrad();
      return loss;
    };
    const first = step();
    for (let i = 0; i < 60; i++) step();
    expect(first).toBeGreaterThan(0.5);
    expect(step()).toBeLessThan(0.05);
  });
});

test("dropout is active in training alone", () => {
  for (const model of [
    new RecurrentClassifier({ ...recurrentConfig, dropout: 0.5 }),
    new TransformerClassifier({ ...transformerConfig, dropout: 0.5 }),
  ]) {
    const { x, lengths } = padded(0);
    const run = () => [...model.forward(x, { lengths }).dataSync()];
    expect(run()).not.toEqual(run());
    model.eval();
    expect(run()).toEqual(run());
  }
});

test.each([
  {
    run: () => new RecurrentClassifier({ ...recurrentConfig, hiddenDim: 0 }),
    code: "E_MODEL_CONFIG",
    message: "RecurrentClassifier: hiddenDim is 0; it must be a whole number of at least 1.",
  },
  {
    run: () => new RecurrentClassifier({ ...recurrentConfig, cell: "rnn" as "gru" }),
    code: "E_MODEL_CONFIG",
    message: 'RecurrentClassifier: cell is "rnn"; it must be one of lstm, gru.',
  },
  {
    run: () => new TransformerClassifier({ ...transformerConfig, numHeads: 3 }),
    code: "E_MODEL_CONFIG",
    message: "TransformerClassifier: embedDim is 8 and numHeads 3; the second must divide the first.",
  },
  {
    run: () => new TransformerClassifier({ ...transformerConfig, dropout: 1 }),
    code: "E_MODEL_CONFIG",
    message: "TransformerClassifier: dropout is 1; it must be in [0, 1).",
  },
  {
    run: () => models.lstm!().forward(tensor([1, 2], { dtype: "i32" })),
    code: "E_SHAPE",
    message: "RecurrentClassifier: ids are [2]; they must be [B,T] with at least one text and one token.",
  },
  {
    run: () => models.learned!().forward(padded(0).x, { lengths: [1, 2] }),
    code: "E_SHAPE",
    message: "TransformerClassifier: there are 2 lengths and 3 sequences; there must be one for each.",
  },
  {
    run: () => models.learned!().forward(padded(0).x, { lengths: [1, 2, 10] }),
    code: "E_SEQUENCE_LENGTH",
    message:
      "TransformerClassifier: the length at position 2 is 10; it must be a whole number in 1..9, the steps of a row.",
  },
])("says: $message", ({ run, code, message }) => {
  expect(run).toThrow(expect.objectContaining({ code, message } satisfies Partial<LockstepError>));
});
