/** @file matmul: which tiles a product is computed in. The choice is a function of its sizes alone. Legend: M rows, K reduction, N columns. */
import type { TensorView } from "@lockstep/core";
import {
  batchParams,
  foldRows,
  type KernelTable,
  type MatmulOptions,
  numMatricesOf,
  type Product,
  productOf,
  splitBatch,
} from "@lockstep/core/backend";
import { groupsOf, type KernelHost } from "../launch/kernel.js";
import { blockedKernel, directKernel, narrowKernel, triangles } from "./gemm-kernels.js";

/** Fewer workgroups than this leave parts of a large device idle. */
const enoughGroups = 256;

interface Tiles {
  readonly kernel: ReturnType<typeof blockedKernel>;
  readonly rows: number;
  readonly columns: number;
}

function blocked(rows: number, columns: number, [depth, block]: readonly [number, number]): Tiles {
  return { kernel: blockedKernel({ rows, columns, depth, blockRows: block, blockColumns: block }), rows, columns };
}

/** From large to small: the larger, the fewer reads of memory; the smaller, the more workgroups. */
const blockedTiles = [blocked(128, 128, [8, 8]), blocked(64, 64, [16, 4]), blocked(32, 32, [16, 4])] as const;
const narrowTiles: Tiles = { kernel: narrowKernel({ rows: 16, columns: 16, depth: 16 }), rows: 16, columns: 16 };

/** As many rows or columns at most go without tiles. */
const maxDirect = 4;

function tilesOf(product: Product): Tiles {
  const { rows, columns } = product;
  if (Math.min(rows, columns) <= 16) return narrowTiles;
  const numMatrices = numMatricesOf(product);
  const fits = (tiles: Tiles): boolean => {
    const numTiles = Math.ceil(rows / tiles.rows) * Math.ceil(columns / tiles.columns) * numMatrices;
    return numTiles >= enoughGroups && rows >= 0.75 * tiles.rows && columns >= 0.75 * tiles.columns;
  };
  return blockedTiles.find(fits) ?? blockedTiles[2];
}

interface Operands {
  readonly a: TensorView;
  readonly b: TensorView;
  readonly bias: TensorView;
  readonly out: TensorView;
}

interface Flags {
  readonly hasBias: number;
  readonly accumulates: number;
  readonly triangle: number;
}

function launchProduct(
  host: KernelHost,
  product: Product,
  { operands, flags }: { readonly operands: Operands; readonly flags: Flags },
): void {
  const { batch: _batch, ...sizes } = product;
  const numMatrices = numMatricesOf(product);
  if (sizes.rows * sizes.columns * numMatrices === 0) return;
  const { kernel, rows, columns } = tilesOf(product);
  const isDeep = (stride: number): number => (stride === 1 && sizes.depth > 1 ? 1 : 0);
  const numTileColumns = Math.ceil(sizes.columns / columns);
  const numTiles = Math.ceil(sizes.rows / rows) * numTileColumns;
  const params = {
    ...sizes,
    ...flags,
    ...{ aDeep: isDeep(sizes.aDepth), bDeep: isDeep(sizes.bDepth) },
    ...{ numTileColumns, numTiles, numGroups: numTiles * numMatrices },
    ...batchParams(product),
  };
  if (Math.min(sizes.rows, sizes.columns) > maxDirect) {
    host.launch(kernel, { ...operands }, params, { groups: params.numGroups });
    return;
  }
  const numElements = sizes.rows * sizes.columns * numMatrices;
  host.launch(directKernel, { ...operands }, { ...params, numGroups: numElements }, { groups: groupsOf(numElements) });
}

/** The view that begins `distance` elements later. Tensors are views too, whose fields are getters: they do not spread. */
function moved({ buffer, offset, shape, strides, dtype }: TensorView, distance: number): TensorView {
  return { buffer, offset: offset + distance, shape, strides, dtype };
}

/** The matrices transposed. */
export function swapped({ buffer, offset, shape, strides, dtype }: TensorView): TensorView {
  const swap = (list: readonly number[]): number[] => [...list.slice(0, -2), list.at(-1)!, list.at(-2)!];
  return { buffer, offset, shape: swap(shape), strides: swap(strides), dtype };
}

export interface ProductOptions extends MatmulOptions {
  readonly triangle?: keyof typeof triangles;
}

/** The row, and what other rooms compose theirs of. */
export function matmulOn(
  host: KernelHost,
  [a, b]: readonly [TensorView, TensorView],
  out: TensorView,
  options: ProductOptions = {},
): void {
  // A bias that is there and one that is not make one pipeline.
  const bias = options.bias ?? host.constantFloats([0]);
  const triangle = triangles[options.triangle ?? "none"];
  const flags = { hasBias: options.bias ? 1 : 0, accumulates: options.accumulate ? 1 : 0, triangle };
  const whole = productOf(a, b, out);
  for (const { product, start } of splitBatch(triangle === triangles.none ? foldRows(whole) : whole)) {
    const operands = { a: moved(a, start.a), b: moved(b, start.b), bias, out: moved(out, start.c) };
    launchProduct(host, product, { operands, flags });
  }
}

export function gemmRows(host: KernelHost) {
  return {
    matmul: (a, b, out, options) => matmulOn(host, [a, b], out, options),
  } satisfies Partial<KernelTable>;
}
