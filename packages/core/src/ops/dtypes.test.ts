import { describe, expect, test } from "vitest";
import { errorOf } from "../errors.testkit.js";
import {
  where as choose,
  cumSum,
  type DType,
  decodeSafetensors,
  encodeSafetensors,
  full,
  fullLike,
  onesLike,
  stateDictFromSafetensors,
  stateDictToSafetensors,
  type Tensor,
  tensor,
  zeros,
} from "../index.js";

const dtypes: readonly DType[] = ["bool", "u8", "i32", "f32"];
/** Two elements, 1 and 1 for bool. */
const of = (dtype: DType, ...values: number[]) => tensor(values, { dtype });

describe("promotion", () => {
  /** Row: the first operand; column: the second, in the order of `dtypes`. */
  const table: Readonly<Record<DType, readonly (DType | "error")[]>> = {
    bool: ["bool", "u8", "i32", "f32"],
    u8: ["u8", "u8", "i32", "f32"],
    i32: ["i32", "i32", "i32", "error"],
    f32: ["f32", "f32", "error", "f32"],
  };
  const pairs = dtypes.flatMap((a) => dtypes.map((b, i) => ({ a, b, expected: table[a][i]! })));

  test.each(pairs)("$a beside $b meets in $expected", ({ a, b, expected }) => {
    const [x, y] = [of(a, 1, 0), of(b, 1, 1)];
    if (expected === "error") {
      const error = errorOf(() => x.mul(y));
      expect(error).toMatchObject({ code: "E_DTYPE", fields: { operand: 1, dtype: b, expected: a } });
      return;
    }
    for (const [name, result, values] of [
      ["mul", x.mul(y), [1, 0]],
      ["add", x.add(y), expected === "bool" ? [1, 1] : [2, 1]],
      ["maximum", x.maximum(y), [1, 1]],
      ["where", choose(tensor([true, false]), x, y), [1, 1]],
    ] as const) {
      expect([name, result.dtype, result.toArraySync()]).toEqual([name, expected, values]);
    }
    expect([x.lt(y).dtype, x.lt(y).toArraySync(), x.eq(y).toArraySync()]).toEqual(["bool", [0, 1], [1, 0]]);
  });

  test.each([
    ["bool", 3, "i32", [3, 0]],
    ["bool", 0.5, "f32", [0.5, 0]],
    ["u8", 3, "u8", [3, 0]],
    ["u8", 0.5, "f32", [0.5, 0]],
    ["i32", 3, "i32", [3, 0]],
    ["f32", 3, "f32", [3, 0]],
  ] as const)("%s beside the number %d becomes %s", (dtype, value, expected, values) => {
    const result = of(dtype, 1, 0).mul(value);
    expect([result.dtype, result.toArraySync()]).toEqual([expected, values]);
  });

  test("arithmetic of u8 wraps at 256, that of bool stays in 0 and 1", () => {
    expect(
      of("u8", 250, 3)
        .add(of("u8", 10, 4))
        .toArraySync(),
    ).toEqual([4, 7]);
    expect(
      of("u8", 1, 3)
        .sub(of("u8", 2, 3))
        .toArraySync(),
    ).toEqual([255, 0]);
    expect(of("u8", 1, 0).neg().toArraySync()).toEqual([255, 0]);
    expect(
      of("bool", 1, 1)
        .add(of("bool", 1, 0))
        .toArraySync(),
    ).toEqual([1, 1]);
  });

  test("division and functions of reals take u8 and bool as f32", () => {
    expect(
      of("u8", 3, 1)
        .div(of("u8", 2, 4))
        .toArraySync(),
    ).toEqual([1.5, 0.25]);
    expect(of("bool", 1, 0).exp().toArraySync()).toEqual([Math.fround(Math.E), 1]);
  });

  test("a comparison with any whole number is exact", () => {
    expect(of("u8", 200, 0).gt(-1).toArraySync()).toEqual([1, 1]);
    expect(of("u8", 200, 0).lt(300).toArraySync()).toEqual([1, 1]);
    expect(of("u8", 200, 0).gt(0.5).toArraySync()).toEqual([1, 0]);
    expect(of("i32", 2147483647, 5).eq(2147483647).toArraySync()).toEqual([1, 0]);
  });

  test("a gradient passes a mask that was multiplied in", () => {
    const x = tensor([1, 2, 3], { requiresGrad: true });
    x.mul(x.gt(1)).sum().backward();
    expect(x.grad!.toArraySync()).toEqual([0, 1, 1]);
  });

  test.each([
    ["a fraction beside i32", () => of("i32", 1).add(1.5), { value: 1.5, dtype: "i32" }],
    ["a number below 0 beside u8", () => of("u8", 1).add(-1), { value: -1, dtype: "u8" }],
    ["a number beyond i32", () => of("i32", 1).gt(2 ** 31), { value: 2 ** 31, dtype: "i32" }],
    ["sub of bools", () => of("bool", 1).sub(of("bool", 0)), { dtype: "bool" }],
    ["neg of bool", () => of("bool", 1).neg(), { dtype: "bool" }],
    ["a mask of f32", () => choose(of("f32", 1), of("f32", 1), 0), { operand: 0, dtype: "f32" }],
  ])("%s is an error", (_, run, fields) => {
    expect(errorOf(run)).toMatchObject({ name: "DTypeError", code: "E_DTYPE", fields });
  });

  test("errors of numbers say what to do", () => {
    expect(errorOf(() => of("u8", 1).add(-1)).message).toMatchInlineSnapshot(
      `"add: operand 1 is the number -1, but the other operand is u8; it must be in 0..255. Use cast("i32")."`,
    );
    expect(errorOf(() => of("i32", 1).add(1.5)).message).toMatchInlineSnapshot(
      `"add: operand 1 is the number 1.5, but the other operand is i32; a number beside i32 must be whole. Use cast("f32")."`,
    );
    expect(errorOf(() => of("bool", 1).neg()).message).toMatchInlineSnapshot(
      `"neg: the operands are bool; they must be numbers. Use logicalNot, or cast("i32")."`,
    );
  });
});

describe("cast", () => {
  /** From each dtype to each, and what becomes of these values. */
  test.each([
    ["f32", "i32", [1.9, -1.9, Number.NaN, 3e9], [1, -1, 0, 2147483647]],
    ["f32", "u8", [1.9, -1.9, Number.NaN, 300], [1, 0, 0, 255]],
    ["f32", "bool", [0.1, -0, Number.NaN, 300], [1, 0, 1, 1]],
    ["i32", "f32", [7, -2], [7, -2]],
    ["i32", "u8", [300, -1, 255], [44, 255, 255]],
    ["i32", "bool", [256, 0, -1], [1, 0, 1]],
    ["u8", "f32", [0, 255], [0, 255]],
    ["u8", "i32", [0, 255], [0, 255]],
    ["u8", "bool", [0, 128], [0, 1]],
    ["bool", "f32", [0, 1], [0, 1]],
    ["bool", "i32", [0, 1], [0, 1]],
    ["bool", "u8", [0, 1], [0, 1]],
  ] as const)("%s to %s", (from, to, values, expected) => {
    const result = tensor([...values], { dtype: from }).cast(to);
    expect([result.dtype, result.toArraySync()]).toEqual([to, expected]);
  });
});

describe("u8 and bool", () => {
  test("are made of bytes, of booleans, by name", () => {
    expect(tensor(Uint8Array.of(3, 255)).dtype).toBe("u8");
    expect([tensor([[true], [false]]).dtype, tensor([[true], [false]]).toArraySync()]).toEqual(["bool", [[1], [0]]]);
    expect(tensor([true, 2]).dtype).toBe("f32");
    expect(tensor([3, 0], { dtype: "bool" }).toArraySync()).toEqual([1, 0]);
    expect([full([2], true).dtype, full([2], true).toArraySync()]).toEqual(["bool", [1, 1]]);
    expect(zeros([2], { dtype: "u8" }).dataSync()).toEqual(Uint8Array.of(0, 0));
    expect(onesLike(of("bool", 0, 0)).dataSync()).toEqual(Uint8Array.of(1, 1));
    expect(fullLike(of("u8", 0, 0), 9).dataSync()).toEqual(Uint8Array.of(9, 9));
    expect(errorOf(() => tensor([256], { dtype: "u8" }))).toMatchObject({ code: "E_DTYPE", fields: { index: 0 } });
    expect(errorOf(() => full([2], 1.5, { dtype: "i32" }))).toMatchObject({ code: "E_DTYPE", fields: { value: 1.5 } });
  });

  test("are read through views, reshaped and joined like others", () => {
    const x = tensor(Uint8Array.of(1, 2, 3, 4, 5, 6), { shape: [2, 3] });
    expect(x.transpose().dataSync()).toEqual(Uint8Array.of(1, 4, 2, 5, 3, 6));
    expect(x.at(":", "::-1").toArraySync()).toEqual([
      [3, 2, 1],
      [6, 5, 4],
    ]);
    expect(x.sort({ descending: true }).values.dtype).toBe("u8");
    expect(x.setAt([0], 9).dataSync()).toEqual(Uint8Array.of(9, 9, 9, 4, 5, 6));
    expect(x.maskedFill(x.gt(4), 0).dataSync()).toEqual(Uint8Array.of(1, 2, 3, 4, 0, 0));
  });

  test("sum and count in i32, and find extremes in their own dtype", () => {
    const x = tensor(Uint8Array.of(200, 100, 3, 200), { shape: [2, 2] });
    const results: [Tensor, DType, unknown][] = [
      [x.sum(), "i32", 503],
      [x.sum(0), "i32", [203, 300]],
      [
        x.sum([]),
        "i32",
        [
          [200, 100],
          [3, 200],
        ],
      ],
      [x.gt(50).sum(1), "i32", [2, 1]],
      [x.max(1), "u8", [200, 200]],
      [x.min(0, { keepDims: true }), "u8", [[3, 100]]],
      [x.gt(50).max(1), "bool", [1, 1]],
      [x.gt(150).min(0), "bool", [0, 0]],
      [x.argMax(0), "i32", [0, 1]],
      [cumSum(x.gt(50)), "i32", [1, 2, 2, 3]],
      [x.cast("i32").neg().max(), "i32", -3],
    ];
    for (const [result, dtype, expected] of results) {
      expect([result.dtype, result.toArraySync()]).toEqual([dtype, expected]);
    }
  });

  test("go through safetensors, one byte an element", async () => {
    const named = { mask: tensor([[true, false, true]]), image: tensor(Uint8Array.of(0, 255)) };
    const bytes = await stateDictToSafetensors(named);
    const stored = decodeSafetensors(bytes).tensors;
    expect([stored.get("mask"), stored.get("image")]).toEqual([
      { dtype: "bool", storedDtype: "BOOL", shape: [1, 3], data: Uint8Array.of(1, 0, 1) },
      { dtype: "u8", storedDtype: "U8", shape: [2], data: Uint8Array.of(0, 255) },
    ]);
    const read = stateDictFromSafetensors(bytes);
    expect(read.get("mask")!.toArraySync()).toEqual([[1, 0, 1]]);
    expect(read.get("image")!.add(1).dataSync()).toEqual(Uint8Array.of(1, 0));
  });

  test("a file whose BOOL is neither 0 nor 1 is refused", () => {
    const bytes = encodeSafetensors([["m", { dtype: "bool", shape: [2], data: Uint8Array.of(1, 7) }]]);
    expect(errorOf(() => decodeSafetensors(bytes))).toMatchObject({
      code: "E_FORMAT",
      fields: { name: "m", index: 1 },
    });
  });
});

describe("masks as indices", () => {
  const x = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);

  test("read the places where they are true, alone and beside ranges, numbers and index tensors", () => {
    expect(x.at(x.gt(2)).toArraySync()).toEqual([3, 4, 5, 6]);
    expect(x.at([false, true]).toArraySync()).toEqual([[4, 5, 6]]);
    expect(x.at(":", tensor([true, false, true])).toArraySync()).toEqual([
      [1, 3],
      [4, 6],
    ]);
    expect(x.at("::-1", [false, true, true]).toArraySync()).toEqual([
      [5, 6],
      [2, 3],
    ]);
    expect(x.at(1, [true, false, true]).toArraySync()).toEqual([4, 6]);
    expect(x.at([true, true], [2, 0]).toArraySync()).toEqual([3, 4]);
    expect(x.at(null, x.lt(3)).toArraySync()).toEqual([[1, 2]]);
    expect(x.at("...", [true, false, false]).toArraySync()).toEqual([[1], [4]]);
    expect(x.at(x.gt(9)).shape).toEqual([0]);
    expect(x.reshape([2, 3, 1]).at(x.gt(4), [true]).toArraySync()).toEqual([5, 6]);
    expect(x.reshape([1, 2, 3]).at(":", x.gt(4)).toArraySync()).toEqual([[5, 6]]);
  });

  test("write and add where they are true, with a gradient", () => {
    expect(x.setAt([x.gt(4)], 0).toArraySync()).toEqual([
      [1, 2, 3],
      [4, 0, 0],
    ]);
    expect(x.setAt([[false, true]], tensor([7, 8, 9])).toArraySync()).toEqual([
      [1, 2, 3],
      [7, 8, 9],
    ]);
    expect(x.addAt([":", [true, false, true]], 10).toArraySync()).toEqual([
      [11, 2, 13],
      [14, 5, 16],
    ]);
    expect(
      x
        .cast("i32")
        .addAt([[true, false]], 1)
        .toArraySync(),
    ).toEqual([
      [2, 3, 4],
      [4, 5, 6],
    ]);
    const leaf = tensor([1, 2, 3], { requiresGrad: true });
    leaf.at(leaf.gt(1)).mul(5).sum().backward();
    expect(leaf.grad!.toArraySync()).toEqual([0, 5, 5]);
  });

  test("have the shape of the dims where they stand", () => {
    const error = errorOf(() => x.at(":", tensor([true, false])));
    expect(error).toMatchObject({ code: "E_SHAPE", fields: { mask: [2], dims: [3], x: [2, 3] } });
    expect(error.message).toMatchInlineSnapshot(
      `"at: a mask has shape [2], but it stands at the dims [3] of x [2,3]; both must be the same, of at least one dim."`,
    );
    expect(errorOf(() => x.at(x.gt(1), 0))).toMatchObject({ code: "E_SHAPE", fields: { indices: 3 } });
    expect(errorOf(() => x.addAt([0], tensor([true])))).toMatchObject({ code: "E_DTYPE" });
    expect(errorOf(() => tensor([1, 2], { dtype: "u8" }).addAt([[0, 0]], 1))).toMatchObject({ code: "E_DTYPE" });
  });
});
