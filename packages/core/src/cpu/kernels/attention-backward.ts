/**
 * @file Gradients of causalAttention, one (batch, head) pair an item.
 *
 *   dV = P^T dO      dP = dO V^T      dS = P * (dP - rowSum(dP * P)) * scale      dQ = dS K      dK = dS^T Q
 *
 * dP and dS exist four rows at a time; dS also goes to scratch in panels of four columns, ready to be the left factor of dK.
 * Row t of dQ sums over columns 0..(t | 3), row j of dK and dV over rows from 4 floor(j / 4) on: entries above the diagonal have P = 0.
 * Legend: B batch, T sequence, H heads, D head dim.
 */
import {
  type BuildContext,
  defineFunction,
  defineKernel,
  type FunctionDefinition,
  type KernelBody,
} from "../kernel.js";
import { rowSum } from "../sum-order.js";
import type { Local } from "../wasm/assembler.js";
import {
  add,
  assign,
  define,
  forRange,
  type Int,
  increase,
  loadVector,
  min,
  mul,
  push,
  storeVector,
  sub,
  words,
} from "../wasm/integer.js";
import { matrixAddress, tensorArgs } from "./attention-layout.js";
import { packColumns, packRows } from "./gemm-pack.js";
import { callGemmBlock, tileColumns, tileRows } from "./gemm-tile.js";
import { forVectors } from "./row-loop.js";

const args = {
  heads: "i32",
  tokens: "i32",
  headDim: "i32",
  scale: "f32",
  ...tensorArgs("q"),
  ...tensorArgs("k"),
  ...tensorArgs("v"),
  ...tensorArgs("dOut"),
  ...tensorArgs("dq"),
  ...tensorArgs("dk"),
  ...tensorArgs("dv"),
  probs: "i32",
  /** Scratch: four rows of dP, then dS, and one of products, and the bytes of a row; packed rows; packed matrices. */
  rows: "i32",
  products: "i32",
  rowBytes: "i32",
  rowPanel: "i32",
  vPanels: "i32",
  kPanels: "i32",
  qPanels: "i32",
  dOutPanels: "i32",
  /** dS in panels of four columns, and the bytes of one. */
  dScores: "i32",
  dScoresPanel: "i32",
} as const;
type Args = typeof args;
type Loaded = Readonly<Record<keyof Args, Local>>;
type Builder = KernelBody<Args>["f"];

/**
 * (row, probs, products, count, scale): row[j] = probs[j] * (row[j] - rowSum(row * probs)) * scale, j < count.
 * `row` and `products` are scratch. Past count, where probs is 0, the result is a zero.
 */
const scoreGradientRow: FunctionDefinition = defineFunction(
  "attentionScoreGradientRow",
  { params: ["i32", "i32", "i32", "i32", "f32"], results: [] },
  (f, params, context) => {
    const [row, probs, products, count, scale] = params as [Local, Local, Local, Local, Local];
    const [vector, mean, scales] = f.locals("v128", 3) as [Local, Local, Local];
    forVectors(f, count, (offset) => {
      push(f, add(row, offset)).mem("v128.load");
      push(f, add(probs, offset)).mem("v128.load").op("f32x4.mul").set(vector);
      storeVector(f, vector, add(products, offset));
    });
    f.get(products).get(count).call(context.indexOf(rowSum)).op("f32x4.splat").set(mean);
    f.get(scale).op("f32x4.splat").set(scales);
    forVectors(f, count, (offset) => {
      push(f, add(probs, offset)).mem("v128.load");
      push(f, add(row, offset)).mem("v128.load").get(mean).op("f32x4.sub", "f32x4.mul");
      f.get(scales).op("f32x4.mul").set(vector);
      storeVector(f, vector, add(row, offset));
    });
  },
);

export const attentionBackward = defineKernel("causalAttentionBackward", args, (kernel) => {
  const { f, begin, end } = kernel;
  const p = kernel.allArgs();
  const scratch = kernel.scratch();
  const pieces = ["rows", "products", "rowPanel", "vPanels", "kPanels", "qPanels", "dOutPanels", "dScores"] as const;
  for (const name of pieces) increase(f, p[name], scratch);
  forRange(f, { from: begin, to: end }, (index) => emitHead(kernel, p, index));
});

function emitHead({ f, context }: KernelBody<Args>, p: Loaded, index: Local): void {
  type Name = "q" | "k" | "v" | "dOut" | "dq" | "dk" | "dv";
  const matrix = (name: Name): Local =>
    matrixAddress(f, { base: p[name], batch: p[`${name}Batch`], head: p[`${name}Head`] }, { index, heads: p.heads });
  const v = matrix("v");
  const dOut = matrix("dOut");
  const probs = define(f, add(p.probs, words(mul(index, mul(p.tokens, p.tokens)))));
  for (const value of [v, p.vRow, p.tokens, p.headDim, p.vPanels]) f.get(value);
  f.call(context.indexOf(packColumns.alongDepth));
  for (const [from, rowBytes, to] of [
    [matrix("k"), p.kRow, p.kPanels],
    [matrix("q"), p.qRow, p.qPanels],
    [dOut, p.dOutRow, p.dOutPanels],
  ] as const) {
    for (const value of [from, rowBytes, p.headDim, p.tokens, to]) f.get(value);
    f.call(context.indexOf(packColumns.acrossLines));
  }
  const dq = matrix("dq");
  const panel: Panel = { row: f.local("i32"), rows: f.local("i32"), end: f.local("i32") };
  forPanels(f, p, panel, () => {
    emitScoreGradients(f, context, { p, panel, dOut, probs });
    emitQueryGradients(f, context, { p, panel, dq });
  });
  const dk = matrix("dk");
  const dv = matrix("dv");
  forPanels(f, p, panel, () => emitKeyValueGradients(f, context, { p, panel, probs, dk, dv }));
}

/** Four rows (or columns) of the scores: first, number, end. */
interface Panel {
  readonly row: Local;
  readonly rows: Local;
  readonly end: Local;
}

function forPanels(f: Builder, p: Loaded, panel: Panel, body: () => void): void {
  forRange(f, { from: 0, to: p.tokens, step: tileRows }, (row) => {
    assign(f, panel.row, row);
    assign(f, panel.end, add(row, tileRows));
    assign(f, panel.end, min(panel.end, p.tokens));
    assign(f, panel.rows, sub(panel.end, row));
    body();
  });
}

/** rows = dS of four rows; also stored to the column panels. */
function emitScoreGradients(
  f: Builder,
  context: BuildContext,
  at: { p: Loaded; panel: Panel; dOut: Local; probs: Local },
): void {
  const { p, panel } = at;
  push(f, add(at.dOut, mul(panel.row, p.dOutRow)));
  for (const value of [p.dOutRow, panel.rows, p.headDim, p.rowPanel]) f.get(value);
  f.call(context.indexOf(packRows.alongDepth));
  callGemmBlock(f, context, {
    ...packedFactors(p.rowPanel, p.vPanels, p.headDim),
    rows: panel.rows,
    columns: panel.end,
    depth: p.headDim,
    c: p.rows,
    cRow: p.rowBytes,
  });
  const row = define(f, p.rows);
  const probsRow = define(f, add(at.probs, words(mul(panel.row, p.tokens))));
  const vector = f.local("v128");
  const to = f.local("i32");
  forRange(f, { from: panel.row, to: panel.end }, (t) => {
    for (const value of [row, probsRow, p.products]) f.get(value);
    push(f, add(t, 1)).get(p.scale).call(context.indexOf(scoreGradientRow));
    assign(f, to, add(p.dScores, mul(t, 4 * tileRows)));
    forVectors(f, add(t, 1), (offset) => {
      loadVector(f, vector, add(row, offset));
      storeVector(f, vector, to);
      increase(f, to, p.dScoresPanel);
    });
    increase(f, row, p.rowBytes);
    increase(f, probsRow, words(p.tokens));
  });
}

/** dq[row..] = rows k */
function emitQueryGradients(f: Builder, context: BuildContext, at: { p: Loaded; panel: Panel; dq: Local }): void {
  const { p, panel } = at;
  for (const value of [p.rows, p.rowBytes, panel.rows, panel.end, p.rowPanel]) f.get(value);
  f.call(context.indexOf(packRows.alongDepth));
  callGemmBlock(f, context, {
    ...packedFactors(p.rowPanel, p.kPanels, p.tokens),
    rows: panel.rows,
    columns: p.headDim,
    depth: panel.end,
    c: add(at.dq, mul(panel.row, p.dqRow)),
    cRow: p.dqRow,
  });
}

/** dk[j..] = dS[j.., j..]^T q[j..], dv[j..] = P[j.., j..]^T dOut[j..] for the four columns of the panel. */
function emitKeyValueGradients(
  f: Builder,
  context: BuildContext,
  at: { p: Loaded; panel: Panel; probs: Local; dk: Local; dv: Local },
): void {
  const { p, panel } = at;
  const depth = define(f, sub(p.tokens, panel.row));
  const skipped = mul(panel.row, 4 * tileColumns);
  const dScores = add(p.dScores, mul({ op: "i32.shr_u", operands: [panel.row, 2] }, p.dScoresPanel));
  const block = { rows: panel.rows, columns: p.headDim, depth };
  callGemmBlock(f, context, {
    ...packedFactors(add(dScores, mul(panel.row, 4 * tileRows)), add(p.qPanels, skipped), p.tokens),
    ...block,
    c: add(at.dk, mul(panel.row, p.dkRow)),
    cRow: p.dkRow,
  });
  push(f, add(at.probs, words(add(mul(panel.row, p.tokens), panel.row))));
  push(f, words(p.tokens));
  for (const value of [panel.rows, depth, p.rowPanel]) f.get(value);
  f.call(context.indexOf(packRows.acrossLines));
  callGemmBlock(f, context, {
    ...packedFactors(p.rowPanel, add(p.dOutPanels, skipped), p.tokens),
    ...block,
    c: add(at.dv, mul(panel.row, p.dvRow)),
    cRow: p.dvRow,
  });
}

/** One packed panel of rows times packed panels of columns that are `panelDepth` deep. */
function packedFactors(a: Int, b: Int, panelDepth: Local) {
  return {
    a,
    aStep: 4 * tileRows,
    aPanel: 0,
    b,
    bStep: 4 * tileColumns,
    bPanel: mul(panelDepth, 4 * tileColumns),
    resume: 0,
    bias: 0,
  };
}
