import { describe, expect, test } from "vitest";
import { arrayDataset } from "../index.js";

const columns = {
  x: { data: new Float32Array([0, 1, 2, 3, 4, 5]), shape: [2] },
  y: { data: new Int32Array([7, 8, 9]), shape: [] },
};

describe("arrayDataset", () => {
  test("batches the chosen samples of every column", () => {
    const { x, y } = arrayDataset(columns).batch([
      { epoch: 0, index: 2 },
      { epoch: 1, index: 0 },
    ]);
    expect([x.dtype, y.dtype]).toEqual(["f32", "i32"]);
    expect(x.toArraySync()).toEqual([
      [4, 5],
      [0, 1],
    ]);
    expect(y.toArraySync()).toEqual([9, 7]);
  });

  test("gives u8 for bytes, as images come", () => {
    const { image } = arrayDataset({ image: { data: Uint8Array.of(1, 2, 255, 4), shape: [2] } }).batch([
      { epoch: 0, index: 1 },
    ]);
    expect([image.dtype, image.toArraySync()]).toEqual(["u8", [[255, 4]]]);
  });

  test.each([
    {
      make: () => arrayDataset({}),
      code: "E_VALUE",
      message: "arrayDataset: columns is empty; there must be at least one column.",
    },
    {
      make: () => arrayDataset({ ...columns, z: { data: new Float32Array(5), shape: [2] } }),
      code: "E_VALUE",
      message: "arrayDataset: column z has 5 numbers and samples of shape [2]; the first must be a multiple of 2.",
    },
    {
      make: () => arrayDataset({ ...columns, z: { data: new Float32Array(4), shape: [2] } }),
      code: "E_COLUMNS",
      message: "arrayDataset: column z has 2 samples, but x has 3; they must be equal.",
    },
    {
      make: () => arrayDataset({ x: { data: new Float32Array(0), shape: [2] } }),
      code: "E_DATASET_EMPTY",
      message: "arrayDataset: there are 0 samples; there must be at least one.",
    },
    {
      make: () => arrayDataset({ x: { data: Float32Array.of(0, 1, 2, Number.NaN), shape: [2] } }),
      code: "E_MISSING",
      message:
        "arrayDataset: column x, row 1 holds NaN; every number must be finite. Drop or impute missing values first (dropMissing, SimpleImputer).",
    },
    {
      make: () => arrayDataset(columns).batch([{ epoch: 0, index: 3 }]),
      code: "E_SAMPLE",
      message: "arrayDataset.batch: a sample is {epoch: 0, index: 3}; index must be in 0..2 and epoch at least 0.",
    },
  ])("says: $message", ({ make, code, message }) => {
    expect(make).toThrow(expect.objectContaining({ name: "ValueError", code, message }));
  });
});
