import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { errorOf } from "../errors.testkit.js";
import { arange, scope, tensor, zeros } from "../index.js";

describe("a tensor's text", () => {
  test("aligns columns, in one notation for all elements", () => {
    expect(
      String(
        tensor([
          [1.5, -20],
          [300.25, 0.125],
        ]),
      ),
    ).toMatchInlineSnapshot(`
      "Tensor([2,2], f32)
      [[ 1.5000e+0, -2.0000e+1],
       [ 3.0025e+2,  1.2500e-1]]"
    `);
    expect(
      String(
        tensor(
          [
            [1, 10],
            [-100, 0],
          ],
          { dtype: "i32" },
        ),
      ),
    ).toMatchInlineSnapshot(`
      "Tensor([2,2], i32)
      [[   1,   10],
       [-100,    0]]"
    `);
    expect(String(tensor([[true], [false]]))).toMatchInlineSnapshot(`
      "Tensor([2,1], bool)
      [[ true],
       [false]]"
    `);
    expect(String(tensor([1e-6, 1, 2.5]))).toMatchInlineSnapshot(
      `"Tensor([3], f32) [1.0000e-6, 1.0000e+0, 2.5000e+0]"`,
    );
    expect(String(tensor([Number.NaN, 0.5, Number.POSITIVE_INFINITY, -0]))).toMatchInlineSnapshot(
      `"Tensor([4], f32) [     NaN,      0.5, Infinity,      0.0]"`,
    );
    expect(String(tensor([1, 2, 1e9]))).toMatchInlineSnapshot(`"Tensor([3], f32) [1.0000e+0, 2.0000e+0, 1.0000e+9]"`);
    expect([String(tensor(3)), String(zeros([0])), String(zeros([2, 0]))]).toMatchInlineSnapshot(`
      [
        "Tensor([], f32) 3",
        "Tensor([0], f32) []",
        "Tensor([2,0], f32) []",
      ]
    `);
  });

  test("summarises more than 1,000 elements by three at each end of every axis", () => {
    expect(String(arange(1200).reshape([30, 40]))).toMatchInlineSnapshot(`
      "Tensor([30,40], i32)
      [[   0,    1,    2, ...,   37,   38,   39],
       [  40,   41,   42, ...,   77,   78,   79],
       [  80,   81,   82, ...,  117,  118,  119],
       ...,
       [1080, 1081, 1082, ..., 1117, 1118, 1119],
       [1120, 1121, 1122, ..., 1157, 1158, 1159],
       [1160, 1161, 1162, ..., 1197, 1198, 1199]]"
    `);
    expect(String(zeros([1001]))).toBe("Tensor([1001], f32) [0, 0, 0, ..., 0, 0, 0]");
    expect(String(zeros([1000])).includes("...")).toBe(false);
  });

  test("puts an empty line between matrices and wraps long rows", () => {
    expect(String(arange(8).reshape([2, 2, 2]))).toMatchInlineSnapshot(`
      "Tensor([2,2,2], i32)
      [[[0, 1],
        [2, 3]],

       [[4, 5],
        [6, 7]]]"
    `);
    expect(arange(12).toString({ lineWidth: 20 })).toMatchInlineSnapshot(`
      "Tensor([12], i32) [ 0,  1,  2,  3,  4,
        5,  6,  7,  8,  9,
       10, 11]"
    `);
  });

  test("takes its limits as options", () => {
    expect(arange(10).toString({ threshold: 5, edgeItems: 1 })).toBe("Tensor([10], i32) [0, ..., 9]");
    expect(tensor([1 / 3]).toString({ precision: 2 })).toBe("Tensor([1], f32) [0.33]");
  });

  test("is what Node's inspect and console.log show", () => {
    expect(inspect(tensor([1, 2]))).toBe("Tensor([2], f32) [1, 2]");
    expect(inspect({ x: tensor(7) })).toBe("{ x: Tensor([], f32) 7 }");
  });
});

describe("iteration", () => {
  test("goes along the first axis, by views", () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    const rows = [...x];
    expect(rows.map((row) => row.toArraySync())).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(rows[1]!.storage).toBe(x.storage);
    const [first, second] = tensor([5, 6]);
    expect([first!.itemSync(), second!.itemSync()]).toEqual([5, 6]);
    expect([...zeros([0, 3])]).toHaveLength(0);
  });

  test("has gradients, and a scope frees the views", () => {
    const x = tensor([1, 2, 3], { requiresGrad: true });
    scope(() => {
      let total = tensor(0);
      for (const element of x) total = total.add(element.mul(element));
      total.backward();
    });
    expect(x.grad!.toArraySync()).toEqual([2, 4, 6]);
  });

  test("needs an axis", () => {
    const error = errorOf(() => [...tensor(1)]);
    expect(error).toMatchObject({ code: "E_SHAPE", fields: { shape: [] } });
    expect(error.message).toMatchInlineSnapshot(
      `"iterate: the tensor is [], a single number; it must have an axis to go along. Use item()."`,
    );
  });
});
