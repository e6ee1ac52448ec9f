/**
 * @file causalAttention, four rows at a time: scores, softmax, probabilities, weighted values, all while they are in the cache.
 *
 * An item is a panel of 4 rows of one (batch, head) pair. Row t of the scores has t + 1 entries; row t of the output sums over
 * k = 0..(t | 3), where the weights past t are +0. So half of the square is never computed.
 * Legend: B batch, T sequence, H heads, D head dim.
 */
import { type BuildContext, defineKernel, type KernelBody } from "../kernel.js";
import type { Local } from "../wasm/assembler.js";
import {
  add,
  assign,
  define,
  div,
  forRange,
  type Int,
  increase,
  lt,
  min,
  mul,
  push,
  rem,
  sub,
  whileTrue,
} from "../wasm/integer.js";
import { matrixAddress, tensorArgs } from "./attention-layout.js";
import { packColumns, packRows } from "./gemm-pack.js";
import { callGemmBlock, tileColumns, tileRows } from "./gemm-tile.js";
import { clearScratchRow, copyRow } from "./row-loop.js";
import { emitSoftmaxRow } from "./softmax-row.js";

const args = {
  heads: "i32",
  tokens: "i32",
  headDim: "i32",
  scale: "f32",
  ...tensorArgs("q"),
  ...tensorArgs("k"),
  ...tensorArgs("v"),
  ...tensorArgs("out"),
  probs: "i32",
  /** Scratch: four rows of scores and the bytes of one, packed rows of q and of weights, packed k and v. */
  rows: "i32",
  rowBytes: "i32",
  qPanel: "i32",
  weightPanel: "i32",
  kPanels: "i32",
  vPanels: "i32",
} as const;
type Args = typeof args;
type Loaded = Readonly<Record<keyof Args, Local>>;

export const attentionForward = defineKernel("causalAttention", args, (kernel) => {
  kernel.poolConstants();
  const { f, begin, end } = kernel;
  const p = kernel.allArgs();
  const scratch = kernel.scratch();
  for (const name of ["rows", "qPanel", "weightPanel", "kPanels", "vPanels"] as const) increase(f, p[name], scratch);
  const panels = define(f, div(add(p.tokens, tileRows - 1), tileRows));
  const [index, from, to] = f.locals("i32", 3) as [Local, Local, Local];
  whileTrue(f, lt(begin, end), () => {
    assign(f, index, div(begin, panels));
    assign(f, from, rem(begin, panels));
    assign(f, to, add(from, sub(end, begin)));
    assign(f, to, min(to, panels));
    emitHead(kernel, p, { index, from, to });
    increase(f, begin, sub(to, from));
  });
});

/** Row panels [from, to) of one (batch, head) pair. */
function emitHead({ f, context }: KernelBody<Args>, p: Loaded, at: { index: Local; from: Local; to: Local }): void {
  const matrix = (name: "q" | "k" | "v" | "out"): Local =>
    matrixAddress(
      f,
      { base: p[name], batch: p[`${name}Batch`], head: p[`${name}Head`] },
      { index: at.index, heads: p.heads },
    );
  const q = matrix("q");
  const k = matrix("k");
  const v = matrix("v");
  const out = matrix("out");
  const probs = define(f, add(p.probs, mul(mul(at.index, mul(p.tokens, p.tokens)), 4)));
  const keys = define(f, mul(at.to, tileRows));
  assign(f, keys, min(keys, p.tokens));
  for (const value of [k, p.kRow, keys, p.headDim, p.kPanels]) f.get(value);
  f.call(context.indexOf(packColumns.alongDepth));
  for (const value of [v, p.vRow, p.headDim, keys, p.vPanels]) f.get(value);
  f.call(context.indexOf(packColumns.acrossLines));
  forRange(f, { from: 0, to: tileRows }, (r) => {
    push(f, add(p.rows, mul(r, p.rowBytes)))
      .get(p.tokens)
      .call(context.indexOf(clearScratchRow));
  });
  const scale = f.local("v128");
  f.get(p.scale).op("f32x4.splat").set(scale);
  const panel: Panel = { row: f.local("i32"), rows: f.local("i32"), columns: f.local("i32"), keys };
  forRange(f, { from: at.from, to: at.to }, (index) => {
    assign(f, panel.row, mul(index, tileRows));
    assign(f, panel.columns, add(panel.row, tileRows));
    assign(f, panel.columns, min(panel.columns, p.tokens));
    assign(f, panel.rows, sub(panel.columns, panel.row));
    emitScores(f, context, { p, panel, q });
    emitSoftmax(f, context, { p, panel, probs, scale });
    emitOutput(f, context, { p, panel, out });
  });
}

interface Panel {
  readonly row: Local;
  readonly rows: Local;
  /** End of the last row's entries. */
  readonly columns: Local;
  /** Rows of k and v that are packed. */
  readonly keys: Local;
}
type Builder = KernelBody<Args>["f"];

/** rows = q[row..] k^T */
function emitScores(f: Builder, context: BuildContext, { p, panel, q }: { p: Loaded; panel: Panel; q: Local }): void {
  push(f, add(q, mul(panel.row, p.qRow)));
  for (const value of [p.qRow, panel.rows, p.headDim, p.qPanel]) f.get(value);
  f.call(context.indexOf(packRows.alongDepth));
  callGemmBlock(f, context, {
    rows: panel.rows,
    columns: panel.columns,
    depth: p.headDim,
    a: p.qPanel,
    aStep: 4 * tileRows,
    aPanel: 0,
    b: p.kPanels,
    bStep: 4 * tileColumns,
    bPanel: mul(p.headDim, 4 * tileColumns),
    c: p.rows,
    cRow: p.rowBytes,
    resume: 0,
    bias: 0,
  });
}

/** rows = softmax of each row's first t + 1 entries; probs[row..] = rows, with zeros above the diagonal. */
function emitSoftmax(
  f: Builder,
  context: BuildContext,
  at: { p: Loaded; panel: Panel; probs: Local; scale: Local },
): void {
  const { p, panel, probs, scale } = at;
  const row = define(f, p.rows);
  const to = define(f, add(probs, mul(panel.row, mul(p.tokens, 4))));
  const count = f.local("i32");
  forRange(f, { from: 0, to: panel.rows }, (r) => {
    assign(f, count, add(panel.row, r, 1));
    emitSoftmaxRow(f, context, { row, count, scale });
    for (const value of [row, to, p.tokens]) f.get(value);
    f.call(context.indexOf(copyRow));
    increase(f, row, p.rowBytes);
    increase(f, to, mul(p.tokens, 4));
  });
}

/** out[row..] = rows v */
function emitOutput(
  f: Builder,
  context: BuildContext,
  { p, panel, out }: { p: Loaded; panel: Panel; out: Local },
): void {
  for (const value of [p.rows, p.rowBytes, panel.rows, panel.columns, p.weightPanel]) f.get(value);
  f.call(context.indexOf(packRows.alongDepth));
  const bPanel: Int = mul(panel.keys, 4 * tileColumns);
  callGemmBlock(f, context, {
    rows: panel.rows,
    columns: p.headDim,
    depth: panel.columns,
    a: p.weightPanel,
    aStep: 4 * tileRows,
    aPanel: 0,
    b: p.vPanels,
    bStep: 4 * tileColumns,
    bPanel,
    c: add(out, mul(panel.row, p.outRow)),
    cRow: p.outRow,
    resume: 0,
    bias: 0,
  });
}
