import { describe, expect, test } from "vitest";
import { arange, concat, full, Generator, randn, stack, Tensor, tensor, zeros } from "../index.js";

const matrix = () =>
  tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);

describe("creation", () => {
  test("reads nested arrays, numbers and typed arrays", () => {
    expect(matrix().shape).toEqual([2, 3]);
    expect(tensor(2.5).itemSync()).toBe(2.5);
    const ids = tensor(Int32Array.of(1, 2, 3, 4), { shape: [2, 2] });
    expect([ids.dtype, ids.toArraySync()]).toEqual([
      "i32",
      [
        [1, 2],
        [3, 4],
      ],
    ]);
    expect(arange(2, 8, 3).toArraySync()).toEqual([2, 5]);
    expect(full([2], 7, { dtype: "i32" }).toArraySync()).toEqual([7, 7]);
  });

  test("refuses ragged rows and shapes of another size", () => {
    expect(() => tensor([[1, 2], [3]])).toThrow(expect.objectContaining({ code: "E_SHAPE" }));
    expect(() => tensor(Float32Array.of(1, 2, 3), { shape: [2, 2] })).toThrow(
      expect.objectContaining({ code: "E_SHAPE" }),
    );
  });

  test("draws the same numbers from generators of one seed", () => {
    const [a, b] = [randn([5], new Generator(3)), randn([5], new Generator(3))];
    expect(a.toArraySync()).toEqual(b.toArraySync());
    expect(new Set(a.toArraySync() as number[]).size).toBe(5);
  });
});

describe("reading", () => {
  test("gives nested arrays, in order of the shape and not of memory", async () => {
    expect(await matrix().transpose().toArray()).toEqual([
      [1, 4],
      [2, 5],
      [3, 6],
    ]);
    expect([...(await matrix().transpose().data())]).toEqual([1, 4, 2, 5, 3, 6]);
  });

  test("item wants exactly one element", async () => {
    await expect(matrix().item()).rejects.toThrow(expect.objectContaining({ code: "E_SHAPE" }));
    expect(await matrix().sum().item()).toBe(21);
  });

  test("prints short tensors whole and long ones summarised", () => {
    expect(String(matrix())).toBe("Tensor([2,3], f32)\n[[1, 2, 3],\n [4, 5, 6]]");
    expect(String(arange(2000))).toBe("Tensor([2000], i32) [   0,    1,    2, ..., 1997, 1998, 1999]");
  });
});

describe("views", () => {
  test("share memory: a write through one is seen through the other", () => {
    const x = zeros([4, 3]);
    const window = x.slice([{ start: 1, stop: 4, step: 2 }, { start: -2 }]);
    expect(window.storage).toBe(x.storage);
    x.backend.kernels.fill(window, 1);
    expect(x.toArraySync()).toEqual([
      [0, 0, 0],
      [0, 1, 1],
      [0, 0, 0],
      [0, 1, 1],
    ]);
  });

  test("reshape costs no copy where strides allow it", () => {
    const x = zeros([2, 3, 4]);
    expect(x.transpose(0, 1).reshape([3, 2, 2, 2]).storage).toBe(x.storage);
    expect(x.transpose(0, 1).reshape([6, 4]).storage).not.toBe(x.storage);
    expect(x.narrow(1, 1, 2).reshape([2, 8]).storage).toBe(x.storage);
    expect(x.expand([5, 2, 3, 4]).storage).toBe(x.storage);
  });

  test("reshape of a transposed tensor keeps the order of elements", () => {
    expect(matrix().transpose().reshape([-1]).toArraySync()).toEqual([1, 4, 2, 5, 3, 6]);
  });

  test("split, stack and concat undo each other", () => {
    const x = matrix();
    expect(concat(x.split(2, 1), 1).toArraySync()).toEqual(x.toArraySync());
    expect(stack([x.select(0, 0), x.select(0, 1)]).toArraySync()).toEqual(x.toArraySync());
  });

  test("a reshape to another number of elements says both", () => {
    expect(() => matrix().reshape([4, 2])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: reshape: the new shape is [4,2], but the tensor [2,3] has 6 elements; sizes must be integers whose product is 6, with at most one -1.]`,
    );
  });
});

describe("dtypes", () => {
  test("do not mix silently", () => {
    const ids = tensor([1, 2, 3], { dtype: "i32" });
    expect(() => matrix().add(ids)).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: add: operand 1 is i32; it must be f32, as the other operand. Use cast("f32").]`,
    );
    expect(matrix().add(ids.cast("f32")).toArraySync()).toEqual([
      [2, 4, 6],
      [5, 7, 9],
    ]);
  });

  test("integers wrap and compare as integers", () => {
    const x = tensor([2147483647, -5], { dtype: "i32" });
    expect(x.add(1).toArraySync()).toEqual([-2147483648, -4]);
    expect(x.gt(0).toArraySync()).toEqual([1, 0]);
    expect(x.maximum(16777217).toArraySync()).toEqual([2147483647, 16777217]);
  });
});

test("broadcasting refuses shapes that do not fit, with both", () => {
  expect(() => matrix().mul(tensor([1, 2]))).toThrow(
    expect.objectContaining({ code: "E_SHAPE", fields: { a: [2, 3], b: [2] } }),
  );
  expect(matrix()).toBeInstanceOf(Tensor);
});
