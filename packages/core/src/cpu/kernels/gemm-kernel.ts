/**
 * @file The matmul kernel: cuts items into blocks that fit the caches, packs what needs packing, calls the tiles.
 *
 * An item is one panel of 4 rows in one block of columns of one matrix of the batch, numbered in that order from inside out, so
 * that a thread's range is whole blocks but for its ends. Blocking changes no bit: see gemm-tile.ts.
 */
import { defineKernel, type KernelBody } from "../kernel.js";
import type { Local } from "../wasm/assembler.js";
import {
  add,
  assign,
  define,
  div,
  eq,
  forRange,
  lt,
  min,
  mul,
  push,
  rem,
  sub,
  whileTrue,
  words,
} from "../wasm/integer.js";
import { type Packers, packColumns, packRows, packSlackBytes } from "./gemm-pack.js";
import { callGemmBlock, tileColumns, tileRows } from "./gemm-tile.js";

/** Depth, rows and columns of a block: a panel of B (16 KiB) stays in the first cache, the blocks of A (64 KiB) and B (512 KiB) in the second. */
const depthBlock = 512;
const rowBlock = 32;
export const columnBlock = 256;

const rowsBytes = rowBlock * depthBlock * 4 + packSlackBytes;
/** Scratch of one thread. */
export const matmulScratchBytes = rowsBytes + columnBlock * depthBlock * 4 + packSlackBytes;

/** How a block reaches the tiles: read in place, or packed from lines that are contiguous across or along the depth. */
export const packModes = { inPlace: 0, acrossLines: 1, alongDepth: 2 } as const;

const args = {
  rows: "i32",
  columns: "i32",
  depth: "i32",
  a: "i32",
  aRow: "i32",
  aDepth: "i32",
  aMode: "i32",
  b: "i32",
  bDepth: "i32",
  bColumn: "i32",
  bMode: "i32",
  c: "i32",
  cRow: "i32",
  bias: "i32",
  /** 1: go on from what c holds. */
  accumulate: "i32",
  /** Sizes of the two inner batch dims. */
  batch1: "i32",
  batch2: "i32",
  /** Bytes from one matrix to the next along the three batch dims, outermost first. */
  aBatch0: "i32",
  aBatch1: "i32",
  aBatch2: "i32",
  bBatch0: "i32",
  bBatch1: "i32",
  bBatch2: "i32",
  cBatch0: "i32",
  cBatch1: "i32",
  cBatch2: "i32",
} as const;
type Args = typeof args;
/** Arguments in locals. */
type Loaded = Readonly<Record<keyof Args, Local>>;

export const matmulKernel = defineKernel("matmul", args, (kernel) => {
  const { f, begin, end } = kernel;
  const p = kernel.allArgs();
  const scratch = kernel.scratch();
  const rowPanels = define(f, div(add(p.rows, tileRows - 1), tileRows));
  const columnBlocks = define(f, div(add(p.columns, columnBlock - 1), columnBlock));
  const [unit, panel, panels, wanted] = f.locals("i32", 4) as [Local, Local, Local, Local];
  const matrix = { a: f.local("i32"), b: f.local("i32"), c: f.local("i32") };
  const columns = { from: f.local("i32"), count: f.local("i32") };
  const rows = { from: f.local("i32"), to: f.local("i32") };
  whileTrue(f, lt(begin, end), () => {
    assign(f, unit, div(begin, rowPanels));
    assign(f, panel, rem(begin, rowPanels));
    assign(f, panels, sub(rowPanels, panel));
    assign(f, wanted, sub(end, begin));
    assign(f, panels, min(panels, wanted));
    assign(f, columns.from, mul(rem(unit, columnBlocks), columnBlock));
    assign(f, columns.count, sub(p.columns, columns.from));
    assign(f, columns.count, min(columns.count, columnBlock));
    emitMatrixAddresses(kernel, p, { matrix, index: define(f, div(unit, columnBlocks)) });
    assign(f, rows.from, mul(panel, tileRows));
    assign(f, rows.to, mul(add(panel, panels), tileRows));
    assign(f, rows.to, min(rows.to, p.rows));
    emitColumnBlock(kernel, p, { matrix, columns, rows, scratch });
    assign(f, begin, add(begin, panels));
  });
});

/** Addresses of the index-th matrices of the batch. */
function emitMatrixAddresses(
  { f }: KernelBody<Args>,
  p: Loaded,
  at: { matrix: Record<"a" | "b" | "c", Local>; index: Local },
): void {
  const i2 = define(f, rem(at.index, p.batch2));
  const outer = define(f, div(at.index, p.batch2));
  const i1 = define(f, rem(outer, p.batch1));
  const i0 = define(f, div(outer, p.batch1));
  for (const name of ["a", "b", "c"] as const) {
    const offset = add(mul(i0, p[`${name}Batch0`]), mul(i1, p[`${name}Batch1`]), mul(i2, p[`${name}Batch2`]));
    assign(f, at.matrix[name], add(p[name], offset));
  }
}

interface ColumnBlock {
  readonly matrix: Readonly<Record<"a" | "b" | "c", Local>>;
  readonly columns: Readonly<Record<"from" | "count", Local>>;
  readonly rows: Readonly<Record<"from" | "to", Local>>;
  readonly scratch: Local;
}

/** Rows [from, to) of one block of columns of one product: depth blocks outside, row blocks inside. */
function emitColumnBlock(kernel: KernelBody<Args>, p: Loaded, block: ColumnBlock): void {
  const { f, context } = kernel;
  const { matrix, columns, rows } = block;
  const packedB = define(f, add(block.scratch, rowsBytes));
  const k = define(f, 0);
  const depth = f.local("i32");
  const a = panelLocals(kernel);
  const b = panelLocals(kernel);
  const count = f.local("i32");
  const bias = f.local("i32");
  f.loop(() => {
    assign(f, depth, sub(p.depth, k));
    assign(f, depth, min(depth, depthBlock));
    assign(f, b.address, add(matrix.b, mul(k, p.bDepth), mul(columns.from, p.bColumn)));
    emitPanels(kernel, b, {
      mode: p.bMode,
      line: p.bColumn,
      step: p.bDepth,
      lines: columns.count,
      depth,
      to: packedB,
      pack: packColumns,
      width: tileColumns,
    });
    // The bias joins after the last k.
    assign(f, bias, mul(p.bias, lt(p.depth, add(k, depthBlock + 1))));
    push(f, p.bias).if(() => {
      push(f, bias).if(() => void assign(f, bias, add(bias, words(columns.from))));
    });
    forRange(f, { from: rows.from, to: rows.to, step: rowBlock }, (row) => {
      assign(f, count, sub(rows.to, row));
      assign(f, count, min(count, rowBlock));
      assign(f, a.address, add(matrix.a, mul(row, p.aRow), mul(k, p.aDepth)));
      emitPanels(kernel, a, {
        mode: p.aMode,
        line: p.aRow,
        step: p.aDepth,
        lines: count,
        depth,
        to: block.scratch,
        pack: packRows,
        width: tileRows,
      });
      callGemmBlock(f, context, {
        rows: count,
        columns: columns.count,
        depth,
        a: a.address,
        aStep: a.step,
        aPanel: a.panel,
        b: b.address,
        bStep: b.step,
        bPanel: b.panel,
        c: add(matrix.c, mul(row, p.cRow), words(columns.from)),
        cRow: p.cRow,
        resume: add(k, p.accumulate),
        bias,
      });
    });
    assign(f, k, add(k, depthBlock));
    push(f, lt(k, p.depth)).brIf(0);
  });
}

interface PanelLocals {
  readonly address: Local;
  readonly step: Local;
  readonly panel: Local;
}
function panelLocals({ f }: KernelBody<Args>): PanelLocals {
  return { address: f.local("i32"), step: f.local("i32"), panel: f.local("i32") };
}

interface Panels {
  readonly mode: Local;
  /** Bytes from line to line and from k to k + 1 in the matrix. */
  readonly line: Local;
  readonly step: Local;
  readonly lines: Local;
  readonly depth: Local;
  readonly to: Local;
  readonly pack: Packers;
  readonly width: number;
}

/** Packs if the mode says so; sets where the tiles find the panels. */
function emitPanels({ f, context }: KernelBody<Args>, found: PanelLocals, from: Panels): void {
  push(f, from.mode).if(
    () => {
      push(f, eq(from.mode, packModes.alongDepth)).if(
        () => {
          for (const value of [found.address, from.line, from.lines, from.depth, from.to]) f.get(value);
          f.call(context.indexOf(from.pack.alongDepth));
        },
        () => {
          for (const value of [found.address, from.step, from.lines, from.depth, from.to]) f.get(value);
          f.call(context.indexOf(from.pack.acrossLines));
        },
      );
      assign(f, found.address, from.to);
      assign(f, found.step, 4 * from.width);
      assign(f, found.panel, mul(from.depth, 4 * from.width));
    },
    () => {
      assign(f, found.step, from.step);
      assign(f, found.panel, 4 * from.width);
    },
  );
}
