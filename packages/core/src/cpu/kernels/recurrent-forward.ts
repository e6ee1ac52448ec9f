/**
 * @file A recurrent cell over all steps: z = h W^T + bias of a block of rows, then the cell, step after step.
 *
 * Legend: B batch, T sequence, H hidden units, G gates, S saved.
 */
import { type RecurrentCell, recurrentCellSizes } from "../../backend/recurrent-cell.js";
import { defineKernel, type Kernel, type KernelBody } from "../kernel.js";
import type { Local } from "../wasm/assembler.js";
import { add, assign, define, forRange, increase, lt, max, mul, push, sub, words } from "../wasm/integer.js";
import { packRows } from "./gemm-pack.js";
import { callGemmBlock, tileColumns, tileRows } from "./gemm-tile.js";
import { cellCode } from "./recurrent-cells.js";
import { clearRow, forBlocks, forUnits, loadLength, type RowBlock } from "./recurrent-rows.js";
import { copyRow } from "./row-loop.js";

export const forwardArgs = {
  batch: "i32",
  steps: "i32",
  hidden: "i32",
  isReversed: "i32",
  gates: "i32",
  gatesBatch: "i32",
  gatesTime: "i32",
  /** The weight, packed in panels of 8 of its G H rows. */
  panels: "i32",
  bias: "i32",
  h0: "i32",
  h0Row: "i32",
  c0: "i32",
  c0Row: "i32",
  lengths: "i32",
  out: "i32",
  hn: "i32",
  cn: "i32",
  saved: "i32",
  before: "i32",
  /** Scratch: packed rows of h; rows of z and the bytes of one; rows of h and of c and the bytes of one. */
  packed: "i32",
  z: "i32",
  zRow: "i32",
  h: "i32",
  c: "i32",
  stateRow: "i32",
} as const;
type Args = typeof forwardArgs;
type Loaded = Readonly<Record<keyof Args, Local>>;

/** The kernel of one cell. */
function forwardOf(cell: RecurrentCell): Kernel<Args> {
  return defineKernel(`recurrent-${cell}`, forwardArgs, (kernel) => {
    kernel.poolConstants();
    const { f } = kernel;
    const p = kernel.allArgs();
    const scratch = kernel.scratch();
    for (const name of ["packed", "z", "h", "c"] as const) increase(f, p[name], scratch);
    forBlocks(kernel, p.batch, (block) => emitBlock(kernel, cell, { p, block }));
  });
}

export const recurrentForward: Readonly<Record<RecurrentCell, Kernel<Args>>> = {
  lstm: forwardOf("lstm"),
  gru: forwardOf("gru"),
  tanh: forwardOf("tanh"),
  relu: forwardOf("relu"),
};

interface At {
  readonly p: Loaded;
  readonly block: RowBlock;
}

function emitBlock(kernel: KernelBody<Args>, cell: RecurrentCell, at: At): void {
  const { f, context } = kernel;
  const { p, block } = at;
  const { hasCellState, numGates } = recurrentCellSizes[cell];
  const length = f.local("i32");
  const row = f.local("i32");
  const longest = define(f, 0);
  const states = [{ from: p.h0, fromRow: p.h0Row, state: p.h, to: p.hn }];
  if (hasCellState) states.push({ from: p.c0, fromRow: p.c0Row, state: p.c, to: p.cn });
  const copy = (from: () => void, to: () => void): void => {
    from();
    to();
    f.get(p.hidden).call(context.indexOf(copyRow));
  };
  forRange(f, { from: 0, to: block.rows }, (r) => {
    assign(f, row, add(block.first, r));
    loadLength(f, p.lengths, row, length);
    assign(f, longest, max(longest, length));
    for (const { from, fromRow, state } of states) {
      copy(
        () => void push(f, add(from, mul(row, fromRow))),
        () => void push(f, add(state, mul(r, p.stateRow))),
      );
    }
    emitPadding(kernel, cell, { p, row, length });
  });
  forRange(f, { from: 0, to: longest }, (step) => {
    for (const value of [p.h, p.stateRow, block.rows, p.hidden, p.packed]) f.get(value);
    f.call(context.indexOf(packRows.alongDepth));
    callGemmBlock(f, context, {
      rows: block.rows,
      columns: mul(p.hidden, numGates),
      depth: p.hidden,
      a: p.packed,
      aStep: 4 * tileRows,
      aPanel: mul(p.hidden, 4 * tileRows),
      b: p.panels,
      bStep: 4 * tileColumns,
      bPanel: mul(p.hidden, 4 * tileColumns),
      c: p.z,
      cRow: p.zRow,
      resume: 0,
      bias: p.bias,
    });
    forRange(f, { from: 0, to: block.rows }, (r) => {
      assign(f, row, add(block.first, r));
      loadLength(f, p.lengths, row, length);
      push(f, lt(step, length)).if(() => emitStep(kernel, cell, { p, r, row, step, length }));
    });
  });
  forRange(f, { from: 0, to: block.rows }, (r) => {
    for (const { state, to } of states) {
      copy(
        () => void push(f, add(state, mul(r, p.stateRow))),
        () => void push(f, add(to, mul(add(block.first, r), words(p.hidden)))),
      );
    }
  });
}

/** Zeros in what the steps past a row's length would have written. */
function emitPadding(
  { f, context }: KernelBody<Args>,
  cell: RecurrentCell,
  { p, row, length }: { readonly p: Loaded; readonly row: Local; readonly length: Local },
): void {
  const unit = define(f, mul(add(mul(row, p.steps), length), p.hidden));
  const count = define(f, mul(sub(p.steps, length), p.hidden));
  const { numSaved } = recurrentCellSizes[cell];
  for (const [base, width] of [[p.out, 1] as const, [p.before, 1] as const, [p.saved, numSaved] as const]) {
    push(f, add(base, mul(unit, 4 * width)));
    push(f, mul(count, width));
    f.call(context.indexOf(clearRow));
  }
}

interface StepAt {
  readonly p: Loaded;
  /** Row within the block and within the batch. */
  readonly r: Local;
  readonly row: Local;
  readonly step: Local;
  readonly length: Local;
}

/** One step of one row. */
function emitStep({ f }: KernelBody<Args>, cell: RecurrentCell, { p, r, row, step, length }: StepAt): void {
  const { numGates, numSaved, hasCellState } = recurrentCellSizes[cell];
  const time = define(f, step);
  push(f, p.isReversed).if(() => void assign(f, time, sub(sub(length, 1), step)));
  const place = define(f, mul(add(mul(row, p.steps), time), words(p.hidden)));
  const [rowBytes, x, z] = [
    define(f, words(p.hidden)),
    define(f, add(p.gates, mul(row, p.gatesBatch), mul(time, p.gatesTime))),
    define(f, add(p.z, mul(r, p.zRow))),
  ];
  const [h, c] = [p.h, p.c].map((state) => define(f, add(state, mul(r, p.stateRow)))) as [Local, Local];
  const [out, before] = [define(f, add(p.out, place)), define(f, add(p.before, place))];
  const at = (base: Local, block: number): Local => define(f, add(base, mul(rowBytes, block)));
  const xs = Array.from({ length: numGates }, (_, gate) => at(x, gate));
  const zs = Array.from({ length: numGates }, (_, gate) => at(z, gate));
  const saved = define(f, add(p.saved, mul(place, numSaved)));
  const savedRows = Array.from({ length: numSaved }, (_, index) => at(saved, index));
  const old = f.local("v128");
  forUnits(f, p.hidden, (offset, store) => {
    const load = (base: Local) => void push(f, add(base, offset)).mem("v128.load");
    load(h);
    f.set(old);
    const result = cellCode[cell].forward(f, {
      x: (gate) => load(xs[gate]!),
      z: (gate) => load(zs[gate]!),
      h: () => void f.get(old),
      c: () => load(c),
    });
    store(before, old);
    store(out, result.h);
    for (const [index, vector] of result.saved.entries()) store(savedRows[index]!, vector);
    push(f, add(h, offset)).get(result.h).mem("v128.store");
    if (hasCellState) push(f, add(c, offset)).get(result.c!).mem("v128.store");
  });
}
