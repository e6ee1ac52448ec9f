import { describe, expect, test } from "vitest";
import { errorOf } from "../errors.testkit.js";
import { tensor } from "../tensor/create.js";
import { chunk, meshgrid, split, stack } from "./index.js";
import type { PadMode } from "./pad.js";
import type { Tensor } from "./tensor-methods.js";
import "./tensor-methods.js";

const values = (x: Tensor) => x.toArraySync();
const vector = tensor([1, 2, 3]);
const matrix = tensor([
  [1, 2, 3],
  [4, 5, 6],
]);

describe("pad", () => {
  test.each<[PadMode, number, number[]]>([
    ["constant", 4, [7, 7, 7, 7, 1, 2, 3, 7, 7, 7, 7]],
    ["reflect", 4, [1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3]],
    ["replicate", 2, [1, 1, 1, 2, 3, 3, 3]],
    ["edge", 2, [1, 1, 1, 2, 3, 3, 3]],
    ["circular", 4, [3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1]],
    ["wrap", 1, [3, 1, 2, 3, 1]],
  ])("%s goes on beyond the size of the dim as numpy.pad does", (mode, width, expected) => {
    expect(values(vector.pad(width, { mode, value: 7 }))).toEqual(expected);
  });

  test("widths go dim by dim, before and after", () => {
    expect(
      values(
        matrix.pad(
          [
            [1, 0],
            [0, 2],
          ],
          { value: -1 },
        ),
      ),
    ).toEqual([
      [-1, -1, -1, -1, -1],
      [1, 2, 3, -1, -1],
      [4, 5, 6, -1, -1],
    ]);
    expect(values(tensor([1, 2], { dtype: "i32" }).pad([[0, 1]], { value: 9 }))).toEqual([1, 2, 9]);
    expect(values(tensor([5]).pad(2, { mode: "reflect" }))).toEqual([5, 5, 5, 5, 5]);
  });

  test("adds the gradient up where an element stands several times", () => {
    const x = tensor([1, 2, 3], { requiresGrad: true });
    x.pad([[2, 0]], { mode: "replicate" })
      .mul(tensor([1, 10, 100, 1000, 10000]))
      .sum()
      .backward();
    expect(values(x.grad!)).toEqual([111, 1000, 10000]);
  });

  test.each<[string, () => unknown, string, string]>([
    [
      "a width too few",
      () => matrix.pad([1]),
      "E_SHAPE",
      "pad: there are 1 widths, but x is [2,3]; there must be one number, or one width for each dim.",
    ],
    [
      "a negative width",
      () => vector.pad(-1),
      "E_VALUE",
      "pad: a width is -1; each must be a whole number of at least 0.",
    ],
    [
      "a mode that is none",
      () => vector.pad(1, { mode: "mirror" as PadMode }),
      "E_VALUE",
      'pad: mode is "mirror"; it must be "constant", "reflect", "replicate", "edge", "circular", "wrap".',
    ],
    [
      "nothing to repeat",
      () => tensor([]).pad(1, { mode: "edge" }),
      "E_SHAPE",
      'pad: x is [0], and axis 0 is to be filled by "edge"; it must not be empty.',
    ],
  ])("refuses %s", (_, run, code, text) => {
    const error = errorOf(run);
    expect([error.code, error.message]).toEqual([code, text]);
  });
});

describe("flip, roll, tile, repeatInterleave", () => {
  test("flip turns all axes without a list", () => {
    expect(values(matrix.flip())).toEqual([
      [6, 5, 4],
      [3, 2, 1],
    ]);
    expect(values(matrix.transpose().flip(0))).toEqual([
      [3, 6],
      [2, 5],
      [1, 4],
    ]);
  });

  test("roll takes shifts larger than the dim and below zero", () => {
    expect(values(vector.roll(7))).toEqual([3, 1, 2]);
    expect(values(vector.roll(-4, 0))).toEqual([2, 3, 1]);
    expect(values(matrix.roll(1))).toEqual([
      [6, 1, 2],
      [3, 4, 5],
    ]);
    expect(vector.roll(3, 0)).toBe(vector);
    expect(values(tensor([]).roll(1, 0))).toEqual([]);
  });

  test("tile fills up the shorter of shape and repeats; no repeats give nothing", () => {
    expect(values(matrix.tile(2))).toEqual([
      [1, 2, 3, 1, 2, 3],
      [4, 5, 6, 4, 5, 6],
    ]);
    expect(vector.tile([2, 1, 1]).shape).toEqual([2, 1, 3]);
    expect(values(vector.tile(0))).toEqual([]);
  });

  test("repeatInterleave counts place by place, along an axis or flat", () => {
    expect(values(matrix.repeatInterleave([0, 2], 0))).toEqual([
      [4, 5, 6],
      [4, 5, 6],
    ]);
    expect(values(matrix.repeatInterleave(2))).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);
  });

  test.each<[string, () => unknown, string, string]>([
    ["a fraction of a place", () => vector.roll(0.5, 0), "E_VALUE", "roll: shift is 0.5; it must be a whole number."],
    [
      "shifts without axes",
      () => matrix.roll([1, 2], [0]),
      "E_SHAPE",
      "roll: shifts are [1,2] and axes [0]; there must be one shift for each axis.",
    ],
    [
      "an axis outside",
      () => matrix.flip(2),
      "E_AXIS",
      "flip: axis is 2, but the tensor has 2 dims; axis must be an integer in [-2, 1].",
    ],
    [
      "a negative count",
      () => vector.tile(-1),
      "E_VALUE",
      "tile: repeats are [-1]; each must be a whole number of at least 0.",
    ],
    [
      "a negative count of elements",
      () => vector.repeatInterleave(-1),
      "E_VALUE",
      "repeatInterleave: repeats are [-1]; each must be a whole number of at least 0.",
    ],
    [
      "counts for other places",
      () => vector.repeatInterleave([1, 2]),
      "E_SHAPE",
      "repeatInterleave: there are 2 repeats, but the axis has size 3; there must be one number, or one for each place.",
    ],
  ])("refuse %s", (_, run, code, text) => {
    const error = errorOf(run);
    expect([error.code, error.message]).toEqual([code, text]);
  });
});

describe("dims", () => {
  test("move, swap and appear where NumPy puts them", () => {
    const x = tensor(
      Float32Array.from({ length: 24 }, (_, i) => i),
      { shape: [2, 3, 4] },
    );
    expect(x.moveAxis(0, -1).shape).toEqual([3, 4, 2]);
    expect(x.moveAxis([2, 0], [0, 1]).shape).toEqual([4, 2, 3]);
    expect(x.swapAxes(0, -1).at(3, 2, 1).itemSync()).toBe(23);
    expect(x.expandDims([0, -1]).shape).toEqual([1, 2, 3, 4, 1]);
    expect(x.expandDims(1).shape).toEqual([2, 1, 3, 4]);
  });

  test.each<[string, () => unknown, string, string]>([
    [
      "a dim moved twice",
      () => matrix.moveAxis([0, 0], [0, 1]),
      "E_SHAPE",
      "moveAxis: source is [0,0] and destination [0,1]; both must name as many dims, each once.",
    ],
    [
      "lists of unlike length",
      () => matrix.moveAxis([0, 1], 0),
      "E_SHAPE",
      "moveAxis: source is [0,1] and destination [0]; both must name as many dims, each once.",
    ],
    [
      "a new dim twice",
      () => matrix.expandDims([0, -4]),
      "E_SHAPE",
      "expandDims: axes are [0,-4]; each place must be named once.",
    ],
  ])("refuse %s", (_, run, code, text) => {
    const error = errorOf(run);
    expect([error.code, error.message]).toEqual([code, text]);
  });
});

describe("joining and cutting", () => {
  test("chunk cuts as torch.chunk does: the last piece may be shorter, and pieces may be fewer", () => {
    expect(chunk(tensor([1, 2, 3, 4, 5]), 3).map(values)).toEqual([[1, 2], [3, 4], [5]]);
    expect(chunk(tensor([1, 2, 3, 4, 5]), 4).map(values)).toEqual([[1, 2], [3, 4], [5]]);
    expect(matrix.chunk(3, -1).map(values)).toEqual([
      [[1], [4]],
      [[2], [5]],
      [[3], [6]],
    ]);
  });

  test.each<[string, () => unknown, string, string]>([
    ["no tensors", () => stack([]), "E_SHAPE", "stack: there are no tensors; at least one is needed."],
    [
      "tensors of unlike shapes",
      () => stack([vector, matrix]),
      "E_SHAPE",
      "stack: tensor 1 is [2,3], tensor 0 is [3]; all shapes must be equal.",
    ],
    [
      "sections that do not add up",
      () => split(vector, [1, 1]),
      "E_SHAPE",
      "split: sizes are [1,1], but dim 0 has size 3; they must add up to it.",
    ],
    [
      "negative sections",
      () => split(vector, [4, -1]),
      "E_SHAPE",
      "split: sizes are [4,-1], but dim 0 has size 3; they must add up to it.",
    ],
    ["no pieces", () => chunk(vector, 0), "E_SHAPE", "chunk: count is 0; it must be a whole number of at least 1."],
  ])("refuse %s", (_, run, code, text) => {
    const error = errorOf(run);
    expect([error.code, error.message]).toEqual([code, text]);
  });
});

describe("diagonals and triangles", () => {
  test("lie where NumPy has them for every offset, in high and wide matrices", () => {
    for (const [rows, columns] of [
      [3, 3],
      [2, 4],
      [4, 2],
      [1, 3],
      [0, 2],
    ] as const) {
      const x = tensor(
        Float32Array.from({ length: rows * columns }, (_, i) => i + 1),
        { shape: [rows, columns] },
      );
      for (let offset = -5; offset <= 5; offset++) {
        const wanted = Array.from({ length: rows }, (_, r) => r)
          .filter((r) => r + offset >= 0 && r + offset < columns)
          .map((r) => r * columns + r + offset + 1);
        expect(values(x.diagonal({ offset }))).toEqual(wanted);
        const kept = (isKept: (r: number, c: number) => boolean) =>
          Array.from({ length: rows }, (_, r) =>
            Array.from({ length: columns }, (_, c) => (isKept(r, c) ? r * columns + c + 1 : 0)),
          );
        expect(values(x.tril({ offset }))).toEqual(kept((r, c) => c <= r + offset));
        expect(values(x.triu({ offset }))).toEqual(kept((r, c) => c >= r + offset));
      }
    }
  });

  test("diag of a vector is undone by diag of the matrix", () => {
    for (const offset of [-2, 0, 3]) expect(values(vector.diag({ offset }).diag({ offset }))).toEqual([1, 2, 3]);
    expect(tensor([]).diag({ offset: 2 }).shape).toEqual([2, 2]);
    expect(matrix.trace().itemSync()).toBe(6);
  });

  test("a triangle covers what is not a number", () => {
    const x = tensor([
      [1, Number.NaN],
      [2, Number.POSITIVE_INFINITY],
    ]);
    expect(values(x.tril({ offset: -1 }))).toEqual([
      [0, 0],
      [2, 0],
    ]);
  });

  test.each<[string, () => unknown, string, string]>([
    [
      "a cube for diag",
      () => matrix.unsqueeze(0).diag(),
      "E_SHAPE",
      "diag: x is [1,2,3]; it must have one dim or two. Use diagonal for more.",
    ],
    [
      "one axis twice",
      () => matrix.diagonal({ axes: [0, -2] }),
      "E_SHAPE",
      "diagonal: the axes are [0,-2]; they must be two dims of [2,3].",
    ],
    ["a vector for tril", () => vector.tril(), "E_SHAPE", "tril: x is [3]; it must have at least two dims."],
    [
      "a fraction as offset",
      () => matrix.triu({ offset: 0.5 }),
      "E_VALUE",
      "triu: offset is 0.5; it must be a whole number.",
    ],
    [
      "matrices for outer",
      () => matrix.outer(vector),
      "E_SHAPE",
      "outer: x is [2,3] and y is [3]; both must have one dim. Use flatten.",
    ],
    [
      "matrices for meshgrid",
      () => meshgrid([vector, matrix]),
      "E_SHAPE",
      "meshgrid: vector 1 is [2,3]; each must have one dim. Use flatten.",
    ],
    [
      "another indexing",
      () => meshgrid([vector], { indexing: "yx" as "xy" }),
      "E_VALUE",
      'meshgrid: indexing is "yx"; it must be "ij" or "xy".',
    ],
  ])("refuse %s", (_, run, code, text) => {
    const error = errorOf(run);
    expect([error.code, error.message]).toEqual([code, text]);
  });
});
