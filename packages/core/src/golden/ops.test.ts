import { describe, expect, test } from "vitest";
import * as losses from "../losses/index.js";
import * as ops from "../ops/index.js";
import "../ops/tensor-methods.js";
import { tensor } from "../tensor/create.js";
import type { Tensor } from "../tensor/tensor.js";
import { readGolden, worstError } from "./golden-file.testkit.js";

type Inputs = readonly [Tensor, Tensor, Tensor];

/** Case name of tools/golden/ops.py -> the same in core. */
const cases: Readonly<Record<string, (...inputs: Inputs) => Tensor>> = {
  add: (x, y) => x.add(y),
  addBroadcast: (x, y) => x.add(y),
  sub: (x, y) => x.sub(y),
  mul: (x, y) => x.mul(y),
  div: (x, y) => x.div(y),
  maximum: (x, y) => x.maximum(y),
  minimum: (x, y) => x.minimum(y),
  neg: (x) => x.neg(),
  abs: (x) => x.abs(),
  square: (x) => x.square(),
  sqrt: (x) => x.sqrt(),
  exp: (x) => x.exp(),
  log: (x) => x.log(),
  sin: (x) => x.sin(),
  cos: (x) => x.cos(),
  tanh: (x) => x.tanh(),
  sigmoid: (x) => x.sigmoid(),
  relu: (x) => x.relu(),
  silu: (x) => x.silu(),
  gelu: (x) => x.gelu(),
  geluTanh: (x) => x.gelu({ approximate: "tanh" }),
  sumAll: (x) => x.sum(),
  sumLast: (x) => x.sum(-1),
  sumFirst: (x) => x.sum(0),
  meanKept: (x) => x.mean(1, { keepDims: true }),
  maxLast: (x) => x.max(-1),
  minLast: (x) => x.min(-1),
  argMaxLast: (x) => x.argMax(-1),
  reshape: (x) => x.reshape([2, 6]),
  transpose: (x) => x.transpose(0, 1),
  permute: (x) => x.permute([2, 0, 1]),
  slice: (x) => x.narrow(1, 1, 2),
  concat: (x, y) => ops.concat([x, y], 1),
  matmul: (a, b) => a.matmul(b),
  matmulBatched: (a, b) => a.matmul(b),
  matmulBroadcast: (a, b) => a.matmul(b),
  matmulTransposedRight: (a, b) => a.matmul(b.transpose()),
  matmulTransposedLeft: (a, b) => a.transpose().matmul(b),
  linear: (x, weight, bias) => ops.linear(x, weight, bias),
  softmax: (x) => x.softmax(),
  logSoftmax: (x) => x.logSoftmax(),
  layerNorm: (x, weight, bias) => ops.layerNorm(x, weight, bias),
  crossEntropyMean: (logits, targets) => losses.meanLoss(losses.crossEntropy(logits, targets)),
  crossEntropySum: (logits, targets) => losses.crossEntropy(logits, targets).sum,
  crossEntropyIgnored: (logits, targets) => losses.meanLoss(losses.crossEntropy(logits, targets)),
  mseLoss: (x, y) => losses.meanLoss(losses.mseLoss(x, y)),
  causalAttention: (q, k, v) => ops.causalAttention({ q, k, v }),
  embedding: (table, ids) => ops.embedding(table, ids),
  gather: (x, index) => x.gather(1, index),
  scatterAdd: (index, source) => tensor(new Float32Array(15), { shape: [3, 5] }).scatterAdd(1, { index, source }),
};

/** Sums of some 40 products in f32 on both sides, in different orders. */
const tolerance = { absolute: 3e-6, relative: 1e-5 };
const { tensors } = readGolden("ops");
const names = [...new Set([...tensors.keys()].map((key) => key.split("/")[0]!))].sort();

describe("ops against PyTorch", () => {
  test("every golden case has a counterpart here, and every counterpart a golden case", () => {
    expect(Object.keys(cases).sort()).toEqual(names);
  });

  test.each(names)("%s gives the same output and gradients", (name) => {
    const stored = (part: string) => tensors.get(`${name}/${part}`);
    const inputs: Tensor[] = [];
    for (let i = 0; stored(`in/${i}`) !== undefined; i++) {
      const { data, shape, dtype } = stored(`in/${i}`)!;
      inputs.push(tensor(data, { shape, requiresGrad: dtype === "f32" }));
    }
    const out = cases[name]!(...(inputs as unknown as Inputs));
    expect(out.shape).toEqual(stored("out")!.shape);
    expect(worstError(out.dataSync(), stored("out")!.data, tolerance)).toBeLessThanOrEqual(1);
    const cotangent = stored("cotangent");
    if (cotangent === undefined) return;
    out
      .mul(tensor(cotangent.data, { shape: cotangent.shape }))
      .sum()
      .backward();
    for (const [i, input] of inputs.entries()) {
      const expected = stored(`grad/${i}`);
      expect(input.grad === undefined, `input ${i} has a gradient on one side only`).toBe(expected === undefined);
      if (expected === undefined) continue;
      expect(worstError(input.grad!.dataSync(), expected.data, tolerance), `gradient ${i}`).toBeLessThanOrEqual(1);
    }
  });
});
