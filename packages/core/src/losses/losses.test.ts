import { describe, expect, test } from "vitest";
import "../ops/tensor-methods.js";
import { tensor } from "../tensor/create.js";
import { binaryCrossEntropyWithLogits, crossEntropy, meanLoss, mseLoss } from "./index.js";

const targets = (...values: number[]) => tensor(values, { dtype: "i32" });

describe("crossEntropy", () => {
  test("sums over positions that are kept, and counts them", () => {
    const logits = tensor([
      [0, 0],
      [Math.log(3), 0],
      [5, 1],
    ]);
    const { sum, weight } = crossEntropy(logits, targets(1, 0, -100));
    expect(weight).toBe(2);
    expect(sum.itemSync()).toBeCloseTo(Math.log(2) + Math.log(4 / 3), 6);
  });

  test("adds up over parts of a batch: sums and weights, gradients too", () => {
    const rows = [
      [1, -2, 0.5],
      [0, 3, 1],
      [-1, 0, 2],
    ];
    const whole = crossEntropy(tensor(rows), targets(0, 2, 1));
    const parts = [
      crossEntropy(tensor(rows.slice(0, 1)), targets(0)),
      crossEntropy(tensor(rows.slice(1)), targets(2, 1)),
    ];
    expect(parts[0]!.sum.itemSync() + parts[1]!.sum.itemSync()).toBeCloseTo(whole.sum.itemSync(), 5);
    expect(parts[0]!.weight + parts[1]!.weight).toBe(whole.weight);
  });

  test("is 0 with weight 0 where everything is ignored", () => {
    const { sum, weight } = crossEntropy(tensor([[1, 2]]), targets(7), { ignoreIndex: 7 });
    expect([sum.itemSync(), weight]).toEqual([0, 0]);
  });

  test("names a target that is no class", () => {
    expect(() => crossEntropy(tensor([[1, 2]]), targets(2))).toThrow(
      expect.objectContaining({ code: "E_TARGET_RANGE" }),
    );
  });
});

describe("mseLoss", () => {
  test("sums squares and counts elements; the mean divides", () => {
    const loss = mseLoss(
      tensor([
        [1, 2],
        [3, 4],
      ]),
      tensor([
        [0, 0],
        [3, 6],
      ]),
    );
    expect([loss.sum.itemSync(), loss.weight, meanLoss(loss).itemSync()]).toEqual([9, 4, 2.25]);
  });
  test("refuses shapes that would broadcast", () => {
    const message = "mseLoss: prediction is [2,1] and target [2]; they must be equal.";
    expect(() => mseLoss(tensor([[1], [2]]), tensor([1, 2]))).toThrow(
      expect.objectContaining({ code: "E_SHAPE", message }),
    );
  });
});

test("binary cross-entropy of a sure and right logit is small and not 0", () => {
  for (const logit of [0.5, 5, 12, 17, 18, 30, 80]) {
    for (const [x, target] of [
      [logit, 1],
      [-logit, 0],
    ] as const) {
      const { sum } = binaryCrossEntropyWithLogits(tensor([x]), tensor([target]));
      expect(sum.itemSync() / Math.log1p(Math.exp(-logit)), `logit ${x}`).toBeCloseTo(1, 5);
      sum.dispose();
    }
  }
});
