import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { errorOf } from "../errors.testkit.js";
import { tensor } from "../tensor/create.js";
import type { NestedArray } from "../tensor/nested-array.js";
import type { Index } from "./index-plan.js";
import { boundsOf } from "./slice-range.js";
import type { Tensor } from "./tensor-methods.js";
import "./tensor-methods.js";

const i32 = (values: number[] | number[][]) => tensor(values, { dtype: "i32" });
const values = (x: Tensor): NestedArray => x.toArraySync();
/** 0, 1, 2, ... */
const count = (shape: readonly number[]) =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
    { shape },
  );

/** Python's rule, place by place. */
function pythonPlaces(size: number, start: number | undefined, stop: number | undefined, step: number): number[] {
  const lowest = step < 0 ? -1 : 0;
  const highest = step < 0 ? size - 1 : size;
  const fix = (at: number | undefined, absent: number) =>
    at === undefined ? absent : Math.max(lowest, Math.min(highest, at < 0 ? at + size : at));
  const places: number[] = [];
  const end = fix(stop, step < 0 ? -1 : size);
  for (let at = fix(start, step < 0 ? size - 1 : 0); step < 0 ? at > end : at < end; at += step) places.push(at);
  return places;
}

const end = fc.option(fc.integer({ min: -9, max: 9 }), { nil: undefined });
const step = fc.integer({ min: -4, max: 4 }).filter((value) => value !== 0);

describe("ranges", () => {
  test("take the places that Python's slices take, as text and as objects, read and written", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 7 }), end, end, step, (size, start, stop, by) => {
        const places = pythonPlaces(size, start, stop, by);
        const text = `${start ?? ""}:${stop ?? ""}:${by}`;
        const x = count([size]);
        expect(values(x.at(text))).toEqual(places);
        const range = { ...(start === undefined ? {} : { start }), ...(stop === undefined ? {} : { stop }), step: by };
        expect(values(x.slice([range]))).toEqual(places);
        const written = x.setAt([range], tensor(places.map((_, i) => -1 - i)));
        const wanted = Array.from({ length: size }, (_, i) => (places.includes(i) ? -1 - places.indexOf(i) : i));
        expect(values(written)).toEqual(wanted);
      }),
      { seed: 11 },
    );
  });

  test("are windows of the tensor's own memory where no step is negative", () => {
    const x = count([4, 6]);
    expect(x.at("1:", "::2").storage).toBe(x.storage);
    expect(x.at(2).storage).toBe(x.storage);
    expect(x.at("::-1").storage).not.toBe(x.storage);
  });

  test("a backward range of one place is a view that begins there", () => {
    expect(boundsOf("at", 5, { start: 2, stop: 1, step: -1 })).toEqual({
      start: 2,
      size: 1,
      step: 1,
      isBackward: true,
    });
  });
});

describe("at", () => {
  const x = count([2, 3, 4]);

  test("numbers drop dims, null makes one, ... stands for the rest", () => {
    expect(values(x.at(1, 2, 3))).toBe(23);
    expect(values(x.at(-1, "...", 0))).toEqual([12, 16, 20]);
    expect(x.at(null, "...", null).shape).toEqual([1, 2, 3, 4, 1]);
    expect(values(x.at(0, null, 1))).toEqual([[4, 5, 6, 7]]);
    expect(x.at().shape).toEqual([2, 3, 4]);
  });

  test("index tensors of any shape, negative ones from the end, stand where they are", () => {
    expect(values(x.at(0, i32([[2, -3]]), 1))).toEqual([[9, 1]]);
    expect(
      x.at(
        ":",
        i32([
          [0, 1],
          [2, 0],
        ]),
      ).shape,
    ).toEqual([2, 2, 2, 4]);
  });

  test("index tensors that are not side by side come first", () => {
    expect(values(x.at([1, 0], ":", [3, 0]))).toEqual([
      [15, 19, 23],
      [0, 4, 8],
    ]);
    expect(x.at([1], null, [0]).shape).toEqual([1, 1, 4]);
    const apart = count([2, 3, 2, 3]).at(":", [1, 0], ":", [2, 0]);
    expect(values(apart)).toEqual([
      [
        [8, 11],
        [26, 29],
      ],
      [
        [0, 3],
        [18, 21],
      ],
    ]);
  });

  test("no places give an empty tensor, and an empty dim may be taken whole", () => {
    expect(x.at([]).shape).toEqual([0, 3, 4]);
    expect(x.at(":", "3:").shape).toEqual([2, 0, 4]);
    expect(count([0, 3]).at(":", [2, 0]).shape).toEqual([0, 2]);
  });

  test("integers are indexed as f32 are", () => {
    expect(
      values(
        i32([
          [1, 2],
          [3, 4],
        ]).at([1, 1], "::-1"),
      ),
    ).toEqual([
      [4, 3],
      [4, 3],
    ]);
  });
});

describe("setAt and addAt", () => {
  test("answer a changed copy and leave the tensor as it was", () => {
    const x = count([2, 3]);
    expect(values(x.setAt([0], 9))).toEqual([
      [9, 9, 9],
      [3, 4, 5],
    ]);
    expect(values(x.addAt([":", -1], tensor([10, 20])))).toEqual([
      [0, 1, 12],
      [3, 4, 25],
    ]);
    expect(values(x.setAt([], 7))).toEqual([
      [7, 7, 7],
      [7, 7, 7],
    ]);
    expect(values(x)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
  });

  test("of several values at one place set keeps the last and add takes all", () => {
    const x = tensor([10, 20, 30]);
    expect(values(x.setAt([[2, 0, 2]], tensor([1, 2, 3])))).toEqual([2, 20, 3]);
    expect(values(x.addAt([[2, 0, 2]], tensor([1, 2, 3])))).toEqual([12, 20, 34]);
  });

  test("only the value that stays has a gradient, and what was replaced has none", () => {
    const x = tensor([10, 20, 30], { requiresGrad: true });
    const y = tensor([1, 2, 3], { requiresGrad: true });
    x.setAt([[2, 0, 2]], y)
      .mul(tensor([5, 6, 7]))
      .sum()
      .backward();
    expect(values(x.grad!)).toEqual([0, 6, 0]);
    expect(values(y.grad!)).toEqual([0, 5, 7]);
  });

  test("values broadcast to what is named, through ranges and index tensors together", () => {
    const x = count([3, 2, 4]);
    const written = x.setAt(
      ["::-2", 1, [3, 0]],
      tensor([
        [-1, -2],
        [-3, -4],
      ]),
    );
    expect(values(written.at(":", 1))).toEqual([
      [-4, 5, 6, -3],
      [12, 13, 14, 15],
      [-2, 21, 22, -1],
    ]);
    expect(values(written.at(":", 0))).toEqual(values(x.at(":", 0)));
    const apart = x.addAt([[0, 2], ":", [1, 1]], tensor([[100], [200]]));
    expect(values(apart.at(":", ":", 1))).toEqual([
      [101, 105],
      [9, 13],
      [217, 221],
    ]);
  });

  test("integers can be written", () => {
    expect(values(i32([1, 2, 3]).setAt([[0, -1]], 9))).toEqual([9, 2, 9]);
    expect(values(i32([1, 2, 3]).setAt(["1:"], i32([8])))).toEqual([1, 8, 8]);
  });
});

describe("wrong indices", () => {
  const x = count([2, 3]);
  const cases: [string, () => unknown, string, string][] = [
    [
      "more indices than dims",
      () => x.at(0, 0, 0),
      "E_SHAPE",
      "at: the indices name 3 dims, but x is [2,3]; at most one for each of its 2 dims.",
    ],
    [
      "two ellipses",
      () => x.at("...", "..."),
      "E_VALUE",
      'at: there are 2 "..." among the indices; at most one is possible.',
    ],
    [
      "a number outside",
      () => x.at(0, 3),
      "E_INDEX_RANGE",
      "at: the index is 3, but the dim has size 3; it must be a whole number in -3..2.",
    ],
    [
      "a fraction",
      () => x.at(0.5),
      "E_INDEX_RANGE",
      "at: the index is 0.5, but the dim has size 2; it must be a whole number in -2..1.",
    ],
    [
      "text that is no range",
      () => x.at("1:a"),
      "E_VALUE",
      'at: an index is "1:a"; text must be "start:stop:step" with whole numbers, each of which may be missing, or "...". Give one index for each dim, a plain number as a number.',
    ],
    [
      "a step of 0",
      () => x.at("::0"),
      "E_VALUE",
      "at: the range is 0::0; start, stop and step must be whole numbers and step not 0.",
    ],
    [
      "a fraction in a list",
      () => x.at([0, 1.5]),
      "E_VALUE",
      "at: a list of indices holds 1.5; all must be whole numbers.",
    ],
    [
      "a place outside",
      () => x.at(":", i32([0, -4])),
      "E_INDEX_RANGE",
      "at: the index at position 1 is -4, but the dim has size 3; it must be in -3..2.",
    ],
    [
      "an f32 index tensor",
      () => x.at(tensor([0])),
      "E_DTYPE",
      'at: the indices are f32; they must be i32. Use cast("i32").',
    ],
    [
      "index tensors that do not broadcast",
      () => x.at([0, 1], [0, 1, 2]),
      "E_SHAPE",
      "at: shapes are [2] and [3]; aligned at ",
    ],
    [
      "values that do not broadcast",
      () => x.setAt([0], tensor([1, 2])),
      "E_SHAPE",
      "setAt: the values are [2], but the indices name a part of shape [3]; the values must broadcast to it.",
    ],
    [
      "values of another dtype",
      () => x.setAt([0], i32([1])),
      "E_DTYPE",
      'setAt: x is f32 and the values are i32; both must be the same. Use cast("f32").',
    ],
    ["rows of another dtype", () => x.setAt([[0]], i32([1])), "E_DTYPE", "setAt: x is f32 and the values are i32;"],
    [
      "bytes added at places",
      () =>
        i32([1, 2])
          .cast("u8")
          .addAt([[0, 0]], 1),
      "E_DTYPE",
      'addAt: x is u8; at lists, masks and index tensors it must be f32 or i32. Use cast("i32").',
    ],
    [
      "a take outside",
      () => x.take(i32([6])),
      "E_INDEX_RANGE",
      "take: the index at position 0 is 6, but the dim has size 6; it must be in -6..5.",
    ],
    [
      "takeAlong of other dims",
      () => x.takeAlong(i32([0]), 0),
      "E_SHAPE",
      "takeAlong: ids are [1], but x is [2,3]; both must have the same number of dims.",
    ],
    [
      "a scatter of other dims",
      () => x.scatter(0, { index: i32([[0]]), source: tensor([[1]]) }),
      "E_SHAPE",
      "scatter: index is [1,1] and source [1,1], but x is [2,3]; index and source must be equal, and equal to x in all dims but axis 0.",
    ],
    [
      "a scatter outside",
      () => x.scatter(1, { index: i32([[3], [0]]), source: tensor([[1], [2]]) }),
      "E_INDEX_RANGE",
      "scatter: the index at position 0 is 3; it must be in 0..2.",
    ],
    [
      "a scatter at f32",
      () => x.scatter(1, { index: tensor([[0], [0]]), source: tensor([[1], [2]]) }),
      "E_DTYPE",
      "scatter: index is f32; it must be i32.",
    ],
    [
      "an index of another kind",
      () => x.at(true as unknown as Index),
      "E_VALUE",
      "at: an index is true; it must be a number",
    ],
  ];

  test.each(cases)("%s", (_, run, code, text) => {
    const error = errorOf(run);
    expect([error.code, error.message.slice(0, text.length)]).toEqual([code, text]);
  });
});
