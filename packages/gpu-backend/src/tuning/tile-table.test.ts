import { expect, test } from "vitest";
import { defaultTiles, isTileTable, tileFor, tileNames, tileShapes } from "./tile-table.js";

test("larger products take larger tiles, and none takes a tile that it fills to less than three quarters", () => {
  const sizes = [
    [64, 64, 1],
    [1_024, 1_024, 1],
    [2_048, 2_048, 1],
    [128, 128, 400],
    [95, 4_096, 40],
    [40, 65_536, 4],
  ] as const;
  const found = sizes.map(([rows, columns, numMatrices]) => tileFor(defaultTiles, { rows, columns, numMatrices }));
  expect(found).toEqual(["32x32", "64x64", "128x128", "128x128", "64x64", "32x32"]);
});

test("every candidate keeps to 256 invocations and 16 KiB, and shares its loads evenly", () => {
  for (const name of tileNames) {
    const { rows, columns, depth, blockRows, blockColumns } = tileShapes[name];
    const threads = (rows / blockRows) * (columns / blockColumns);
    expect(threads).toBeLessThanOrEqual(256);
    const deepBytes = (lines: number): number => 16 * (lines * (depth / 4 + 1) + depth);
    expect(deepBytes(rows) + deepBytes(columns)).toBeLessThanOrEqual(16_384);
    for (const lines of [rows, columns]) expect(((lines * depth) / 4) % threads).toBe(0);
  }
});

test("what is not a table is told apart: order of classes, names, kinds", () => {
  expect(isTileTable(defaultTiles)).toBe(true);
  expect(isTileTable(JSON.parse(JSON.stringify(defaultTiles)))).toBe(true);
  const bad: unknown[] = [
    undefined,
    {},
    [],
    [null],
    [{ minElements: 1, order: ["32x32"] }],
    [{ minElements: 0, order: ["33x33"] }],
    [{ minElements: 0, order: "32x32" }],
    [
      { minElements: 0, order: [] },
      { minElements: 0, order: [] },
    ],
    [{ minElements: 0, order: [] }, null],
    [
      { minElements: 0, order: [] },
      { minElements: "5", order: [] },
    ],
  ];
  expect(bad.map(isTileTable)).toEqual(bad.map(() => false));
});
