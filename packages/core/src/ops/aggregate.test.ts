import { describe, expect, test } from "vitest";
import { errorOf } from "../errors.testkit.js";
import * as core from "../index.js";
import { tensor, zeros } from "../index.js";

const x = tensor([
  [1, 2, 3],
  [4, 5, 6],
]);
const ids = tensor([3, 1, 2], { dtype: "i32" });
const inf = Number.POSITIVE_INFINITY;

describe("of no elements", () => {
  const none = zeros([2, 0]);
  test("sums are 0, products 1, `any` false, `all` true, counts 0", () => {
    expect(none.sum(1).toArraySync()).toEqual([0, 0]);
    expect(none.prod(1).toArraySync()).toEqual([1, 1]);
    expect(none.cast("i32").prod(1).toArraySync()).toEqual([1, 1]);
    expect(none.any(1).toArraySync()).toEqual([0, 0]);
    expect(none.all(1).toArraySync()).toEqual([1, 1]);
    expect(none.countNonzero(1).toArraySync()).toEqual([0, 0]);
    expect(none.norm(1).toArraySync()).toEqual([0, 0]);
  });

  test.each([
    ["max", () => none.max(1)],
    ["argMin", () => none.argMin(1)],
    ["max of integers", () => none.cast("i32").max(1)],
    ["mean", () => none.mean(1)],
    ["logSumExp", () => none.logSumExp(1)],
    ["median", () => none.median()],
    ["norm", () => none.norm(1, { ord: inf })],
  ])("%s is an error that names x", (_, run) => {
    expect(errorOf(run)).toMatchObject({ name: "ShapeError", code: "E_SHAPE", fields: { x: [2, 0] } });
  });

  test("the error says which axes", () => {
    expect(errorOf(() => none.logSumExp(1)).message).toMatchInlineSnapshot(
      `"logSumExp: x is [2,0]; the axes [1] must not be empty."`,
    );
  });
});

describe("special values", () => {
  test("logSumExp of infinities", () => {
    const rows = tensor([
      [-inf, -inf],
      [inf, 1],
      [Number.NaN, 1],
      [1000, 1000],
    ]);
    expect(rows.logSumExp(1).toArraySync()).toEqual([-inf, inf, Number.NaN, Math.fround(1000 + Math.LN2)]);
  });

  test("quantiles, medians and NaN", () => {
    expect(tensor([1, Number.NaN, 3]).median().itemSync()).toBe(Number.NaN);
    expect(tensor([-inf, 1, 2]).quantile([0, 1]).toArraySync()).toEqual([-inf, 2]);
    expect(tensor([true, false, true, true]).quantile(0.25).itemSync()).toBe(0.75);
    expect(x.quantile(0.5, [], {}).toArraySync()).toEqual(x.toArraySync());
    expect(core.percentile(x, 50).itemSync()).toBe(3.5);
    expect(core.percentile(x, [0, 100], 1).toArraySync()).toEqual([
      [1, 4],
      [3, 6],
    ]);
  });

  test("the 2-norm of zeros has the gradient 0", () => {
    const leaf = tensor([0, 0], { requiresGrad: true });
    leaf.norm().backward();
    expect([leaf.norm().itemSync(), leaf.grad!.toArraySync()]).toEqual([0, [0, 0]]);
  });

  test("norms of other orders", () => {
    const v = tensor([3, -4, 0]);
    expect([0, 1, -inf, inf].map((ord) => v.norm(0, { ord }).itemSync())).toEqual([2, 7, 0, 4]);
  });

  test("the mean of a mask is the share that is true", () => {
    expect(x.gt(2).mean().itemSync()).toBe(Math.fround(4 / 6));
    expect(tensor(Uint8Array.of(200, 100)).mean().itemSync()).toBe(150);
  });

  test("products over several axes and with axes kept", () => {
    expect(x.prod([0, 1], { keepDims: true }).toArraySync()).toEqual([[720]]);
    expect(x.prod([]).toArraySync()).toEqual(x.toArraySync());
    expect(x.gt(1).prod(1).toArraySync()).toEqual([0, 1]);
  });
});

describe("limits and differences", () => {
  test("clip keeps dtypes and takes one limit alone", () => {
    expect(ids.clip(2, null).dataSync()).toEqual(Int32Array.of(3, 2, 2));
    expect(tensor(Uint8Array.of(1, 200)).clip(null, 7).dataSync()).toEqual(Uint8Array.of(1, 7));
    expect(tensor([-inf, Number.NaN, 2]).clip(0, null).toArraySync()).toEqual([0, Number.NaN, 2]);
    expect(errorOf(() => ids.clip(0.5, 2))).toMatchObject({ code: "E_DTYPE", fields: { value: 0.5, dtype: "i32" } });
  });

  test("diff, several times, along an axis, to nothing", () => {
    expect(core.diff(tensor([1, 4, 9, 16]), { times: 2 }).toArraySync()).toEqual([2, 2]);
    expect(x.diff({ axis: 0 }).toArraySync()).toEqual([[3, 3, 3]]);
    expect(x.diff({ times: 5 }).shape).toEqual([2, 0]);
    expect(errorOf(() => x.diff({ times: -1 }))).toMatchObject({ code: "E_VALUE", fields: { times: -1 } });
    expect(errorOf(() => x.gt(1).diff())).toMatchObject({ code: "E_DTYPE", fields: { dtype: "bool" } });
  });
});

describe("equality", () => {
  test("isClose, allClose and arrayEqual", () => {
    expect(core.allClose(tensor([1, inf]), tensor([1.000001, inf]))).toBe(true);
    expect(core.allClose(tensor([1, 1]), tensor([1, inf]))).toBe(false);
    expect(core.allClose(x, 0, { atol: 6 })).toBe(true);
    expect(core.allClose(tensor([Number.NaN]), tensor([Number.NaN]))).toBe(false);
    expect(core.allClose(tensor([Number.NaN]), tensor([Number.NaN]), { equalNaN: true })).toBe(true);
    expect(core.arrayEqual(ids, ids.add(0))).toBe(true);
    expect(core.arrayEqual(ids, ids.add(1))).toBe(false);
    expect(core.arrayEqual(x, x.reshape([3, 2]))).toBe(false);
  });
});

describe("wrong arguments", () => {
  test.each([
    ["an axis that is not there", () => x.prod(2), "E_AXIS", { axis: 2, numDims: 2 }],
    ["an axis of any", () => x.any(-3), "E_AXIS", { axis: -3 }],
    ["a quantile beyond 1", () => x.quantile(1.5), "E_VALUE", { q: 1.5 }],
    ["a quantile that is NaN", () => x.quantile([0.5, Number.NaN]), "E_VALUE", { q: Number.NaN }],
    [
      "an unknown interpolation",
      () => x.quantile(0.5, 0, { interpolation: "cubic" as never }),
      "E_VALUE",
      { interpolation: "cubic" },
    ],
    ["a quantile of i32", () => ids.median(), "E_DTYPE", { dtype: "i32" }],
    ["a mean of i32", () => ids.mean(), "E_DTYPE", { x: "i32" }],
    ["an unknown norm", () => x.norm(0, { ord: "nuc" as never }), "E_VALUE", { ord: "nuc" }],
    [
      "weights of another length",
      () => x.average(1, { weights: tensor([1, 2]) }),
      "E_SHAPE",
      { weights: [2], x: [2, 3] },
    ],
    ["a covariance of one column", () => core.cov(tensor([[1], [2]])), "E_SHAPE", { x: [2, 1], correction: 1 }],
    ["a covariance of one dim", () => core.cov(tensor([1, 2])), "E_SHAPE", { x: [2] }],
    ["a negative tolerance", () => x.isClose(x, { atol: -1 }), "E_VALUE", { atol: -1 }],
    ["shapes that do not broadcast", () => core.allClose(x, tensor([1, 2])), "E_SHAPE", { a: [2, 3], b: [2] }],
    ["decimals that are no whole number", () => x.round(0.5), "E_VALUE", { decimals: 0.5 }],
    ["a negative size", () => core.full([2, -1], 0), "E_SHAPE", { shape: [2, -1] }],
    ["a negative size of zeros", () => zeros([-2]), "E_SHAPE", { shape: [-2] }],
    ["a negative count of linspace", () => core.linspace(0, 1, -1), "E_VALUE", { count: -1 }],
    ["an endless linspace", () => core.linspace(0, inf, 3), "E_VALUE", { end: inf }],
    ["a base of 0", () => core.logspace(0, 1, 3, { base: 0 }), "E_VALUE", { base: 0 }],
    ["i32 in an exponential", () => ids.expm1(), "E_DTYPE", { operand: 0, dtype: "i32", expected: "f32" }],
  ] as const)("%s", (_, run, code, fields) => {
    expect(errorOf(run as () => unknown)).toMatchObject({ code, fields });
  });
});
