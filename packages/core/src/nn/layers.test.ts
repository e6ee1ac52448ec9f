import { describe, expect, test } from "vitest";
import { microBatchScope } from "../autograd/micro-batch-scope.js";
import "../ops/tensor-methods.js";
import { seedScope } from "../rng/index.js";
import { tensor } from "../tensor/create.js";
import * as nn from "./index.js";

const moments = (values: ArrayLike<number>) => {
  const list = Array.from(values);
  const mean = list.reduce((a, b) => a + b, 0) / list.length;
  return { mean, std: Math.sqrt(list.reduce((a, b) => a + (b - mean) ** 2, 0) / list.length), max: Math.max(...list) };
};

describe("initial weights", () => {
  test("Linear draws weight and bias from +-1/sqrt(inDim), as PyTorch does", () => {
    const { weight, bias } = seedScope(1, () => new nn.Linear(64, 100));
    for (const values of [weight.dataSync(), bias!.dataSync()]) {
      const { mean, std, max } = moments(values);
      expect(mean).toBeCloseTo(0, 1);
      expect(std * Math.sqrt(3)).toBeCloseTo(1 / 8, 1.7);
      expect(max).toBeLessThanOrEqual(1 / 8);
    }
  });

  test("Embedding draws from N(0, 1), LayerNorm begins with 1 and 0", () => {
    const { mean, std } = moments(seedScope(1, () => new nn.Embedding(100, 50)).weight.dataSync());
    expect([mean, std - 1].map(Math.abs).every((error) => error < 0.05)).toBe(true);
    const norm = new nn.LayerNorm(3);
    expect([[...norm.weight.dataSync()], [...norm.bias.dataSync()]]).toEqual([
      [1, 1, 1],
      [0, 0, 0],
    ]);
  });

  test("init fills existing tensors from the current seed", () => {
    const { weight } = new nn.Linear(40, 50);
    const drawn = (seed: number) => {
      seedScope(seed, () => nn.init.normal(weight, 2, 0.5));
      return [...weight.dataSync()];
    };
    expect(drawn(3)).toEqual(drawn(3));
    expect(drawn(3)).not.toEqual(drawn(4));
    expect(moments(drawn(3)).mean).toBeCloseTo(2, 1);
    seedScope(3, () => nn.init.uniform(weight, 1, 2));
    expect(moments(weight.dataSync()).mean).toBeCloseTo(1.5, 1);
    nn.init.constant(weight, 7);
    expect(new Set(weight.dataSync())).toEqual(new Set([7]));
    nn.init.zeros(weight);
    expect(new Set(weight.dataSync())).toEqual(new Set([0]));
  });
});

describe("Dropout", () => {
  const x = tensor(new Float32Array(4000).fill(1));
  const drop = (layer: nn.Dropout, m = 0) =>
    microBatchScope({ seed: 1, step: 2, m }, () => [...layer.forward(x).dataSync()]);

  test("zeroes a share of the elements and scales the others up, in training alone", () => {
    const layer = new nn.Dropout(0.25);
    const values = drop(layer);
    expect(new Set(values)).toEqual(new Set([0, Math.fround(1 / 0.75)]));
    expect(moments(values).mean).toBeCloseTo(1, 1);
    expect(drop(layer)).toEqual(values);
    expect(drop(layer, 1)).not.toEqual(values);
    expect(layer.eval().forward(x)).toBe(x);
  });
});

test("Sequential runs its layers in order and names them by index", () => {
  const model = new nn.Sequential<nn.Layer>(new nn.Linear(2, 2), new nn.Relu(), new nn.Linear(2, 1));
  model.loadStateDict({
    "0.weight": tensor([
      [1, 0],
      [0, -1],
    ]),
    "0.bias": tensor([0, 0]),
    "2.weight": tensor([[10, 100]]),
    "2.bias": tensor([1]),
  });
  expect(
    model
      .forward(
        tensor([
          [2, 3],
          [2, -3],
        ]),
      )
      .toArraySync(),
  ).toEqual([[21], [321]]);
});

test.each([
  { layer: new nn.Gelu(), value: 0.8413447141647339 },
  { layer: new nn.Sigmoid(), value: 0.7310585975646973 },
  { layer: new nn.Silu(), value: 0.7310585975646973 },
  { layer: new nn.Tanh(), value: 0.7615941762924194 },
  { layer: new nn.Relu(), value: 1 },
])("the activation layers compute their function", ({ layer, value }) => {
  expect((layer as nn.Layer).forward(tensor([1])).itemSync()).toBeCloseTo(value, 6);
});

test.each([
  {
    make: () => new nn.Linear(0, 3),
    code: "E_LAYER",
    message: "Linear: inDim is 0; it must be a whole number of at least 1.",
  },
  {
    make: () => new nn.Embedding(3, 1.5),
    code: "E_LAYER",
    message: "Embedding: embedDim is 1.5; it must be a whole number of at least 1.",
  },
  {
    make: () => new nn.LayerNorm(-1),
    code: "E_LAYER",
    message: "LayerNorm: embedDim is -1; it must be a whole number of at least 1.",
  },
  { make: () => new nn.Dropout(1), code: "E_LAYER", message: "Dropout: probability is 1; it must be in [0, 1)." },
  {
    make: () => new nn.CausalSelfAttention({ embedDim: 10, numHeads: 3 }),
    code: "E_LAYER",
    message: "CausalSelfAttention: embedDim is 10 and numHeads 3; the second must divide the first.",
  },
  {
    make: () => new nn.CausalSelfAttention({ embedDim: 4, numHeads: 2 }).forward(tensor([[1, 2, 3, 4]])),
    code: "E_SHAPE",
    message: "CausalSelfAttention: x is [1,4]; it must be [B,T,4], batch, sequence and embedDim.",
  },
])("says: $message", ({ make, code, message }) => {
  expect(make).toThrow(expect.objectContaining({ code, message }));
});
