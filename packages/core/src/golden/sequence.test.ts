import { describe, expect, test } from "vitest";
import * as nn from "../nn/index.js";
import "../ops/tensor-methods.js";
import { tensor } from "../tensor/create.js";
import { readGolden, worstError } from "./golden-file.testkit.js";
import {
  caseNames,
  expectNamedCase,
  type Named,
  type NamedCase,
  namedTolerance,
  storedUnder,
} from "./named-case.testkit.js";

const { tensors, metadata } = readGolden("sequence");
const [T, B, C, H, E, S] = [6, 4, 5, 7, 12, 8];
const numHeads = Number(metadata.numHeads);

const recurrent = (module: nn.Rnn | nn.Lstm | nn.Gru): NamedCase => ({
  module,
  run: ({ x, ...inputs }) => ({ ...module.forward(x!, inputs) }),
});
const attention = (
  options: Partial<nn.MultiheadAttentionOptions>,
  inputs: nn.MultiheadAttentionInputs = {},
): NamedCase => {
  const module = new nn.MultiheadAttention({ embedDim: E, numHeads, ...options });
  const run = ({ query, key = query, value = key, padding, mask, added }: Named): Named => {
    const masks = { keyPaddingMask: padding, attnMask: added ?? mask };
    const { output, weights } = module.forward(query!, key!, value!, { ...masks, needWeights: true, ...inputs });
    return { output, weights: weights! };
  };
  return { module, run };
};
const layer = { embedDim: E, numHeads, feedforwardDim: 20, dropout: 0 };
const preNorm = { ...layer, activation: "gelu", normFirst: true, batchFirst: true } as const;
const encoder = (module: nn.TransformerEncoder | nn.TransformerEncoderLayer): NamedCase => ({
  module,
  run: ({ x, mask, padding }) => ({ output: module.forward(x!, { attnMask: mask, keyPaddingMask: padding }) }),
});
const decoder = (module: nn.TransformerDecoder | nn.TransformerDecoderLayer): NamedCase => ({
  module,
  run: ({ x, memory, mask, padding }) => ({
    output: module.forward(x!, memory!, { target: { attnMask: mask }, source: { keyPaddingMask: padding } }),
  }),
});
const bag = (options: nn.EmbeddingBagOptions): NamedCase => {
  const module = new nn.EmbeddingBag(9, 4, options);
  return {
    module,
    run: ({ ids, offsets, weights }) => ({ output: module.forward(ids!, { offsets, perSampleWeights: weights }) }),
  };
};
const deep = { numLayers: 2, bidirectional: true, batchFirst: true };

/** Case name of tools/golden/sequence.py -> the same in core. */
const cases: Readonly<Record<string, () => NamedCase>> = {
  rnnTanh: () => recurrent(new nn.Rnn(C, H)),
  rnnRelu: () => recurrent(new nn.Rnn(C, H, { nonlinearity: "relu", bidirectional: true })),
  lstm: () => recurrent(new nn.Lstm(C, H)),
  lstmDeep: () => recurrent(new nn.Lstm(C, H, deep)),
  lstmNoBias: () => recurrent(new nn.Lstm(C, H, { bias: false })),
  gru: () => recurrent(new nn.Gru(C, H)),
  gruDeep: () => recurrent(new nn.Gru(C, H, deep)),
  gruNoBias: () => recurrent(new nn.Gru(C, H, { bias: false })),
  rnnCell: () => {
    const module = new nn.RnnCell(C, H);
    return { module, run: ({ x, h }) => ({ h: module.forward(x!, h) }) };
  },
  gruCell: () => {
    const module = new nn.GruCell(C, H);
    return { module, run: ({ x, h }) => ({ h: module.forward(x!, h) }) };
  },
  lstmCell: () => {
    const module = new nn.LstmCell(C, H);
    return { module, run: ({ x, h, c }) => ({ ...module.forward(x!, { h: h!, c: c! }) }) };
  },
  selfAttention: () => attention({}),
  selfAttentionCausal: () => attention({}),
  crossAttention: () => attention({ batchFirst: true }),
  crossAttentionOtherDims: () => attention({ kDim: 5, vDim: 7, bias: false }),
  attentionAdditive: () => attention({}, { averageAttnWeights: false }),
  encoderLayer: () => encoder(new nn.TransformerEncoderLayer(layer)),
  encoderLayerNormFirst: () => encoder(new nn.TransformerEncoderLayer(preNorm)),
  decoderLayer: () => decoder(new nn.TransformerDecoderLayer(layer)),
  decoderLayerNormFirst: () => decoder(new nn.TransformerDecoderLayer(preNorm)),
  encoder: () => encoder(new nn.TransformerEncoder({ ...layer, numLayers: 2, finalNorm: true })),
  decoder: () => decoder(new nn.TransformerDecoder({ ...layer, numLayers: 2, finalNorm: true })),
  embedding: () => {
    const module = new nn.Embedding(9, 4, { paddingIdx: 2 });
    return { module, run: ({ ids }) => ({ output: module.forward(ids!) }) };
  },
  bagMean: () => bag({}),
  bagSum: () => bag({ mode: "sum" }),
  bagMax: () => bag({ mode: "max" }),
  bagPadded: () => bag({ paddingIdx: 2 }),
  bagPaddedMax: () => bag({ mode: "max", paddingIdx: 2 }),
};

describe("layers of sequences against PyTorch", () => {
  test("every golden case has a counterpart here", () => {
    expect(caseNames(tensors)).toEqual(Object.keys(cases).sort());
  });

  test.each(Object.keys(cases))("%s gives the same outputs, and gradients of its inputs and weights", (name) => {
    expectNamedCase(tensors, name, cases[name]!());
  });

  test("causal self-attention through the fused kernel gives what the masked one gives", () => {
    const { module } = attention({});
    module.loadStateDict(storedUnder(tensors, "selfAttentionCausal/weight/"));
    const { data, shape } = tensors.get("selfAttentionCausal/in/query")!;
    const query = tensor(data, { shape });
    const { output } = (module as nn.MultiheadAttention).forward(query, query, query, { isCausal: true });
    const expected = tensors.get("selfAttentionCausal/out/output")!;
    expect(output.shape).toEqual([T, B, E]);
    expect(worstError(output.dataSync(), expected.data, namedTolerance)).toBeLessThanOrEqual(1);
  });

  test("lengths of a list and of a tensor are the same", () => {
    const module = new nn.Gru(C, H, { batchFirst: true });
    const x = tensor(new Float32Array(B * S * C).fill(0.5), { shape: [B, S, C] });
    const [list, array] = [[8, 3, 1, 5], tensor([8, 3, 1, 5], { dtype: "i32" })].map((lengths) =>
      module.forward(x, { lengths }).output.dataSync(),
    );
    expect(list).toEqual(array);
    expect([...list!.subarray((S + 3) * H, 2 * S * H)].every((value) => value === 0)).toBe(true);
  });
});
