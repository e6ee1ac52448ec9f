import { describe, expect, test } from "vitest";
import "../ops/tensor-methods.js";
import { Generator } from "../rng/generator.js";
import { randn, tensor } from "../tensor/create.js";
import { expectClose, expectSameBits } from "../testing/expect-close.js";
import * as losses from "./index.js";

const i32 = (...values: number[]) => tensor(values, { dtype: "i32" });
const { log, exp } = Math;

test("diceLoss over the batch is one ratio a class, not the sum of those of its samples", () => {
  // Samples of 2 positions, 1 class: p t = 1 + 0, p = 1 + 2, t = 2 + 0.
  const p = tensor([[[1, 0]], [[1, 1]]]);
  const t = tensor([[[1, 1]], [[0, 0]]]);
  const over = losses.diceLoss(p, t, { isOverBatch: true });
  expectClose([over.sum.itemSync()], [1 - (2 * 1 + 1) / (3 + 2 + 1)]);
  expect(over.weight).toBe(1);
  const each = losses.diceLoss(p, t);
  expectClose([each.sum.itemSync()], [1 - 3 / 4 + (1 - 1 / 3)]);
  expect(each.weight).toBe(2);
});

describe("losses over a batch depend on the other rows of their micro-batch", () => {
  const rows = (seed: number) => randn([6, 3], new Generator(seed));
  test.each([
    ["infoNce", losses.infoNce],
    ["ntXent", losses.ntXent],
  ] as const)("%s of a batch is more than that of its halves", (_, loss) => {
    const [x, y] = [rows(1), rows(2)];
    const whole = loss(x, y);
    const halves = [0, 3].map((from) => loss(x.narrow(0, from, 3), y.narrow(0, from, 3)));
    expect(whole.sum.itemSync()).toBeGreaterThan(halves[0]!.sum.itemSync() + halves[1]!.sum.itemSync() + 1);
    expect(whole.weight).toBe(halves[0]!.weight + halves[1]!.weight);
  });
  test("infoNce without normalize takes plain products", () => {
    const { sum } = losses.infoNce(tensor([[2], [1]]), tensor([[3], [-1]]), { normalize: false, temperature: 2 });
    expectClose([sum.itemSync()], [log(1 + exp(-1 - 3)) + log(1 + exp(1.5 + 0.5))]);
  });
});

test("class weights are the same as a list and as a tensor, and get no gradient", () => {
  const logits = randn([4, 3], new Generator(3));
  const weights = tensor([0.5, 1, 2], { requiresGrad: true });
  const targets = i32(0, 2, -100, 1);
  const list = losses.crossEntropy(logits, targets, { classWeights: [0.5, 1, 2] });
  const given = losses.crossEntropy(logits, targets, { classWeights: weights });
  expectSameBits(given.sum.dataSync(), list.sum.dataSync(), "sum");
  expect([given.weight, list.weight, given.sum.requiresGrad]).toEqual([3.5, 3.5, false]);
});

test("posWeight is the same as a number, a list and a tensor", () => {
  const [x, t] = [tensor([[1, -2]]), tensor([[1, 1]])];
  const sums = [3, [3, 3], tensor([3])].map((posWeight) =>
    losses.binaryCrossEntropyWithLogits(x, t, { posWeight }).sum.itemSync(),
  );
  expectClose(sums, new Array(3).fill(3 * (log(1 + exp(-1)) + log(1 + exp(2)))));
});

test("a class that is ruled out, of logit -Infinity and probability 0, adds nothing to a soft cross-entropy", () => {
  const logits = tensor([[0, 0, Number.NEGATIVE_INFINITY]], { requiresGrad: true });
  const { sum } = losses.crossEntropy(logits, tensor([[1, 0, 0]]));
  sum.backward();
  expectClose([sum.itemSync()], [log(2)]);
  expectClose(logits.grad!.dataSync(), [-0.5, 0.5, 0]);
});

test("smoothed cross-entropy of a target is that of its smoothed probabilities", () => {
  const logits = randn([3, 4], new Generator(9));
  const smoothed = losses.crossEntropy(logits, i32(1, 3, 0), { labelSmoothing: 0.2 });
  const probabilities = [1, 3, 0].map((t) => [0, 1, 2, 3].map((c) => 0.05 + (c === t ? 0.8 : 0)));
  const soft = losses.crossEntropy(logits, tensor(probabilities));
  expectClose([smoothed.sum.itemSync()], [soft.sum.itemSync()], { magnitude: 10 });
  expect(smoothed.weight).toBe(soft.weight);
});

test("gradients stay finite where vectors are equal or 0", () => {
  const make = () =>
    tensor(
      [
        [0, 0],
        [1, 2],
      ],
      { requiresGrad: true },
    );
  const runs = [
    (x: ReturnType<typeof make>) => losses.contrastiveLoss(x, x.detach(), i32(-1, -1)),
    (x: ReturnType<typeof make>) =>
      losses.cosineEmbeddingLoss(
        x,
        tensor([
          [0, 0],
          [3, 1],
        ]),
        i32(1, -1),
      ),
    (x: ReturnType<typeof make>) =>
      losses.tripletMarginLoss(
        x,
        x.detach(),
        tensor([
          [0, 0],
          [0, 0],
        ]),
        { eps: 0 },
      ),
    (x: ReturnType<typeof make>) =>
      losses.infoNce(
        x,
        tensor([
          [0, 0],
          [1, 1],
        ]),
      ),
  ];
  for (const run of runs) {
    const x = make();
    const { sum } = run(x);
    sum.backward();
    expect(Number.isFinite(sum.itemSync())).toBe(true);
    expect(Array.from(x.grad!.dataSync()).every(Number.isFinite)).toBe(true);
  }
});

test("a variance below eps counts as eps and still gets a gradient", () => {
  const variance = tensor([0], { requiresGrad: true });
  const { sum } = losses.gaussianNllLoss(tensor([1]), tensor([1]), variance, { eps: 0.5 });
  sum.backward();
  expectClose([sum.itemSync(), variance.grad!.itemSync()], [log(0.5) / 2, 1]);
});

test("binaryCrossEntropy passes a gradient on to targets that want one", () => {
  const targets = tensor([0.25], { requiresGrad: true });
  losses.binaryCrossEntropy(tensor([0.2]), targets).sum.backward();
  expectClose(targets.grad!.dataSync(), [log(0.8) - log(0.2)]);
});

test("focal losses stay finite, with their gradients, for logits of any size", () => {
  for (const size of [1, 30, 90, 1e4]) {
    const logits = tensor(
      [
        [size, -size],
        [-size, size],
      ],
      { requiresGrad: true },
    );
    const both = [
      losses.focalLoss(logits, i32(0, 0), { gamma: 0.5 }).sum,
      losses.sigmoidFocalLoss(
        logits,
        tensor([
          [1, 1],
          [0, 0],
        ]),
        { gamma: 0.5 },
      ).sum,
    ];
    for (const sum of both) sum.backward();
    // Row 1 is wrong by 2 size; of the four sigmoids one misses with alpha, one with 1 - alpha, by size each.
    if (size >= 30)
      expectClose(
        both.map((sum) => sum.itemSync()),
        [2 * size, size],
        { magnitude: size },
      );
    expect(Array.from(logits.grad!.dataSync()).every(Number.isFinite)).toBe(true);
  }
});
