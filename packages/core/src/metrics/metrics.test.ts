import { describe, expect, test } from "vitest";
import "../ops/tensor-methods.js";
import { tensor } from "../tensor/create.js";
import * as metrics from "./index.js";

const { streaming } = metrics;

describe("input", () => {
  test("arrays, typed arrays, booleans and tensors give the same", () => {
    const [targets, guesses] = [
      [0, 1, 1, 0],
      [0, 1, 0, 0],
    ];
    const given = [
      metrics.f1Score(targets, guesses),
      metrics.f1Score(Uint8Array.from(targets), Int32Array.from(guesses)),
      metrics.f1Score([false, true, true, false], [false, true, false, false]),
      metrics.f1Score(tensor(targets, { dtype: "i32" }), tensor(guesses)),
      metrics.f1Score(tensor([targets], { dtype: "i32" }), tensor([guesses], { dtype: "i32" })),
    ];
    expect(given).toEqual(Array(5).fill(2 / 3));
  });

  test("a transposed tensor is read in its own order", () => {
    const scores = tensor([
      [0.9, 0.1],
      [0.2, 0.8],
      [0.3, 0.7],
    ]);
    const columns = scores.transpose();
    expect(metrics.topKAccuracyScore([0, 1], columns, { k: 1 })).toBe(1);
  });

  test.each([
    ["lengths that differ", () => metrics.accuracyScore([0, 1], [0]), "E_SHAPE", { yTrue: 2, yPred: 1 }],
    ["no samples", () => metrics.accuracyScore([], []), "E_METRIC_EMPTY", { argument: "yTrue" }],
    ["a label that is no integer", () => metrics.f1Score([0, 0.5], [0, 1]), "E_LABEL_RANGE", { index: 1, value: 0.5 }],
    ["a NaN label", () => metrics.confusionMatrix([0, Number.NaN], [0, 1]), "E_LABEL_RANGE", { index: 1 }],
    ["three classes for binary", () => metrics.f1Score([0, 1, 2], [0, 1, 2]), "E_LABEL_RANGE", { labels: [0, 1, 2] }],
    ["posLabel that nobody has", () => metrics.f1Score([0, 2], [0, 2]), "E_LABEL_RANGE", { posLabel: 1 }],
    ["an unknown average", () => metrics.f1Score([0], [0], { average: "mean" as never }), "E_VALUE", { value: "mean" }],
    ["a NaN score", () => metrics.rocAucScore([0, 1], [Number.NaN, 1]), "E_METRIC_NOT_FINITE", { index: 0 }],
    ["a single class for AUC", () => metrics.rocAucScore([1, 1], [0.2, 1]), "E_METRIC_UNDEFINED", { numPositive: 2 }],
    [
      "a class without samples for AUC",
      () =>
        metrics.rocAucScore(
          [0, 1],
          [
            [1, 0, 0],
            [0, 1, 0],
          ],
        ),
      "E_METRIC_UNDEFINED",
      { label: 2 },
    ],
    ["a label without a column", () => metrics.topKAccuracyScore([3], [[0.1, 0.9]]), "E_LABEL_RANGE", { value: 3 }],
    ["no positive for AP", () => metrics.averagePrecisionScore([0, 0], [1, 2]), "E_METRIC_UNDEFINED", { label: 1 }],
    ["logits for probabilities", () => metrics.logLoss([0, 1], [0.5, 3]), "E_VALUE", { value: 3 }],
    ["one sample for R2", () => metrics.r2Score([1], [1]), "E_METRIC_UNDEFINED", {}],
    ["an infinite prediction", () => metrics.meanSquaredError([1, 2], [1, 1 / 0]), "E_METRIC_NOT_FINITE", { index: 1 }],
    ["one class for kappa", () => metrics.cohenKappa([1, 1], [1, 1]), "E_METRIC_UNDEFINED", { labels: [1] }],
    ["empty references", () => metrics.wordErrorRate([""], ["a"]), "E_METRIC_UNDEFINED", {}],
    ["a box turned inside out", () => metrics.boxIou([[2, 0, 1, 1]], [[0, 0, 1, 1]]), "E_VALUE", { index: 0 }],
    [
      "no target boxes",
      () => metrics.meanAveragePrecision([{ boxes: [], labels: [] }], [{ boxes: [], labels: [], scores: [] }]),
      "E_METRIC_UNDEFINED",
      {},
    ],
    [
      "a query without a relevant document",
      () => metrics.recallAtK([[0, 0]], [[1, 2]]),
      "E_METRIC_UNDEFINED",
      { query: 0 },
    ],
    ["k of 0", () => metrics.hitRate([[1, 0]], [[1, 2]], { k: 0 }), "E_VALUE", { k: 0 }],
  ])("%s is an error that says so", (_, call, code, fields) => {
    expect(thrownBy(call)).toMatchObject({ code, fields });
  });

  test("the text of an error has what is, what must be, and what to do", () => {
    expect(thrownBy(() => metrics.rocAucScore([1, 1], [0.2, 1])).message).toMatchInlineSnapshot(
      `"rocAucScore: yTrue has 2 samples of class 1 and 0 of others; there must be some of both. Evaluate on samples of both classes."`,
    );
  });
});

function thrownBy(call: () => unknown): Error {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

test("suppression keeps the best of each heap, within a class where classes are given", () => {
  const boxes = [
    [0, 0, 10, 10],
    [1, 0, 11, 10],
    [20, 20, 30, 30],
    [0, 0, 10, 9],
  ];
  const scores = [0.8, 0.9, 0.3, 0.8];
  expect(metrics.nonMaximumSuppression(boxes, scores, { iouThreshold: 0.5 })).toEqual([1, 2]);
  expect(metrics.nonMaximumSuppression(boxes, scores, { iouThreshold: 0.95 })).toEqual([1, 0, 3, 2]);
  expect(metrics.nonMaximumSuppression(boxes, scores, { iouThreshold: 0.5, classes: [0, 1, 0, 0] })).toEqual([1, 0, 2]);
  expect(metrics.nonMaximumSuppression([], [], { iouThreshold: 0.5 })).toEqual([]);
});

test("a detection whose best target is taken counts for the next one with COCO's rules, and not with VOC's", () => {
  const targets = [
    {
      boxes: [
        [0, 0, 10, 10],
        [0, 0, 10, 9],
      ],
      labels: [1, 1],
    },
  ];
  const found = [
    {
      boxes: [
        [0, 0, 10, 10],
        [0, 0, 10, 10],
      ],
      labels: [1, 1],
      scores: [0.9, 0.8],
    },
  ];
  const iouThresholds = [0.5];
  expect(metrics.meanAveragePrecision(targets, found, { method: "coco", iouThresholds })).toBe(1);
  expect(metrics.meanAveragePrecision(targets, found, { method: "voc", iouThresholds })).toBe(0.5);
});

test("BLEU takes the shorter of two references that are equally near in length", () => {
  expect(metrics.bleuScore([["a b c", "a b c d e"]], ["a b c d"])).toBeCloseTo(100, 12);
});

test("edit distance counts insertions, deletions and replacements", () => {
  expect(metrics.editDistance([], ["a"])).toBe(1);
  expect(metrics.editDistance([1, 2, 3], [2, 3])).toBe(1);
  expect(metrics.editDistance(["a", "b"], ["b", "a"])).toBe(2);
});

describe("streaming", () => {
  test("updates without a part are parts in turn; several updates of a part are one", () => {
    const metric = streaming.meanSquaredError().update([1], [2]).update([1], [4]);
    expect(metric.compute()).toBe(5);
    const parts = streaming.meanSquaredError().startPart(3).update([1], [2]).update([1], [4]);
    expect(parts.compute()).toBe(5);
    expect(parts.reset().update([0], [1]).compute()).toBe(1);
  });

  test("updates may be as many as there are batches; what comes after a merge is a part behind it", () => {
    const metric = streaming.accuracyScore();
    for (let i = 0; i < 200_000; i++) metric.update([i % 2], [1]);
    expect(metric.compute()).toBe(0.5);
    const other = streaming.rocAucScore().merge(streaming.rocAucScore().startPart(4).update([0], [0.5]).state());
    other.update([1], [0.7]).update([1], [0.1]);
    expect(other.compute()).toBe(0.5);
    expect(
      streaming
        .rocAucScore()
        .startPart(6)
        .update([0], [0.5])
        .merge(other.reset().update([1], [1]).state())
        .compute(),
    ).toBe(1);
  });

  test("sums are added by the tree over the parts, not in the order they come", () => {
    const big = 1e8;
    const errors = [big, 1, -1, 3, 1e-8];
    const feed = (order: readonly number[]) => {
      const metric = streaming.meanSquaredError();
      for (const part of order) metric.startPart(part).update([0], [errors[part]!]);
      return metric.compute();
    };
    const squares = errors.map((error) => error * error);
    const tree = (squares[0]! + squares[1]! + (squares[2]! + squares[3]!) + squares[4]!) / 5;
    expect([feed([0, 1, 2, 3, 4]), feed([4, 2, 0, 3, 1])]).toEqual([tree, tree]);
  });

  test("perplexity takes losses", () => {
    const metric = streaming.perplexity();
    metric.update({ sum: tensor(2), weight: 1 }).update({ sum: tensor(0), weight: 3 });
    expect(metric.compute()).toBeCloseTo(1.6487212707001282, 14);
    expect(
      streaming
        .mean()
        .update({ sum: tensor(3), weight: 2 })
        .compute(),
    ).toBe(1.5);
  });

  test("a state of other options, a part that is there, and bytes that are none are refused", () => {
    const state = streaming.f1Score({ average: "macro" }).update([0], [0]).state();
    const metric = streaming.f1Score({ average: "micro" });
    expect(thrownBy(() => metric.merge(state))).toMatchObject({ code: "E_METRIC_STATE" });
    const twice = streaming.f1Score({ average: "macro" }).merge(state);
    expect(thrownBy(() => twice.merge(state))).toMatchObject({ code: "E_METRIC_PART", fields: { index: 0 } });
    for (let length = 0; length < state.length; length++) {
      const cut = streaming.f1Score({ average: "macro" });
      expect(thrownBy(() => cut.merge(state.subarray(0, length)))).toMatchObject({ code: "E_METRIC_STATE" });
    }
    const huge = state.slice();
    new DataView(huge.buffer).setFloat64(16, 1e15, true);
    expect(thrownBy(() => streaming.f1Score({ average: "macro" }).merge(huge))).toMatchObject({
      code: "E_METRIC_STATE",
    });
    expect(thrownBy(() => streaming.f1Score().compute())).toMatchObject({ code: "E_METRIC_EMPTY" });
  });

  test("named metrics travel in one piece and name the one that has no value", () => {
    const make = () => ({ accuracy: streaming.accuracyScore(), mse: streaming.meanSquaredError() });
    const states = [0, 1, 2].map((part) => {
      const own = make();
      metrics.beginPart(own, part);
      own.accuracy.update([part], [0]);
      own.mse.update([0], [part]);
      return metrics.namedStates(own);
    });
    expect(metrics.valuesOfStates(make(), states.reverse())).toEqual({ accuracy: 1 / 3, mse: 5 / 3 });
    expect(thrownBy(() => metrics.valuesOfStates(make(), [states[0]!.subarray(0, 40)]))).toMatchObject({
      code: "E_METRIC_STATE",
    });
    const perplexity = streaming.perplexity().update({ sum: tensor(1e4), weight: 1 });
    expect(thrownBy(() => metrics.namedValues({ perplexity }))).toMatchObject({
      code: "E_METRIC_NOT_FINITE",
      fields: { name: "perplexity" },
    });
  });
});
