/**
 * @file The host side of matmul: reads strides off the views, folds batch dims, chooses what to pack, launches.
 *
 * Every choice here depends on shapes and strides alone and changes no bit.
 */
import type { TensorView } from "../../backend/backend.js";
import type { KernelTable, MatmulOptions } from "../../backend/kernel-table.js";
import {
  batchParams,
  foldRows,
  numMatricesOf,
  type Product,
  productOf,
  splitBatch,
} from "../../backend/matrix-product.js";
import type { KernelHost, KernelRoom } from "../kernel.js";
import { columnBlock, matmulKernel, matmulScratchBytes, packModes } from "./gemm-kernel.js";
import { tileColumns, tileRows } from "./gemm-tile.js";

const bytes = 4;
/** Multiply-adds that take about 20 us. */
const grainWork = 400_000;

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
  const { rows, columns, depth } = product;
  const rowPanels = Math.ceil(rows / tileRows);
  const columnBlocks = Math.ceil(columns / columnBlock);
  const numItems = numMatricesOf(product) * columnBlocks * rowPanels;
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
    ...batchParams(product, bytes),
  };
  const grain = Math.max(1, Math.ceil(grainWork / itemWork));
  host.launch(matmulKernel, args, { numItems, grain, scratchBytes: matmulScratchBytes });
}

export const gemmRoom: KernelRoom<Pick<KernelTable, "matmul">> = {
  kernels: [matmulKernel],
  rows: (host) => ({
    matmul(a: TensorView, b: TensorView, out: TensorView, options: MatmulOptions): void {
      const bias = options.bias ? host.addressOf(options.bias) : 0;
      const accumulate = options.accumulate ? 1 : 0;
      const [atA, atB, atC] = [host.addressOf(a), host.addressOf(b), host.addressOf(out)];
      for (const { product, start } of splitBatch(foldRows(productOf(a, b, out)))) {
        const at = { a: atA + start.a * bytes, b: atB + start.b * bytes, c: atC + start.c * bytes };
        launchProduct(host, product, { ...at, bias, accumulate });
      }
    },
  }),
};
