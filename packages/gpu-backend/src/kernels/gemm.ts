/** @file matmul: which kernel and tiles a product is computed in. No choice changes its bits. Legend: M rows, K reduction, N columns. */
import type { ElementwiseProgram, TensorView } from "@lockstep/core";
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
import { type TileName, tileFor, tileNames, tileShapes } from "../tuning/tile-table.js";
import { directKernel, narrowKernel } from "./gemm-narrow.js";
import { triangles } from "./gemm-params.js";
import { type TileForm, tileKernel } from "./gemm-tile.js";

const narrowTile = { rows: 16, columns: 16, depth: 16 } as const;
/** As many rows or columns at most go without tiles. */
const maxDirect = 4;

interface Operands {
  readonly a: TensorView;
  readonly b: TensorView;
  readonly bias: TensorView;
  readonly out: TensorView;
  /** What the epilogue is applied to. */
  readonly saved?: TensorView;
}

interface Flags {
  readonly hasBias: number;
  readonly accumulates: number;
  readonly triangle: number;
}

/** Kernels of one epilogue. Tiles are made when they are first used, by name and form. */
class Kernels {
  readonly direct: ReturnType<typeof directKernel>;
  readonly narrow: ReturnType<typeof narrowKernel>;
  readonly #epilogue: ElementwiseProgram | undefined;
  readonly #tiles = new Map<number, ReturnType<typeof tileKernel>>();

  constructor(epilogue?: ElementwiseProgram) {
    this.#epilogue = epilogue;
    this.direct = directKernel(epilogue);
    this.narrow = narrowKernel(narrowTile, epilogue);
  }

  tile(name: TileName, form: TileForm): ReturnType<typeof tileKernel> {
    let code = tileNames.indexOf(name);
    for (const bit of [form.a.isDeep, form.a.isVector, form.b.isDeep, form.b.isVector, form.isVectorOut]) {
      code = 2 * code + (bit ? 1 : 0);
    }
    let kernel = this.#tiles.get(code);
    if (kernel === undefined) {
      kernel = tileKernel(tileShapes[name], form, this.#epilogue);
      this.#tiles.set(code, kernel);
    }
    return kernel;
  }
}
const plainKernels = new Kernels();
const fusedKernels = new Map<string, Kernels>();

function kernelsOf(epilogue: ElementwiseProgram | undefined): Kernels {
  if (epilogue === undefined) return plainKernels;
  let kernels = fusedKernels.get(epilogue.key);
  if (kernels === undefined) {
    kernels = new Kernels(epilogue);
    fusedKernels.set(epilogue.key, kernels);
  }
  return kernels;
}

/** How factors and result lie: what can be loaded and stored in fours. */
function formOf({ rows, columns, depth, batch, ...steps }: Product, { a, b, out, saved }: Operands): TileForm {
  const isFour = (...values: readonly number[]): boolean => values.every((value) => value % 4 === 0);
  const [aDeep, bDeep] = [steps.aDepth === 1 && depth > 1, steps.bDepth === 1 && depth > 1];
  const batched = (factor: "a" | "b" | "c"): boolean => batch.every((dim) => isFour(dim[factor]));
  const factor = (
    isDeep: boolean,
    { start, line, step, isBatched }: { start: number; line: number; step: number; isBatched: boolean },
  ) => {
    const fits = isDeep ? isFour(line, depth) : line === 1 && isFour(step);
    return { isDeep, isVector: fits && isFour(start) && isBatched };
  };
  return {
    a: factor(aDeep, { start: a.offset, line: steps.aRow, step: steps.aDepth, isBatched: batched("a") }),
    b: factor(bDeep, { start: b.offset, line: steps.bColumn, step: steps.bDepth, isBatched: batched("b") }),
    isVectorOut: isFour(out.offset, saved?.offset ?? 0, columns, steps.cRow) && batched("c"),
  };
}

function launchProduct(
  host: KernelHost,
  product: Product,
  { operands, flags, kernels }: { readonly operands: Operands; readonly flags: Flags; readonly kernels: Kernels },
): void {
  const { batch: _batch, ...sizes } = product;
  const numMatrices = numMatricesOf(product);
  if (sizes.rows * sizes.columns * numMatrices === 0) return;
  const isDeep = (stride: number): number => (stride === 1 && sizes.depth > 1 ? 1 : 0);
  const smaller = Math.min(sizes.rows, sizes.columns);
  const name = tileFor(host.choices.tiles, { ...sizes, numMatrices });
  const tile = smaller <= 16 ? narrowTile : tileShapes[name];
  const numTileColumns = Math.ceil(sizes.columns / tile.columns);
  const numTiles = Math.ceil(sizes.rows / tile.rows) * numTileColumns;
  const params = {
    ...sizes,
    ...flags,
    ...{ aDeep: isDeep(sizes.aDepth), bDeep: isDeep(sizes.bDepth) },
    ...{ numTileColumns, numTiles, numGroups: numTiles * numMatrices },
    ...batchParams(product),
  };
  if (smaller <= maxDirect) {
    const numElements = sizes.rows * sizes.columns * numMatrices;
    const values = { ...params, numGroups: numElements };
    host.launch(kernels.direct, { ...operands }, values, { groups: groupsOf(numElements) });
    return;
  }
  const kernel = smaller <= 16 ? kernels.narrow : kernels.tile(name, formOf(product, operands));
  host.launch(kernel, { ...operands }, params, { groups: params.numGroups });
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
  const { epilogue } = options;
  const kernels = kernelsOf(epilogue?.program);
  for (const { product, start } of splitBatch(triangle === triangles.none ? foldRows(whole) : whole)) {
    const factors = { a: moved(a, start.a), b: moved(b, start.b), bias };
    const saved = epilogue && { saved: moved(epilogue.input, start.c) };
    launchProduct(host, product, { operands: { ...factors, ...saved, out: moved(out, start.c) }, flags, kernels });
  }
}

export function gemmRows(host: KernelHost) {
  return {
    matmul: (a, b, out, options) => matmulOn(host, [a, b], out, options),
  } satisfies Partial<KernelTable>;
}
