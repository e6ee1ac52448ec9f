import { tensor } from "@lockstep/core";
import { afterAll, describe, expect, test } from "vitest";
import { cleanUp } from "../../tests/e2e/lockstep-process.js";
import { trainWithOneAndThree } from "../../tests/e2e/one-and-three-workers.js";
import { largestDigits } from "./largest-digit.js";

afterAll(cleanUp);

describe("the digit that is explained", () => {
  test("is the one of most pixels, the smaller of two, and its pixels have equal shares", () => {
    const masks = tensor([0, 10, 10, 4, 3, 9, 0, 9, 3], { shape: [1, 3, 3], dtype: "i32" });
    const { digits, shares } = largestDigits(masks);
    expect(digits.toArraySync()).toEqual([2]); // two pixels each of digits 2, 8 and 9
    expect(shares.toArraySync()).toEqual([
      [
        [
          [0, 0, 0],
          [0, 0.5, 0],
          [0, 0, 0.5],
        ],
      ],
    ]);
  });

  test("is found in each mask for itself", () => {
    const masks = tensor([0, 1, 0, 1, 5, 5, 1, 5], { shape: [2, 2, 2], dtype: "i32" });
    const { digits, shares } = largestDigits(masks);
    expect(digits.toArraySync()).toEqual([0, 4]);
    expect([...shares.dataSync()]).toEqual([0, 0.5, 0, 0.5, 1 / 3, 1 / 3, 0, 1 / 3].map(Math.fround));
  });
});

test("one and three workers give each pixel the same class, and find the ink", async () => {
  const size = { side: 16, maxDigits: 1, width: 8, evalScenes: 96, globalBatchSize: 24, microBatchSize: 8 };
  const run = { totalSteps: 150, evalIntervalSteps: 0, learningRate: 0.01 };
  const { one, three } = await trainWithOneAndThree("examples/08-segmentation", { ...size, ...run });
  expect(three.paramsSha256).toBe(one.paramsSha256);
  expect(three.metrics).toEqual(one.metrics);
  expect(one.metrics.inkIou).toBeGreaterThan(0.8); // which digit it is takes some ten thousand scenes
}, 400_000);
