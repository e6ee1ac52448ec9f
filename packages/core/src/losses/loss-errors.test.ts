import { describe, expect, test } from "vitest";
import "../ops/tensor-methods.js";
import { tensor, zeros } from "../tensor/create.js";
import type { Tensor } from "../tensor/tensor.js";
import * as losses from "./index.js";

const i32 = (...values: number[]) => tensor(values, { dtype: "i32" });
const x23 = () => zeros([2, 3]);
const thrown = (fn: () => unknown): { code: string; message: string; fields: Record<string, unknown> } => {
  try {
    fn();
  } catch (error) {
    return error as ReturnType<typeof thrown>;
  }
  throw new Error("nothing was thrown");
};

type ThreeTensors = (x: Tensor, y: Tensor, z: Tensor) => unknown;

/** Losses whose inputs have one shape. */
const alike: Readonly<Record<string, ThreeTensors>> = {
  mseLoss: losses.mseLoss,
  l1Loss: losses.l1Loss,
  huberLoss: (x, y) => losses.huberLoss(x, y),
  smoothL1Loss: (x, y) => losses.smoothL1Loss(x, y),
  crossEntropy: (x, y) => losses.crossEntropy(x, y),
  klDivergence: (x, y) => losses.klDivergence(x, y),
  binaryCrossEntropy: losses.binaryCrossEntropy,
  binaryCrossEntropyWithLogits: (x, y) => losses.binaryCrossEntropyWithLogits(x, y),
  sigmoidFocalLoss: (x, y) => losses.sigmoidFocalLoss(x, y),
  hingeLoss: (x, y) => losses.hingeLoss(x, y),
  softMarginLoss: losses.softMarginLoss,
  hingeEmbeddingLoss: (x, y) => losses.hingeEmbeddingLoss(x, y),
  marginRankingLoss: (x, y) => losses.marginRankingLoss(x, x, y),
  cosineEmbeddingLoss: (x, y) => losses.cosineEmbeddingLoss(x, y, i32(1, 1)),
  contrastiveLoss: (x, y) => losses.contrastiveLoss(x, y, i32(1, 1)),
  tripletMarginLoss: (x, y) => losses.tripletMarginLoss(x, x, y),
  infoNce: (x, y) => losses.infoNce(x, y),
  ntXent: (x, y) => losses.ntXent(x, y),
  diceLoss: (x, y) => losses.diceLoss(x, y),
  poissonNllLoss: (x, y) => losses.poissonNllLoss(x, y),
  gaussianNllLoss: (x, y, z) => losses.gaussianNllLoss(x, y, z),
};

describe.each(Object.entries(alike))("%s", (name, run) => {
  test("refuses inputs of other shapes, that would broadcast too, and says both", () => {
    for (const other of [zeros([3]), zeros([2, 1]), zeros([3, 2])]) {
      const { code, message } = thrown(() => run(x23(), other, x23()));
      expect(code).toBe("E_SHAPE");
      expect(message).toMatch(new RegExp(`^${name}: .*\\[2,3\\].*\\[${other.shape.join(",")}\\]`));
    }
  });
  test("refuses a first input of integers", () => {
    const integers = zeros([2, 3], { dtype: "i32" });
    expect(thrown(() => run(integers, x23(), x23()))).toMatchObject({ code: "E_DTYPE" });
  });
});

/** Losses of integer targets [N] beside scores [N, C]. */
const ofClasses: Readonly<Record<string, (scores: Tensor, targets: Tensor, classWeights?: number[]) => unknown>> = {
  crossEntropy: (x, t, w) => losses.crossEntropy(x, t, w && { classWeights: w }),
  "crossEntropy with labelSmoothing": (x, t, w) =>
    losses.crossEntropy(x, t, { labelSmoothing: 0.1, ...(w && { classWeights: w }) }),
  nllLoss: (x, t, w) => losses.nllLoss(x, t, w && { classWeights: w }),
  focalLoss: (x, t, w) => losses.focalLoss(x, t, w && { classWeights: w }),
  multiMarginLoss: (x, t, w) => losses.multiMarginLoss(x, t, w && { classWeights: w }),
};

describe.each(Object.entries(ofClasses))("%s", (_, run) => {
  test("names the first target that is no class, with its position", () => {
    for (const [targets, position, value] of [
      [i32(0, 3), 1, 3],
      [i32(-1, 7), 0, -1],
    ] as const) {
      expect(thrown(() => run(x23(), targets))).toMatchObject({
        code: "E_TARGET_RANGE",
        fields: { position, value, limit: 3 },
      });
    }
  });
  test("refuses targets that are not the leading dims, and scores without classes", () => {
    expect(thrown(() => run(x23(), i32(0, 1, 2)))).toMatchObject({ code: "E_SHAPE" });
    expect(thrown(() => run(x23(), zeros([2, 1], { dtype: "i32" })))).toMatchObject({ code: "E_SHAPE" });
    expect(thrown(() => run(zeros([2, 2, 0]), zeros([2, 2], { dtype: "i32" })))).toMatchObject({ code: "E_SHAPE" });
  });
  test("refuses class weights of another length, negative ones and NaN", () => {
    expect(thrown(() => run(x23(), i32(0, 1), [1, 2]))).toMatchObject({
      code: "E_SHAPE",
      fields: { classWeights: [2], numClasses: 3 },
    });
    for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(thrown(() => run(x23(), i32(0, 1), [1, bad, 1]))).toMatchObject({ code: "E_VALUE", fields: { index: 1 } });
    }
  });
});

describe("values out of range are named with the first bad position", () => {
  const ones = () => tensor([1, 1, 1]);
  const signs = (...values: number[]) => i32(...values);
  test.each<[string, () => unknown, { position: number; value: number }]>([
    ["a label 0", () => losses.hingeLoss(ones(), signs(1, 0, -1)), { position: 1, value: 0 }],
    ["a label 2", () => losses.softMarginLoss(ones(), tensor([1, -1, 2])), { position: 2, value: 2 }],
    ["a pair's label", () => losses.contrastiveLoss(x23(), x23(), signs(1, 3)), { position: 1, value: 3 }],
    ["a probability", () => losses.binaryCrossEntropy(tensor([0, 1.5, 1]), ones()), { position: 1, value: 1.5 }],
    ["a target", () => losses.binaryCrossEntropy(ones(), tensor([0, 1, -0.5])), { position: 2, value: -0.5 }],
    [
      "a probability NaN",
      () => losses.binaryCrossEntropy(tensor([Number.NaN]), tensor([1])),
      { position: 0, value: Number.NaN },
    ],
    ["a soft focal target", () => losses.sigmoidFocalLoss(ones(), tensor([1, 0.5, 0])), { position: 1, value: 0.5 }],
    ["a negative probability", () => losses.klDivergence(ones(), tensor([1, 0, -1])), { position: 2, value: -1 }],
    ["a negative count", () => losses.poissonNllLoss(ones(), tensor([-2, 1, 1])), { position: 0, value: -2 }],
    [
      "a negative variance",
      () => losses.gaussianNllLoss(ones(), ones(), tensor([1, -1, 1])),
      { position: 1, value: -1 },
    ],
    [
      "a mask of 2",
      () =>
        losses.diceLoss(
          x23(),
          tensor([
            [0, 1, 2],
            [0, 0, 0],
          ]),
        ),
      { position: 2, value: 2 },
    ],
  ])("%s", (_, run, fields) => {
    expect(thrown(run)).toMatchObject({ code: "E_TARGET_RANGE", fields });
  });
});

describe("options out of range are errors", () => {
  const x = () => tensor([1, 2]);
  const signs = () => i32(1, -1);
  test.each<[string, () => unknown]>([
    ["huberLoss delta 0", () => losses.huberLoss(x(), x(), { delta: 0 })],
    ["smoothL1Loss beta -1", () => losses.smoothL1Loss(x(), x(), { beta: -1 })],
    ["crossEntropy labelSmoothing 1.1", () => losses.crossEntropy(x23(), i32(0, 1), { labelSmoothing: 1.1 })],
    ["hingeLoss margin -1", () => losses.hingeLoss(x(), signs(), { margin: -1 })],
    ["hingeEmbeddingLoss margin -1", () => losses.hingeEmbeddingLoss(x(), signs(), { margin: -1 })],
    ["marginRankingLoss margin NaN", () => losses.marginRankingLoss(x(), x(), signs(), { margin: Number.NaN })],
    ["multiMarginLoss margin -1", () => losses.multiMarginLoss(x23(), i32(0, 1), { margin: -1 })],
    ["multiMarginLoss p 3", () => losses.multiMarginLoss(x23(), i32(0, 1), { p: 3 as 2 })],
    ["cosineEmbeddingLoss margin 1.5", () => losses.cosineEmbeddingLoss(x23(), x23(), signs(), { margin: 1.5 })],
    ["contrastiveLoss margin -1", () => losses.contrastiveLoss(x23(), x23(), signs(), { margin: -1 })],
    ["tripletMarginLoss margin -1", () => losses.tripletMarginLoss(x23(), x23(), x23(), { margin: -1 })],
    ["tripletMarginLoss p 0.5", () => losses.tripletMarginLoss(x23(), x23(), x23(), { p: 0.5 })],
    ["focalLoss gamma -1", () => losses.focalLoss(x23(), i32(0, 1), { gamma: -1 })],
    ["sigmoidFocalLoss alpha 2", () => losses.sigmoidFocalLoss(x(), tensor([0, 1]), { alpha: 2 })],
    ["infoNce temperature 0", () => losses.infoNce(x23(), x23(), { temperature: 0 })],
    ["ntXent temperature -1", () => losses.ntXent(x23(), x23(), { temperature: -1 })],
    ["diceLoss smooth 0", () => losses.diceLoss(x23(), x23(), { smooth: 0 })],
    ["poissonNllLoss eps 0", () => losses.poissonNllLoss(x(), x(), { eps: 0 })],
    ["gaussianNllLoss eps 0", () => losses.gaussianNllLoss(x(), x(), x(), { eps: 0 })],
    ["posWeight -1", () => losses.binaryCrossEntropyWithLogits(x(), x(), { posWeight: [1, -1] })],
  ])("%s", (_, run) => {
    expect(thrown(run)).toMatchObject({ code: "E_VALUE" });
  });
});

test("a posWeight that does not fit the last dim is refused with both shapes", () => {
  expect(thrown(() => losses.binaryCrossEntropyWithLogits(x23(), x23(), { posWeight: [1, 2] })).message).toBe(
    "binaryCrossEntropyWithLogits: posWeight is [2], but logits are [2,3]; it must broadcast to them: one weight for each place of the last dim, say.",
  );
});

test("losses over a batch refuse a micro-batch of one row, from which nothing could be learnt", () => {
  for (const run of [losses.infoNce, losses.ntXent]) {
    expect(thrown(() => run(zeros([1, 3]), zeros([1, 3])))).toMatchObject({ code: "E_SHAPE" });
  }
});

test("a variance that is neither of the prediction's shape nor one a row is refused", () => {
  expect(thrown(() => losses.gaussianNllLoss(x23(), x23(), zeros([3])))).toMatchObject({ code: "E_SHAPE" });
});

test("the mean of nothing is an error", () => {
  expect(thrown(() => losses.meanLoss(losses.mseLoss(zeros([0, 3]), zeros([0, 3]))))).toMatchObject({
    code: "E_EMPTY_LOSS",
    fields: { weight: 0 },
  });
});
