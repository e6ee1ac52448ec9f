import { describe, expect, test } from "vitest";
import * as nn from "../nn/index.js";
import type { Tensor } from "../tensor/tensor.js";
import { readGolden } from "./golden-file.testkit.js";
import { caseNames, expectNamedCase, type NamedCase } from "./named-case.testkit.js";

const { tensors, metadata } = readGolden("attention");
const embedDim = 24;
const numHeads = Number(metadata.numHeads);
const headDim = embedDim / numHeads;

const attention = (options: Partial<nn.MultiheadAttentionOptions>): NamedCase => {
  const module = new nn.MultiheadAttention({ embedDim, numHeads, batchFirst: true, ...options });
  return {
    module,
    run: ({ x, memory = x, mask, padding }) => ({
      output: module.forward(x!, memory!, memory!, { attnMask: mask, keyPaddingMask: padding }).output,
    }),
  };
};
const rotary = (convention: "halfSplit" | "interleaved") =>
  new nn.RotaryEmbedding({ headDim, numPositions: 8, convention });
const transformer = (options: Partial<nn.TransformerOptions>): NamedCase => {
  const sizes = { embedDim, numHeads, numEncoderLayers: 2, numDecoderLayers: 2, feedforwardDim: 20, dropout: 0 };
  const module = new nn.Transformer({ ...sizes, batchFirst: true, ...options });
  return {
    module,
    run: ({ source, target, mask, padding }) => ({
      output: module.forward(source!, target!, {
        encoder: { keyPaddingMask: padding },
        target: { attnMask: mask },
        source: { keyPaddingMask: padding },
      }),
    }),
  };
};
const recurrent = (module: nn.Rnn | nn.Lstm | nn.Gru): NamedCase => ({
  module,
  run: ({ x, ...inputs }) => ({ ...module.forward(x as Tensor, inputs) }),
});

/** Case name of tools/golden/attention.py -> the same in core. */
const cases: Readonly<Record<string, () => NamedCase>> = {
  groups: () => attention({ numKvHeads: 2 }),
  oneGroup: () => attention({ numKvHeads: 1 }),
  groupsCross: () => attention({ numKvHeads: 3 }),
  halfSplit: () => attention({ rotary: rotary("halfSplit") }),
  interleaved: () => attention({ numKvHeads: 3, rotary: rotary("interleaved") }),
  causalPadded: () => attention({}),
  sinusoidal: () => {
    const module = new nn.SinusoidalPositions(64, 10);
    return { module, run: ({ x }) => ({ output: module.forward(x!) }) };
  },
  transformer: () => transformer({}),
  transformerNormFirst: () => transformer({ normFirst: true, activation: "gelu" }),
  rnnThree: () => recurrent(new nn.Rnn(4, 6, { numLayers: 3, nonlinearity: "relu" })),
  gruThree: () => recurrent(new nn.Gru(4, 6, { numLayers: 3 })),
  lstmThree: () => recurrent(new nn.Lstm(4, 6, { numLayers: 3 })),
};

describe("attention and deep recurrent layers against PyTorch", () => {
  test("every golden case has a counterpart here", () => {
    expect(caseNames(tensors)).toEqual(Object.keys(cases).sort());
  });

  test.each(Object.keys(cases))("%s gives the same outputs, and gradients of its inputs and weights", (name) => {
    expectNamedCase(tensors, name, cases[name]!());
  });
});
