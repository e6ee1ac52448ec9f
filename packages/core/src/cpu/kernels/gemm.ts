/**
 * @file The host side of matmul: reads strides off the views, folds batch dims, chooses what to pack, launches.
 *
 * Every choice here depends on shapes and strides alone and changes no bit.
 */
import type { TensorView } from "../../backend/backend.js";
import type { KernelTable, MatmulOptions } from "../../backend/kernel-table.js";
import type { KernelHost, KernelRoom } from "../kernel.js";
import { columnBlock, matmulKernel, matmulScratchBytes, packModes } from "./gemm-kernel.js";
import { tileColumns, tileRows } from "./gemm-tile.js";

interface BatchDim {
  readonly size: number;
  /** Elements from one matrix to the next. */
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

/** A product of matrices repeated over batch dims; all strides in elements. */
interface Product {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly aRow: number;
  readonly aDepth: number;
  readonly bDepth: number;
  readonly bColumn: number;
  readonly cRow: number;
  readonly batch: readonly BatchDim[];
}

const maxBatchDims = 3;
const bytes = 4;
/** Multiply-adds that take about 20 us. */
const grainWork = 400_000;

/** Joins neighbouring batch dims that one stride covers, drops those of size 1. */
export function collapseBatch(dims: readonly BatchDim[]): BatchDim[] {
  const kept: BatchDim[] = [];
  for (const dim of dims) {
    if (dim.size === 1) continue;
    const outer = kept.at(-1);
    const joins = outer && (["a", "b", "c"] as const).every((name) => outer[name] === dim[name] * dim.size);
    if (joins) kept[kept.length - 1] = { ...dim, size: outer.size * dim.size };
    else kept.push(dim);
  }
  return kept;
}

function productOf(a: TensorView, b: TensorView, out: TensorView): Product {
  const rank = out.shape.length;
  const size = (axis: number): number => out.shape[axis] ?? 1;
  const stride = (view: TensorView, axis: number): number => view.strides[axis] ?? 0;
  const dims = Array.from({ length: rank - 2 }, (_, axis) => ({
    size: size(axis),
    a: stride(a, axis),
    b: stride(b, axis),
    c: stride(out, axis),
  }));
  const batch = collapseBatch(dims);
  const product = {
    rows: size(rank - 2),
    columns: size(rank - 1),
    depth: a.shape[rank - 1] ?? 0,
    aRow: stride(a, rank - 2),
    aDepth: stride(a, rank - 1),
    bDepth: stride(b, rank - 2),
    bColumn: stride(b, rank - 1),
    cRow: stride(out, rank - 2),
    batch,
  };
  // x [B, T, C] times one matrix is one product of B * T rows.
  const inner = batch.at(-1);
  const folds =
    inner && inner.b === 0 && inner.a === product.aRow * product.rows && inner.c === product.cRow * product.rows;
  return folds ? { ...product, rows: product.rows * inner.size, batch: batch.slice(0, -1) } : product;
}

/** One factor as the packer sees it: lines (rows of a, columns of b) and the depth. Strides in elements. */
interface Factor {
  readonly lines: number;
  readonly line: number;
  readonly depth: number;
  readonly step: number;
  /** How often each line is read. */
  readonly reuse: number;
}

/** In place where the tile can read the lines as they are and reads them seldom or close together; else packed. */
function modeOf({ lines, line, depth, step, reuse }: Factor): number {
  const adjoin = line === 1 || lines === 1;
  const isShortWalk = lines === 1 || reuse <= 2 || (depth <= 64 && step <= 2048);
  // The tile's loop over the depth ends at an address: it must move.
  if (adjoin && step > 0 && isShortWalk) return packModes.inPlace;
  return (step === 1 || depth === 1) && !adjoin ? packModes.alongDepth : packModes.acrossLines;
}

interface Addresses {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly bias: number;
  /** 1: go on from what c holds. */
  readonly accumulate: 0 | 1;
}

function launchProduct(host: KernelHost, product: Product, at: Addresses): void {
  const { rows, columns, depth, batch } = product;
  const [dim0, dim1, dim2] = [...Array<undefined>(maxBatchDims - batch.length).fill(undefined), ...batch];
  const numMatrices = batch.reduce((count, dim) => count * dim.size, 1);
  const rowPanels = Math.ceil(rows / tileRows);
  const columnBlocks = Math.ceil(columns / columnBlock);
  const numItems = numMatrices * columnBlocks * rowPanels;
  if (numItems === 0) return;
  const itemWork = tileRows * Math.min(columns, columnBlock) * (depth + 8);
  const a = { lines: rows, line: product.aRow, depth, step: product.aDepth, reuse: columns / tileColumns };
  const b = { lines: columns, line: product.bColumn, depth, step: product.bDepth, reuse: rows / tileRows };
  const args = {
    rows,
    columns,
    depth,
    a: at.a,
    aRow: product.aRow * bytes,
    aDepth: product.aDepth * bytes,
    aMode: modeOf(a),
    b: at.b,
    bDepth: product.bDepth * bytes,
    bColumn: product.bColumn * bytes,
    bMode: modeOf(b),
    c: at.c,
    cRow: product.cRow * bytes,
    bias: at.bias,
    accumulate: at.accumulate,
    batch1: dim1?.size ?? 1,
    batch2: dim2?.size ?? 1,
    aBatch0: (dim0?.a ?? 0) * bytes,
    aBatch1: (dim1?.a ?? 0) * bytes,
    aBatch2: (dim2?.a ?? 0) * bytes,
    bBatch0: (dim0?.b ?? 0) * bytes,
    bBatch1: (dim1?.b ?? 0) * bytes,
    bBatch2: (dim2?.b ?? 0) * bytes,
    cBatch0: (dim0?.c ?? 0) * bytes,
    cBatch1: (dim1?.c ?? 0) * bytes,
    cBatch2: (dim2?.c ?? 0) * bytes,
  };
  const grain = Math.max(1, Math.ceil(grainWork / itemWork));
  host.launch(matmulKernel, args, { numItems, grain, scratchBytes: matmulScratchBytes });
}

/** Batch dims beyond three: one launch for each index of the outermost. */
function launchBatch(host: KernelHost, product: Product, at: Addresses): void {
  const [outer, ...inner] = product.batch;
  if (!outer || product.batch.length <= maxBatchDims) {
    launchProduct(host, product, at);
    return;
  }
  for (let i = 0; i < outer.size; i++) {
    const step = (name: "a" | "b" | "c"): number => at[name] + i * outer[name] * bytes;
    launchBatch(host, { ...product, batch: inner }, { ...at, a: step("a"), b: step("b"), c: step("c") });
  }
}

export const gemmRoom: KernelRoom<Pick<KernelTable, "matmul">> = {
  kernels: [matmulKernel],
  rows: (host) => ({
    matmul(a: TensorView, b: TensorView, out: TensorView, options: MatmulOptions): void {
      launchBatch(host, productOf(a, b, out), {
        a: host.addressOf(a),
        b: host.addressOf(b),
        c: host.addressOf(out),
        bias: options.bias ? host.addressOf(options.bias) : 0,
        accumulate: options.accumulate ? 1 : 0,
      });
    },
  }),
};
