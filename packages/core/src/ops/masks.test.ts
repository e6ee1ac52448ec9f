import { describe, expect, test } from "vitest";
import { errorOf } from "../errors.testkit.js";
import { tensor } from "../tensor/create.js";
import { nonzero } from "./index.js";
import type { Tensor } from "./tensor-methods.js";
import "./tensor-methods.js";

const values = (x: Tensor) => x.toArraySync();
const x = tensor([
  [1, -2, 3],
  [-4, 5, -6],
]);

describe("masks", () => {
  test("nonzero gives coordinates in row-major order, of f32 too, NaN among them", () => {
    expect(values(nonzero(x.lt(0)))).toEqual([
      [0, 1],
      [1, 0],
      [1, 2],
    ]);
    expect(values(nonzero(tensor([0, Number.NaN, -0, 2])))).toEqual([[1], [3]]);
    expect(nonzero(tensor([[0, 0]])).shape).toEqual([0, 2]);
    expect(nonzero(tensor(5)).shape).toEqual([1, 0]);
  });

  test("maskedSelect broadcasts both ways and gives its gradient back", () => {
    const y = tensor(
      [
        [1, -2, 3],
        [-4, 5, -6],
      ],
      { requiresGrad: true },
    );
    const picked = y.maskedSelect(y.lt(0));
    expect(values(picked)).toEqual([-2, -4, -6]);
    picked
      .mul(tensor([1, 10, 100]))
      .sum()
      .backward();
    expect(values(y.grad!)).toEqual([
      [0, 1, 0],
      [10, 0, 100],
    ]);
    expect(values(x.maskedSelect(tensor([1, 0, 1]).ne(0)))).toEqual([1, 3, -4, -6]);
    expect(
      values(
        tensor([7, 8]).maskedSelect(
          tensor([
            [1, 0],
            [1, 1],
          ]).ne(0),
        ),
      ),
    ).toEqual([7, 7, 8]);
  });

  test("maskedFill replaces with a number or a tensor; what is replaced has no gradient", () => {
    const y = tensor([1, -2, Number.NaN], { requiresGrad: true });
    const value = tensor(5, { requiresGrad: true });
    const filled = y.maskedFill(tensor([0, 1, 1]).ne(0), value);
    expect(values(filled)).toEqual([1, 5, 5]);
    filled
      .mul(tensor([1, 10, 100]))
      .sum()
      .backward();
    expect(values(y.grad!)).toEqual([1, 0, 0]);
    expect(values(value.grad!)).toBe(110);
    expect(values(x.maskedFill(tensor([1, 0, 0]).ne(0), 9))).toEqual([
      [9, -2, 3],
      [9, 5, -6],
    ]);
  });

  test.each<[string, () => unknown, string, string]>([
    [
      "a mask of f32",
      () => x.maskedSelect(x),
      "E_DTYPE",
      "maskedSelect: the mask is f32; it must be what a comparison gives. Use ne(0).",
    ],
    [
      "a mask of another shape",
      () => x.maskedSelect(tensor([1, 0]).ne(0)),
      "E_SHAPE",
      "maskedSelect: shapes are [2,3] and [2];",
    ],
    [
      "a mask larger than x",
      () => tensor([1]).maskedFill(tensor([1, 0]).ne(0), 0),
      "E_SHAPE",
      "maskedFill: the mask is [2], but x is [1]; it must broadcast to x.",
    ],
    [
      "a value larger than x",
      () => tensor(1).maskedFill(tensor(1).ne(0), tensor([1, 2])),
      "E_SHAPE",
      "maskedFill: the value is [2], but x is []; it must broadcast to x.",
    ],
    [
      "a value of another dtype",
      () => x.maskedFill(x.lt(0), tensor(1, { dtype: "i32" })),
      "E_DTYPE",
      "where: operand 2 is f32; it must be i32",
    ],
  ])("refuse %s", (_, run, code, text) => {
    const error = errorOf(run);
    expect([error.code, error.message.slice(0, text.length)]).toEqual([code, text]);
  });
});
