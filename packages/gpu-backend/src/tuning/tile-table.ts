/**
 * @file In which tiles products are computed: candidates, and the table that says which of them an adapter prefers for how large a product.
 *
 * Any table gives the same bits (kernels/gemm-tile.ts); a measured one (measure-tiles.ts) gives them sooner. Pure.
 */

/** From large to small: the larger, the fewer reads of memory; the smaller, the more workgroups. Workgroup memory stays below 16 KiB. */
export const tileShapes = {
  "128x128": { rows: 128, columns: 128, depth: 8, blockRows: 8, blockColumns: 8 },
  "128x64": { rows: 128, columns: 64, depth: 16, blockRows: 8, blockColumns: 4 },
  "64x64": { rows: 64, columns: 64, depth: 16, blockRows: 4, blockColumns: 4 },
  "64x64 in blocks of 8": { rows: 64, columns: 64, depth: 16, blockRows: 8, blockColumns: 8 },
  "32x32": { rows: 32, columns: 32, depth: 16, blockRows: 4, blockColumns: 4 },
} as const;

export type TileName = keyof typeof tileShapes;
export const tileNames = Object.keys(tileShapes) as readonly TileName[];

/** Products of at least so many elements (rows x columns x matrices) take the first tile of `order` that they fill. */
export interface TileClass {
  readonly minElements: number;
  readonly order: readonly TileName[];
}

/** By ascending `minElements`, the first of which is 0. Plain data, fit for JSON. */
export type TileTable = readonly TileClass[];

/** Large tiles where there are still about 256 of them. */
export const defaultTiles: TileTable = [
  { minElements: 0, order: ["32x32"] },
  { minElements: 2 ** 20, order: ["64x64", "32x32"] },
  { minElements: 2 ** 22, order: ["128x128", "64x64", "32x32"] },
];

export interface ProductSize {
  readonly rows: number;
  readonly columns: number;
  readonly numMatrices: number;
}

/** A tile must be filled to three quarters along rows and along columns. The smallest serves where no other does. */
export function tileFor(table: TileTable, { rows, columns, numMatrices }: ProductSize): TileName {
  const numElements = rows * columns * numMatrices;
  const order = table.findLast(({ minElements }) => numElements >= minElements)?.order ?? [];
  const fits = (name: TileName): boolean => {
    const tile = tileShapes[name];
    return rows >= 0.75 * tile.rows && columns >= 0.75 * tile.columns;
  };
  return order.find(fits) ?? "32x32";
}

/** Whether a value, as parsed from JSON, is a table. */
export function isTileTable(value: unknown): value is TileTable {
  if (!Array.isArray(value) || value.length === 0 || value[0]?.minElements !== 0) return false;
  return value.every((entry: Partial<TileClass> | null, i) => {
    const isAscending = i === 0 || (entry?.minElements ?? 0) > (value[i - 1].minElements as number);
    const { minElements, order } = entry ?? {};
    const isOrder = Array.isArray(order) && order.every((name) => Object.hasOwn(tileShapes, name));
    return isAscending && Number.isInteger(minElements) && isOrder;
  });
}
