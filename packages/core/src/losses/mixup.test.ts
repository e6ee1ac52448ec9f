import { describe, expect, test } from "vitest";
import "../ops/tensor-methods.js";
import { microBatchScope } from "../autograd/micro-batch-scope.js";
import { Generator } from "../rng/generator.js";
import { arange, tensor, zeros } from "../tensor/create.js";
import { expectClose, expectSameBits } from "../testing/expect-close.js";
import { crossEntropy, cutmix, type MixedBatch, mixedLoss, mixup } from "./index.js";

const numSamples = 5;
const labels = () => tensor([0, 1, 2, 3, 4], { dtype: "i32" });
/** Sample i is 100 i, 100 i + 1, ... */
const images = (height: number, width: number) =>
  arange(0, numSamples * 100, 100, { dtype: "f32" })
    .reshape([numSamples, 1, 1, 1])
    .add(arange(0, height * width, 1, { dtype: "f32" }).reshape([1, height, width]));

const inMicroBatch = <T>(m: number, fn: () => T): T => microBatchScope({ seed: 11, step: 4, m }, fn);

describe.each([
  ["mixup", (x = images(7, 6), t = labels()) => mixup(x, t, { alpha: 0.7 })],
  ["cutmix", (x = images(7, 6), t = labels()) => cutmix(x, t)],
] as const)("%s", (_, mix) => {
  test("gives the same bits whenever its micro-batch is computed, and others in another one", () => {
    const [first, again, other] = [3, 3, 5].map((m) => inMicroBatch(m, () => mix())) as [
      MixedBatch,
      MixedBatch,
      MixedBatch,
    ];
    expect(again.lambda).toBe(first.lambda);
    expectSameBits(again.inputs.dataSync(), first.inputs.dataSync(), "inputs");
    expectSameBits(again.otherTargets.dataSync(), first.otherTargets.dataSync(), "targets");
    expect(other.lambda).not.toBe(first.lambda);
  });

  test("a second draw of one micro-batch is another one", () => {
    const [first, second] = inMicroBatch(3, () => [mix().lambda, mix().lambda] as const);
    expect(second).not.toBe(first);
  });

  test("keeps the targets and gives those of the samples that were mixed in", () => {
    const { inputs, targets, otherTargets, lambda } = inMicroBatch(2, () => mix());
    expect(Array.from(targets.dataSync())).toEqual([0, 1, 2, 3, 4]);
    const order = Array.from(otherTargets.dataSync());
    expect(order.toSorted()).toEqual([0, 1, 2, 3, 4]);
    expect(order).not.toEqual([0, 1, 2, 3, 4]);
    // The mean of sample i is 100 i + c: mixed, it moves by (1 - lambda) of the way to the other.
    const means = inputs.mean([1, 2, 3]).dataSync();
    const expected = order.map((o, i) => 100 * (lambda * i + (1 - lambda) * o) + 20.5);
    expectClose(means, expected, { magnitude: 500, reductionLength: 42 });
  });

  test("refuses other numbers of targets, integers and an alpha of 0", () => {
    expect(() => mix(images(3, 3), tensor([0, 1], { dtype: "i32" }))).toThrow(
      expect.objectContaining({ code: "E_SHAPE" }),
    );
    expect(() => mix(zeros([5, 1, 2, 2], { dtype: "i32" }))).toThrow(expect.objectContaining({ code: "E_DTYPE" }));
    for (const alpha of [0, -1, Number.NaN]) {
      expect(() => mixup(images(2, 2), labels(), { alpha })).toThrow(expect.objectContaining({ code: "E_VALUE" }));
      expect(() => cutmix(images(2, 2), labels(), { alpha })).toThrow(expect.objectContaining({ code: "E_VALUE" }));
    }
  });
});

test("mixup is the weighted mean of the two samples, with gradients to both", () => {
  inMicroBatch(1, () => {
    const x = tensor(
      [
        [1, 2],
        [10, 20],
        [100, 200],
      ],
      { requiresGrad: true },
    );
    const { inputs, otherTargets, lambda } = mixup(x, tensor([0, 1, 2], { dtype: "i32" }), { alpha: 1 });
    const order = Array.from(otherTargets.dataSync());
    const rows = x.toArraySync() as number[][];
    const expected = rows.flatMap((row, i) =>
      row.map((value, c) => lambda * value + (1 - lambda) * rows[order[i]!]![c]!),
    );
    expectClose(inputs.dataSync(), expected, { magnitude: 200 });
    inputs.sum().backward();
    expectClose(x.grad!.dataSync(), [1, 1, 1, 1, 1, 1]);
  });
});

test("cutmix puts one rectangle of the other sample in place, and lambda counts the pixels that stayed", () => {
  const sizes = new Set<number>();
  for (let m = 0; m < 20; m++) {
    const { inputs, otherTargets, lambda } = inMicroBatch(m, () => cutmix(images(7, 6), labels()));
    const order = Array.from(otherTargets.dataSync());
    const values = Array.from(inputs.dataSync());
    const isOther = values.map((value, i) => {
      const sample = Math.floor(i / 42);
      expect(value % 100).toBe(i % 42); // a pixel keeps its place
      expect([sample, order[sample]]).toContain(Math.floor(value / 100));
      return Math.floor(value / 100) !== sample;
    });
    const moved = order.findIndex((o, i) => o !== i);
    if (moved < 0) continue;
    const cut = isOther.slice(42 * moved, 42 * moved + 42);
    const numCut = cut.filter(Boolean).length;
    expect(lambda).toBeCloseTo(1 - numCut / 42, 12);
    sizes.add(numCut);
    const places = cut.flatMap((isCut, i) => (isCut ? [[Math.floor(i / 6), i % 6] as const] : []));
    if (numCut === 0) continue;
    const span = (axis: 0 | 1) => {
      const all = places.map((place) => place[axis]);
      return Math.max(...all) - Math.min(...all) + 1;
    };
    expect(span(0) * span(1)).toBe(numCut); // a full rectangle
  }
  expect(sizes.size).toBeGreaterThan(4);
});

test("mixedLoss mixes sums and weights of both targets", () => {
  const logits = tensor([
    [1, 0],
    [0, 2],
  ]);
  const [targets, otherTargets] = [
    [0, 1],
    [1, -100],
  ].map((t) => tensor(t, { dtype: "i32" }));
  const mixed = { inputs: logits, targets: targets!, otherTargets: otherTargets!, lambda: 0.75 };
  const [own, other] = [crossEntropy(logits, targets!), crossEntropy(logits, otherTargets!)];
  const { sum, weight } = mixedLoss(mixed, (t) => crossEntropy(logits, t));
  expectClose([sum.itemSync()], [0.75 * own.sum.itemSync() + 0.25 * other.sum.itemSync()]);
  expect(weight).toBe(1.75);
});

describe("gamma and beta numbers", () => {
  const momentsOf = (draw: (generator: Generator) => number, count = 20_000) => {
    const generator = new Generator(17);
    const values = Array.from({ length: count }, () => draw(generator));
    const mean = values.reduce((a, b) => a + b) / count;
    return { mean, variance: values.reduce((a, b) => a + (b - mean) ** 2, 0) / count };
  };
  test.each([0.3, 1, 2.5, 40])("gamma of shape %s has mean and variance of that", (shape) => {
    const { mean, variance } = momentsOf((generator) => generator.gamma(shape));
    expect(Math.abs(mean / shape - 1)).toBeLessThan(0.05);
    expect(Math.abs(variance / shape - 1)).toBeLessThan(0.1);
  });
  test.each([
    [0.2, 0.2],
    [1, 1],
    [2, 5],
  ])("beta of %s and %s has the mean and variance of its formula", (a, b) => {
    const { mean, variance } = momentsOf((generator) => generator.beta(a, b));
    expect(Math.abs(mean - a / (a + b))).toBeLessThan(0.01);
    expect(Math.abs(variance / ((a * b) / ((a + b) ** 2 * (a + b + 1))) - 1)).toBeLessThan(0.05);
  });
  test("beta of tiny shapes is 0 or 1, never NaN", () => {
    const generator = new Generator(3);
    const values = Array.from({ length: 200 }, () => generator.beta(1e-4, 1e-4));
    expect(values.every((value) => value >= 0 && value <= 1)).toBe(true);
    expect(values.filter((value) => value > 0.5).length).toBeGreaterThan(60);
  });
  test("are the same numbers on every engine", () => {
    const generator = new Generator(5);
    expect([generator.gamma(0.5), generator.gamma(3), generator.beta(0.4, 0.4)]).toMatchInlineSnapshot(`
      [
        2.3433404024363704,
        3.0772914957946487,
        0.9769172406564758,
      ]
    `);
  });
  test("refuse shapes that are not above 0", () => {
    for (const run of [
      (g: Generator) => g.gamma(0),
      (g: Generator) => g.beta(1, -1),
      (g: Generator) => g.gamma(Infinity),
    ]) {
      expect(() => run(new Generator(1))).toThrow(expect.objectContaining({ code: "E_VALUE" }));
    }
  });
});
