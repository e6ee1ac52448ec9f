import { describe, expect, test } from "vitest";
import { errorOf } from "../errors.testkit.js";
import { arange, choice, Generator, linspace, logspace, randInt, randPerm, shuffle, tensor } from "../index.js";

const source = () => new Generator(5);

describe("random integers, orders and picks", () => {
  test("randInt stays in its range, reaches all of it, and is the same for one seed", () => {
    const x = randInt([50, 20], source(), { low: -2, high: 3 });
    const counts = new Map<number, number>();
    for (const value of x.dataSync()) counts.set(value, (counts.get(value) ?? 0) + 1);
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2]);
    expect(Math.min(...counts.values())).toBeGreaterThan(150);
    expect([x.shape, x.dtype]).toEqual([[50, 20], "i32"]);
    expect(randInt([50, 20], source(), { low: -2, high: 3 }).dataSync()).toEqual(x.dataSync());
    expect(randInt([3], source(), { high: 2, dtype: "bool" }).dtype).toBe("bool");
  });

  test("randPerm and shuffle hold every place once", () => {
    const order = randPerm(9, source()).dataSync();
    expect(Array.from(order).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    const x = tensor(
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      { requiresGrad: true },
    );
    const mixed = shuffle(x, source(), 1);
    expect(mixed.sort({ axis: 1 }).values.toArraySync()).toEqual(x.toArraySync());
    expect(mixed.at(1).sub(mixed.at(0)).toArraySync()).toEqual([3, 3, 3]);
    mixed.sum().backward();
    expect(x.grad!.toArraySync()).toEqual([
      [1, 1, 1],
      [1, 1, 1],
    ]);
  });

  test("choice picks rows, without replacement each once, by weight only where it is above 0", () => {
    const rows = tensor([
      [0, 0],
      [1, 10],
      [2, 20],
      [3, 30],
    ]);
    const picked = choice(rows, source(), { shape: [5, 2] });
    expect(picked.shape).toEqual([5, 2, 2]);
    expect(picked.at("...", 0).mul(10).toArraySync()).toEqual(picked.at("...", 1).toArraySync());
    const once = choice(rows, source(), { shape: [4], replace: false }).at(":", 0);
    expect(once.sort().values.toArraySync()).toEqual([0, 1, 2, 3]);
    const weighted = choice(rows, source(), { shape: [40], weights: [0, 3, 0, 1] }).at(":", 0);
    expect(weighted.unique().values.toArraySync()).toEqual([1, 3]);
    expect(weighted.eq(1).sum().itemSync()).toBeGreaterThan(20);
    const both = choice(rows, source(), { shape: [2], replace: false, weights: [0, 3, 0, 1] }).at(":", 0);
    expect(both.sort().values.toArraySync()).toEqual([1, 3]);
    const many = { shape: [20], replace: false, weights: Array.from({ length: 20 }, (_, i) => i + 1) };
    expect(choice(arange(20), source(), many).unique().values.size).toBe(20);
    expect(choice(tensor([7]), source()).itemSync()).toBe(7);
  });

  const x = tensor([1, 2]);
  test.each([
    ["an empty range", () => randInt([2], source(), { low: 3, high: 3 }), "E_VALUE", { low: 3, high: 3 }],
    ["a range that the dtype cannot hold", () => randInt([99], source(), { high: 1000, dtype: "u8" }), "E_DTYPE", {}],
    ["a negative shape", () => randInt([-1], source(), { high: 3 }), "E_SHAPE", { shape: [-1] }],
    ["a negative permutation", () => randPerm(-1, source()), "E_VALUE", { count: -1 }],
    ["an axis that is not there", () => shuffle(x, source(), 1), "E_AXIS", { axis: 1 }],
    ["rows of nothing", () => choice(tensor([]), source()), "E_SHAPE", { x: [0] }],
    [
      "more rows than there are",
      () => choice(x, source(), { shape: [3], replace: false }),
      "E_VALUE",
      { count: 3, numRows: 2 },
    ],
    ["too few weights", () => choice(x, source(), { weights: [1] }), "E_VALUE", { numWeights: 1, numRows: 2 }],
    ["a negative weight", () => choice(x, source(), { weights: [1, -1] }), "E_VALUE", { numPossible: 1 }],
    ["no weight above 0", () => choice(x, source(), { weights: [0, 0] }), "E_VALUE", { numPossible: 0 }],
  ] as const)("%s is an error", (_, run, code, fields) => {
    expect(errorOf(run as () => unknown)).toMatchObject({ code, fields });
  });
});

describe("ranges", () => {
  test("linspace ends where it should, whatever the count", () => {
    expect(linspace(0, 0.3, 4).at(-1).itemSync()).toBe(Math.fround(0.3));
    expect(linspace(5, 9, 1).toArraySync()).toEqual([5]);
    expect(linspace(5, 9, 0).shape).toEqual([0]);
    expect(linspace(4, 0, 3, { dtype: "i32" }).dataSync()).toEqual(Int32Array.of(4, 2, 0));
    expect(logspace(0, 4, 3, { base: 2 }).toArraySync()).toEqual([1, 4, 16]);
  });
});
