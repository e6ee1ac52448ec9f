/**
 * @file The gradient of a recurrent cell over all steps, last step first: the cell's own gradient, then carry += dz W of a block of rows.
 *
 * The carry is the gradient of h before the step: what passes the weight by (GRU), and then the sum over the G H pre-activations,
 * ascending, in one accumulator. The weight's own gradient is a product of dHidden and `before`, not made here.
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
import { clearScratchRow, copyRow } from "./row-loop.js";

export const backwardArgs = {
  batch: "i32",
  steps: "i32",
  hidden: "i32",
  isReversed: "i32",
  dOut: "i32",
  dHn: "i32",
  dCn: "i32",
  /** The weight, packed in panels of 8 of its H columns. */
  panels: "i32",
  lengths: "i32",
  saved: "i32",
  before: "i32",
  dGates: "i32",
  dHidden: "i32",
  dH0: "i32",
  dC0: "i32",
  /** Scratch: rows of dz, the bytes of one, and the same packed; rows of the carries of h and c, and the bytes of one. */
  dz: "i32",
  dzRow: "i32",
  packed: "i32",
  carry: "i32",
  cellCarry: "i32",
  stateRow: "i32",
} as const;
type Args = typeof backwardArgs;
type Loaded = Readonly<Record<keyof Args, Local>>;

/** The kernel of one cell. */
function backwardOf(cell: RecurrentCell): Kernel<Args> {
  return defineKernel(`recurrentBackward-${cell}`, backwardArgs, (kernel) => {
    const { f } = kernel;
    const p = kernel.allArgs();
    const scratch = kernel.scratch();
    for (const name of ["dz", "packed", "carry", "cellCarry"] as const) increase(f, p[name], scratch);
    forBlocks(kernel, p.batch, (block) => emitBlock(kernel, cell, { p, block }));
  });
}

export const recurrentBackward: Readonly<Record<RecurrentCell, Kernel<Args>>> = {
  lstm: backwardOf("lstm"),
  gru: backwardOf("gru"),
  tanh: backwardOf("tanh"),
  relu: backwardOf("relu"),
};

interface At {
  readonly p: Loaded;
  readonly block: RowBlock;
}

function emitBlock(kernel: KernelBody<Args>, cell: RecurrentCell, at: At): void {
  const { f, context } = kernel;
  const { p, block } = at;
  const { hasCellState, numGates } = recurrentCellSizes[cell];
  const gateUnits = define(f, mul(p.hidden, numGates));
  const length = f.local("i32");
  const row = f.local("i32");
  const longest = define(f, 0);
  const states = [{ from: p.dHn, carry: p.carry, to: p.dH0 }];
  if (hasCellState) states.push({ from: p.dCn, carry: p.cellCarry, to: p.dC0 });
  const copyStates = (direction: "in" | "out", r: Local): void => {
    assign(f, row, add(block.first, r));
    for (const { from, carry, to } of states) {
      const outside = add(direction === "in" ? from : to, mul(row, words(p.hidden)));
      const inside = add(carry, mul(r, p.stateRow));
      push(f, direction === "in" ? outside : inside);
      push(f, direction === "in" ? inside : outside);
      f.get(p.hidden).call(context.indexOf(copyRow));
    }
  };
  forRange(f, { from: 0, to: block.rows }, (r) => {
    copyStates("in", r);
    loadLength(f, p.lengths, row, length);
    assign(f, longest, max(longest, length));
    // A row adds zeros until its own last step has come.
    push(f, add(p.dz, mul(r, p.dzRow)))
      .get(gateUnits)
      .call(context.indexOf(clearScratchRow));
    emitPadding(kernel, cell, { p, row, length });
  });
  const step = define(f, longest);
  forRange(f, { from: 0, to: longest }, () => {
    increase(f, step, -1);
    forRange(f, { from: 0, to: block.rows }, (r) => {
      assign(f, row, add(block.first, r));
      loadLength(f, p.lengths, row, length);
      push(f, lt(step, length)).if(() => emitStep(kernel, cell, { p, r, row, step, length }));
    });
    for (const value of [p.dz, p.dzRow, block.rows, gateUnits, p.packed]) f.get(value);
    f.call(context.indexOf(packRows.alongDepth));
    callGemmBlock(f, context, {
      rows: block.rows,
      columns: p.hidden,
      depth: gateUnits,
      a: p.packed,
      aStep: 4 * tileRows,
      aPanel: mul(gateUnits, 4 * tileRows),
      b: p.panels,
      bStep: 4 * tileColumns,
      bPanel: mul(gateUnits, 4 * tileColumns),
      c: p.carry,
      cRow: p.stateRow,
      resume: 1,
      bias: 0,
    });
  });
  forRange(f, { from: 0, to: block.rows }, (r) => copyStates("out", r));
}

/** Zeros in the gradients of the steps past a row's length. */
function emitPadding(
  { f, context }: KernelBody<Args>,
  cell: RecurrentCell,
  { p, row, length }: { readonly p: Loaded; readonly row: Local; readonly length: Local },
): void {
  const { numGates, hasOwnHiddenGradient } = recurrentCellSizes[cell];
  const offset = define(f, mul(add(mul(row, p.steps), length), p.hidden, 4 * numGates));
  const count = define(f, mul(sub(p.steps, length), p.hidden, numGates));
  for (const base of hasOwnHiddenGradient ? [p.dGates, p.dHidden] : [p.dGates]) {
    push(f, add(base, offset)).get(count).call(context.indexOf(clearRow));
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
  const { numGates, numSaved, hasCellState, hasOwnHiddenGradient } = recurrentCellSizes[cell];
  const time = define(f, step);
  push(f, p.isReversed).if(() => void assign(f, time, sub(sub(length, 1), step)));
  const rowBytes = define(f, words(p.hidden));
  const place = define(f, mul(add(mul(row, p.steps), time), rowBytes));
  const rowsOf = (base: Local, blocks: number): Local[] => {
    const start = define(f, add(base, mul(place, blocks)));
    return Array.from({ length: blocks }, (_, block) => define(f, add(start, mul(rowBytes, block))));
  };
  const saved = rowsOf(p.saved, numSaved);
  const [dOut] = rowsOf(p.dOut, 1);
  const [before] = rowsOf(p.before, 1);
  const dGates = rowsOf(p.dGates, numGates);
  const dHidden = hasOwnHiddenGradient ? rowsOf(p.dHidden, numGates) : [];
  const dzStart = define(f, add(p.dz, mul(r, p.dzRow)));
  const dz = Array.from({ length: numGates }, (_, gate) => define(f, add(dzStart, mul(rowBytes, gate))));
  const [carry, cellCarry] = [p.carry, p.cellCarry].map((state) => define(f, add(state, mul(r, p.stateRow))));
  const dh = f.local("v128");
  forUnits(f, p.hidden, (offset, store) => {
    const load = (base: Local) => void push(f, add(base, offset)).mem("v128.load");
    load(dOut!);
    load(carry!);
    f.op("f32x4.add").set(dh);
    const result = cellCode[cell].backward(f, {
      saved: (index) => load(saved[index]!),
      before: () => load(before!),
      dh,
      dc: () => load(cellCarry!),
    });
    const hidden = result.hidden ?? result.gates;
    for (const [gate, vector] of result.gates.entries()) {
      store(dGates[gate]!, vector);
      // Exactly too: gates stand side by side without a gap.
      store(dz[gate]!, hidden[gate]!);
      if (hasOwnHiddenGradient) store(dHidden[gate]!, hidden[gate]!);
    }
    push(f, add(carry!, offset));
    if (result.h === undefined) f.f32x4(0);
    else f.get(result.h);
    f.mem("v128.store");
    if (hasCellState) push(f, add(cellCarry!, offset)).get(result.c!).mem("v128.store");
  });
}
