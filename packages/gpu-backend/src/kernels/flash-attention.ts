/**
 * @file Causal attention in tiles that never lie in memory: scores are computed, used and forgotten; what is kept is the logSumExp of each row.
 *
 *   forward   over ascending key tiles: m' = max(m, rowmax(S)), w = exp(S - m'), l' = l exp(m - m') + rowsum(w), o' = o exp(m - m') + w v;
 *             out = o / l, logSumExp = m + log(l)
 *   backward  P = exp(S - logSumExp), delta = rowsum(dOut * out), dS = P (dOut v^T - delta) scale;
 *             dq = dS k, a workgroup a query tile over ascending key tiles; dv = P^T dOut and dk = dS^T q, a workgroup a key tile over
 *             ascending query tiles. No two workgroups write one element, so there are no atomics and one order.
 *
 * A score above the diagonal has weight 0 by a test of its place, whatever its number, so that finite scores of any size are right.
 *
 * Legend: B batch, T sequence, H heads, D head dim, S = q k^T scale.
 * @source Dao, Fu, Ermon, Rudra, Ré 2022, "FlashAttention", algorithms 1 and 4; Dao 2023, "FlashAttention-2", section 3.1 (one division at
 * the end); Milakov and Gimelshein 2018, "Online normalizer calculation for softmax". Deviation: dq has a pass of its own.
 */
import type { TensorView } from "@lockstep/core";
import type {
  AttentionBackwardInputs,
  AttentionGradients,
  AttentionInputs,
  AttentionOutputs,
} from "@lockstep/core/backend";
import { defineKernel, type KernelHost } from "../launch/kernel.js";
import { exponential, logarithm } from "../math/exponentials.js";
import {
  acrossText,
  blocksOf,
  dotsText,
  each,
  flashDeclarations,
  headStrides,
  headText,
  placeText,
  productText,
  storeText,
  sumsText,
  tileSize,
  tileText,
} from "./flash-tiles.js";
import { lanesOfRow, rowFolds } from "./lane-grid.js";

/** Heads wider than this need more registers than there are. */
export const maxFlashHeadDim = 256;

const sizes = {
  heads: "u32",
  tokens: "u32",
  headDim: "u32",
  numTiles: "u32",
  numGroups: "u32",
  scale: "f32",
} as const;
const queryKeyValue = { q: "read f32", k: "read f32", v: "read f32" } as const;
const strides = { ...headStrides("q"), ...headStrides("k"), ...headStrides("v") };
const [q, k, v, out, dOut] = [headText("q"), headText("k"), headText("v"), headText("out"), headText("dOut")];
const [dq, dk, dv] = [headText("dq"), headText("dk"), headText("dv")];

/** Columns of an invocation's scores, as places in the sequence. */
const columnsText = "let columns = firstColumn + x * 4u + vec4u(0u, 1u, 2u, 3u);";

function forwardKernel(numBlocks: number) {
  return defineKernel({
    name: `flashAttention${numBlocks * tileSize}`,
    operands: { ...queryKeyValue, out: "write f32", logSumExp: "write f32" },
    params: { ...sizes, ...strides, ...headStrides("out") },
    uses: [exponential, logarithm],
    declarations: flashDeclarations,
    body: `${placeText(true)}
  ${[q, k, v, out].map(({ text }) => text).join("\n  ")}
  var peak = vec4f(-3.4028234663852886e38);
  var total = vec4f();
  ${tileText("score")}
  ${sumsText("sum", numBlocks)}
  for (var firstColumn = 0u; firstColumn <= firstRow; firstColumn += ${tileSize}u) {
    ${dotsText("score", { matrix: q.matrix, firstRow: "firstRow" }, { matrix: k.matrix, firstRow: "firstColumn" })}
    ${columnsText}
    ${each(
      4,
      (i) => `
    let isSeen${i} = columns <= vec4u(firstRow + y * 4u + ${i}u);
    score${i} = select(vec4f(-3.4028234663852886e38), score${i} * p.scale, isSeen${i});
    let top${i} = max(max(score${i}.x, score${i}.y), max(score${i}.z, score${i}.w));`,
    )}
    ${acrossText("top", "vec4f(top0, top1, top2, top3)", (a, b) => `max(${a}, ${b})`)}
    top = max(top, peak);
    let shrink = select(exp4(peak - top), vec4f(), firstColumn == 0u);
    peak = top;
    ${each(4, (i) => `score${i} = select(vec4f(), exp4(score${i} - peak[${i}]), isSeen${i});`)}
    total = total * shrink + vec4f(${[0, 1, 2, 3].map((i) => `score${i}.x + score${i}.y + score${i}.z + score${i}.w`).join(", ")});
    ${each(numBlocks, (block) => each(4, (i) => `sum${block}_${i} *= shrink[${i}];`))}
    ${productText("sum", "score", { matrix: v.matrix, firstRow: "firstColumn", numBlocks })}
  }
  ${acrossText("whole", "total", (a, b) => `${a} + ${b}`)}
  let inverse = vec4f(1.0) / whole;
  ${storeText("sum", out.matrix, { numBlocks, factor: (row) => ` * inverse[${row}]` })}
  if (x == 0u) {
    ${each(
      4,
      (i) => `
    if (firstRow + y * 4u + ${i}u < p.tokens) {
      logSumExp_put(matrix * p.tokens + firstRow + y * 4u + ${i}u, peak[${i}] + logOf(whole[${i}]));
    }`,
    )}
  }`,
  });
}

/** delta [B, H, T] = rowsum(dOut * out). A row is shared by LANES invocations (lane-grid.ts). */
const deltaKernel = defineKernel({
  name: "attentionDelta",
  operands: { dOut: "read f32", out: "read f32", delta: "write f32" },
  params: {
    numRows: "u32",
    heads: "u32",
    tokens: "u32",
    headDim: "u32",
    ...headStrides("dOut"),
    ...headStrides("out"),
  },
  uses: [rowFolds],
  body: `
  let l = lane % LANES;
  let wanted = group * (256u / LANES) + lane / LANES;
  let n = min(wanted, p.numRows - 1u);
  let matrix = n / p.tokens;
  ${[dOut, out].map(({ text }) => text).join("\n  ")}
  let dOutAt = dOutStart + n % p.tokens * p.dOutRow;
  let outAt = outStart + n % p.tokens * p.outRow;
  var sum = 0.0;
  for (var d = l; d < p.headDim; d += LANES) { sum += dOut_at(dOutAt + d) * out_at(outAt + d); }
  sum = rowSum(lane, sum);
  if (wanted < p.numRows && l == 0u) { delta_put(n, sum); }`,
});

/** What both gradient kernels read beside q, k and v. */
const savedOperands = { dOut: "read f32", logSumExp: "read f32", delta: "read f32" } as const;

function queryKernel(numBlocks: number) {
  return defineKernel({
    name: `flashAttentionQuery${numBlocks * tileSize}`,
    operands: { ...queryKeyValue, ...savedOperands, dq: "write f32" },
    params: { ...sizes, ...strides, ...headStrides("dOut"), ...headStrides("dq") },
    uses: [exponential],
    declarations: flashDeclarations,
    body: `${placeText(true)}
  ${[q, k, v, dOut, dq].map(({ text }) => text).join("\n  ")}
  ${each(
    4,
    (i) => `
  let place${i} = matrix * p.tokens + min(firstRow + y * 4u + ${i}u, p.tokens - 1u);
  let lse${i} = logSumExp_at(place${i});
  let delta${i} = delta_at(place${i});`,
  )}
  ${tileText("score")}
  ${tileText("slope")}
  ${sumsText("sum", numBlocks)}
  for (var firstColumn = 0u; firstColumn <= firstRow; firstColumn += ${tileSize}u) {
    ${dotsText("score", { matrix: q.matrix, firstRow: "firstRow" }, { matrix: k.matrix, firstRow: "firstColumn" })}
    ${dotsText("slope", { matrix: dOut.matrix, firstRow: "firstRow" }, { matrix: v.matrix, firstRow: "firstColumn" })}
    ${columnsText}
    ${each(
      4,
      (i) => `
    slope${i} = select(vec4f(), exp4(score${i} * p.scale - lse${i}) * (slope${i} - delta${i}) * p.scale, columns <= vec4u(firstRow + y * 4u + ${i}u));`,
    )}
    ${productText("sum", "slope", { matrix: k.matrix, firstRow: "firstColumn", numBlocks })}
  }
  ${storeText("sum", dq.matrix, { numBlocks, factor: () => "" })}`,
  });
}

/** Rows are keys, columns queries. */
function keyValueKernel(numBlocks: number) {
  const perColumn = (operand: string): string =>
    `vec4f(${["x", "y", "z", "w"].map((i) => `${operand}_at(places.${i})`).join(", ")})`;
  return defineKernel({
    name: `flashAttentionKeyValue${numBlocks * tileSize}`,
    operands: { ...queryKeyValue, ...savedOperands, dk: "write f32", dv: "write f32" },
    params: { ...sizes, ...strides, ...headStrides("dOut"), ...headStrides("dk"), ...headStrides("dv") },
    uses: [exponential],
    declarations: flashDeclarations,
    body: `${placeText(false)}
  ${[q, k, v, dOut, dk, dv].map(({ text }) => text).join("\n  ")}
  ${tileText("score")}
  ${tileText("slope")}
  ${sumsText("keySum", numBlocks)}
  ${sumsText("valueSum", numBlocks)}
  for (var firstColumn = firstRow; firstColumn < p.tokens; firstColumn += ${tileSize}u) {
    ${dotsText("score", { matrix: k.matrix, firstRow: "firstRow" }, { matrix: q.matrix, firstRow: "firstColumn" })}
    ${dotsText("slope", { matrix: v.matrix, firstRow: "firstRow" }, { matrix: dOut.matrix, firstRow: "firstColumn" })}
    ${columnsText}
    let places = matrix * p.tokens + min(columns, vec4u(p.tokens - 1u));
    let lse = ${perColumn("logSumExp")};
    let delta = ${perColumn("delta")};
    ${each(
      4,
      (i) => `
    score${i} = select(vec4f(), exp4(score${i} * p.scale - lse), (columns >= vec4u(firstRow + y * 4u + ${i}u)) & (columns < vec4u(p.tokens)));
    slope${i} = score${i} * (slope${i} - delta) * p.scale;`,
    )}
    ${productText("valueSum", "score", { matrix: dOut.matrix, firstRow: "firstColumn", numBlocks })}
    ${productText("keySum", "slope", { matrix: q.matrix, firstRow: "firstColumn", numBlocks })}
  }
  ${storeText("keySum", dk.matrix, { numBlocks, factor: () => "" })}
  ${storeText("valueSum", dv.matrix, { numBlocks, factor: () => "" })}`,
  });
}

/** Kernels of a number of column blocks. */
const variants = [1, 2, 3, 4].map((numBlocks) => ({
  forward: forwardKernel(numBlocks),
  query: queryKernel(numBlocks),
  keyValue: keyValueKernel(numBlocks),
}));

/** Sizes of a launch on q [B, H, T, D]: a workgroup a tile. */
function launchOf({ shape }: TensorView) {
  const [batch = 0, heads = 0, tokens = 0, headDim = 0] = shape;
  const numTiles = Math.ceil(tokens / tileSize);
  const numGroups = headDim === 0 ? 0 : numTiles * batch * heads;
  const kernels = variants[Math.max(0, blocksOf(headDim) - 1)]!;
  return { kernels, numRows: batch * heads * tokens, sizes: { heads, tokens, headDim, numTiles, numGroups } };
}

type HeadParams<Name extends string> = Record<`${Name}${"Batch" | "Head" | "Row"}`, number>;

function stridesOf<const Name extends string>(name: Name, { strides: [batch, head, row] }: TensorView) {
  return { [`${name}Batch`]: batch, [`${name}Head`]: head, [`${name}Row`]: row } as HeadParams<Name>;
}

function inputStrides(inputs: AttentionInputs) {
  return { ...stridesOf("q", inputs.q), ...stridesOf("k", inputs.k), ...stridesOf("v", inputs.v) };
}

export function flashForward(
  host: KernelHost,
  { q, k, v }: AttentionInputs,
  scale: number,
  { out, saved }: AttentionOutputs,
): void {
  const { kernels, sizes } = launchOf(q);
  const params = { ...sizes, scale, ...inputStrides({ q, k, v }), ...stridesOf("out", out) };
  host.launch(kernels.forward, { q, k, v, out, logSumExp: saved }, params, { groups: sizes.numGroups });
}

export function flashBackward(
  host: KernelHost,
  { q, k, v, dOut, saved, out }: AttentionBackwardInputs,
  scale: number,
  { dq, dk, dv }: AttentionGradients,
): void {
  const { kernels, sizes, numRows } = launchOf(q);
  const { heads, tokens, headDim, numGroups } = sizes;
  host.withTemporary(saved.shape, "f32", (delta) => {
    const lanes = lanesOfRow(headDim);
    const rowParams = { numRows, heads, tokens, headDim, ...stridesOf("dOut", dOut), ...stridesOf("out", out!) };
    const options = { groups: Math.ceil((numRows * lanes) / 256), constants: { LANES: lanes } };
    host.launch(deltaKernel, { dOut, out: out!, delta }, rowParams, options);
    const operands = { q, k, v, dOut, logSumExp: saved, delta };
    const params = { ...sizes, scale, ...inputStrides({ q, k, v }), ...stridesOf("dOut", dOut) };
    host.launch(kernels.query, { ...operands, dq }, { ...params, ...stridesOf("dq", dq) }, { groups: numGroups });
    const keyStrides = { ...stridesOf("dk", dk), ...stridesOf("dv", dv) };
    host.launch(kernels.keyValue, { ...operands, dk, dv }, { ...params, ...keyStrides }, { groups: numGroups });
  });
}
