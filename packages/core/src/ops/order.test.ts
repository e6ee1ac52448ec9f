import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { errorOf } from "../errors.testkit.js";
import { tensor } from "../tensor/create.js";
import { bincount, histogram, oneHot, searchSorted, unique } from "./index.js";
import type { Tensor } from "./tensor-methods.js";
import "./tensor-methods.js";

const i32 = (list: number[]) => tensor(list, { dtype: "i32" });
const values = (x: Tensor) => x.toArraySync();
const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

describe("sort", () => {
  test("orders any floats as a stable comparison does, at lengths of every way of sorting", () => {
    const float = fc.oneof(fc.float(), fc.constantFrom(0, -0, nan, infinity, -infinity, 1, 2));
    const ways = [{ maxLength: 60 }, { minLength: 200, maxLength: 400 }];
    for (const way of ways) {
      fc.assert(
        fc.property(fc.array(float, way), fc.boolean(), (list, descending) => {
          const order = list.map((_, i) => i);
          const rank = (value: number) => (descending ? -value : value);
          order.sort((a, b) => {
            const [x, y] = [rank(list[a]!), rank(list[b]!)];
            if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
            return x < y ? -1 : Number(x > y);
          });
          const sorted = tensor(list).sort({ descending });
          expect(values(sorted.indices)).toEqual(order);
          expect(values(sorted.values)).toEqual(order.map((i) => list[i]!));
          const few = Math.min(list.length, 3);
          expect(values(tensor(list).topK(few, { largest: descending }).indices)).toEqual(order.slice(0, few));
        }),
        { seed: 5, numRuns: 60 },
      );
    }
  });

  test("orders integers over their whole range, with wide digits too", () => {
    const list = Array.from({ length: 5_000 }, (_, i) => Math.imul(i + 1, 2_654_435_761 | 0));
    expect(values(i32(list).sort().values)).toEqual(list.toSorted((a, b) => a - b));
    expect(values(i32(list).sort({ descending: true }).values)).toEqual(list.toSorted((a, b) => b - a));
  });

  test("the gradient of topK goes to where the values came from", () => {
    const x = tensor(
      [
        [3, 1, 2],
        [4, 6, 5],
      ],
      { requiresGrad: true },
    );
    x.topK(2)
      .values.mul(tensor([1, 10]))
      .sum()
      .backward();
    expect(values(x.grad!)).toEqual([
      [1, 0, 10],
      [0, 1, 10],
    ]);
  });

  test("topK takes the first of equal elements and NaN last", () => {
    expect(values(tensor([nan, 2, 1, 2]).topK(3).indices)).toEqual([1, 3, 2]);
    expect(values(tensor([nan, 2, 1, 2]).topK(4, { largest: false }).indices)).toEqual([2, 1, 3, 0]);
    expect(tensor([1]).topK(0).values.shape).toEqual([0]);
  });
});

describe("cumSum and cumProd", () => {
  test("run over the flat tensor without an axis", () => {
    expect(
      values(
        tensor([
          [1, 2],
          [3, 4],
        ]).cumSum(),
      ),
    ).toEqual([1, 3, 6, 10]);
    expect(
      values(
        tensor([
          [1, 2],
          [3, 4],
        ]).cumProd(),
      ),
    ).toEqual([1, 2, 6, 24]);
    expect(values(i32([1, -2, 5]).cumSum())).toEqual([1, -1, 4]);
  });

  test("a long sum is as good as its last rounding", () => {
    const x = tensor(new Float32Array(100_000).fill(0.1));
    expect(x.cumSum().at(-1).itemSync()).toBe(Math.fround(100_000 * Math.fround(0.1)));
  });
});

describe("unique, bincount, histogram, oneHot, searchSorted", () => {
  test("unique joins equal zeros and all NaN, and gives back what it was made of", () => {
    const found = unique(
      tensor([
        [0, nan],
        [2, -0],
        [nan, 2],
      ]),
    );
    expect(values(found.values)).toEqual([0, 2, nan]);
    expect(values(found.inverse)).toEqual([
      [0, 2],
      [1, 0],
      [2, 1],
    ]);
    expect(values(found.counts)).toEqual([2, 2, 2]);
    expect(values(unique(tensor([])).values)).toEqual([]);
  });

  test("the gradient of unique goes to the first of equal elements", () => {
    const x = tensor([3, 1, 3], { requiresGrad: true });
    unique(x)
      .values.mul(tensor([5, 7]))
      .sum()
      .backward();
    expect(values(x.grad!)).toEqual([7, 5, 0]);
  });

  test("bincount adds weights up, with a gradient", () => {
    const weights = tensor([1, 2, 3], { requiresGrad: true });
    const sums = bincount(i32([2, 0, 2]), { weights, minLength: 4 });
    expect(values(sums)).toEqual([2, 0, 4, 0]);
    sums
      .mul(tensor([1, 10, 100, 1000]))
      .sum()
      .backward();
    expect(values(weights.grad!)).toEqual([100, 1, 100]);
    expect(values(bincount(i32([])))).toEqual([]);
  });

  test("histogram counts the upper edge in the last bin and nothing outside", () => {
    const x = tensor([-1, 0, 0.5, 1, 1.5, 2, 3, nan]);
    const { counts, edges } = histogram(x, { bins: 4, range: [0, 2] });
    expect(values(counts)).toEqual([1, 1, 1, 2]);
    expect(values(edges)).toEqual([0, 0.5, 1, 1.5, 2]);
    expect(values(histogram(tensor([3, 3]), { bins: 2 }).edges)).toEqual([2.5, 3, 3.5]);
  });

  test("oneHot finds the number of classes and takes a dtype", () => {
    expect(values(oneHot(i32([1, 0])))).toEqual([
      [0, 1],
      [1, 0],
    ]);
    expect(oneHot(i32([1, 0]), 3, { dtype: "f32" }).dtype).toBe("f32");
  });

  test("searchSorted takes NaN for the largest", () => {
    expect(values(searchSorted(tensor([1, 2, nan]), tensor([nan, infinity])))).toEqual([2, 2]);
    expect(values(searchSorted(tensor([1, 2, nan]), tensor([nan, infinity]), { right: true }))).toEqual([3, 2]);
    expect(searchSorted(tensor([1]), tensor(2)).itemSync()).toBe(1);
  });

  test.each<[string, () => unknown, string, string]>([
    [
      "more than there are",
      () => tensor([1, 2]).topK(3),
      "E_SHAPE",
      "topK: k is 3, but axis -1 of [2] has size 2; k must be a whole number in 0..2.",
    ],
    ["a scalar to sort", () => tensor(1).sort(), "E_AXIS", "sort: axis is -1, but the tensor has 0 dims;"],
    [
      "products of integers",
      () => i32([1]).cumProd(),
      "E_DTYPE",
      'cumProd: x is i32; it must be f32. Use cast("f32").',
    ],
    [
      "a negative id",
      () => bincount(i32([0, -1])),
      "E_INDEX_RANGE",
      "bincount: the id at position 1 is -1; it must be in 0..2147483647.",
    ],
    [
      "ids that are f32",
      () => bincount(tensor([0])),
      "E_DTYPE",
      'bincount: ids are f32; they must be i32. Use cast("i32").',
    ],
    [
      "weights of another shape",
      () => bincount(i32([0]), { weights: tensor([1, 2]) }),
      "E_SHAPE",
      "bincount: ids are [1] and weights [2]; ids must have one dim, and weights the same shape.",
    ],
    [
      "a negative length",
      () => bincount(i32([0]), { minLength: -1 }),
      "E_VALUE",
      "bincount: minLength is -1; it must be a whole number of at least 0.",
    ],
    [
      "a class outside",
      () => oneHot(i32([3]), 3),
      "E_INDEX_RANGE",
      "oneHot: the id at position 0 is 3; it must be in 0..2.",
    ],
    [
      "no classes",
      () => oneHot(i32([0]), 0),
      "E_VALUE",
      "oneHot: numClasses is 0; it must be a whole number of at least 1.",
    ],
    [
      "a range upside down",
      () => histogram(tensor([1]), { range: [1, 0] }),
      "E_VALUE",
      "histogram: the range is 1 to 0; both ends must be finite and the first at most the second. Pass { range }.",
    ],
    ["a range of NaN", () => histogram(tensor([nan])), "E_VALUE", "histogram: the range is NaN to NaN;"],
    [
      "no bins",
      () => histogram(tensor([1]), { bins: 0 }),
      "E_VALUE",
      "histogram: bins is 0; it must be a whole number of at least 1.",
    ],
    [
      "unlike dtypes to search",
      () => searchSorted(tensor([1]), i32([1])),
      "E_DTYPE",
      'searchSorted: sorted is f32 and the values are i32; both must be the same. Use cast("f32").',
    ],
    [
      "unlike rows to search",
      () => searchSorted(tensor([[1], [2]]), tensor([[1]])),
      "E_SHAPE",
      "searchSorted: sorted is [2,1] and the values are [1,1];",
    ],
  ])("refuse %s", (_, run, code, text) => {
    const error = errorOf(run);
    expect([error.code, error.message.slice(0, text.length)]).toEqual([code, text]);
  });
});
