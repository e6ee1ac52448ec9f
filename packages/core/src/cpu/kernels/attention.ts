/** @file The host side of causal attention: scratch layout and launches. Legend: B batch, T sequence, H heads, D head dim. */
import type { TensorView } from "../../backend/backend.js";
import type {
  AttentionBackwardInputs,
  AttentionGradients,
  AttentionInputs,
  AttentionOutputs,
  KernelTable,
} from "../../backend/kernel-table.js";
import type { KernelHost, KernelRoom } from "../kernel.js";
import { attentionBackward } from "./attention-backward.js";
import { attentionForward } from "./attention-forward.js";
import { layOut, packedBytes, tensorArgValues } from "./attention-layout.js";
import { packSlackBytes } from "./gemm-pack.js";
import { tileRows } from "./gemm-tile.js";
import { scratchRowBytes } from "./row-loop.js";

/** Multiply-adds that take about 20 us. */
const grainWork = 300_000;

interface Dims {
  readonly numMatrices: number;
  readonly heads: number;
  readonly tokens: number;
  readonly headDim: number;
}

function dimsOf(q: TensorView): Dims {
  const [batch = 0, heads = 0, tokens = 0, headDim = 0] = q.shape;
  return { numMatrices: batch * heads, heads, tokens, headDim };
}

/** Bytes of one packed panel of rows of this depth. */
function panelBytes(depth: number): number {
  return Math.ceil((4 * tileRows * depth + packSlackBytes) / 64) * 64;
}

function forward(host: KernelHost, inputs: AttentionInputs, scale: number, outputs: AttentionOutputs): void {
  const { numMatrices, heads, tokens, headDim } = dimsOf(inputs.q);
  const rowBytes = scratchRowBytes(tokens);
  const { offsets, total } = layOut({
    rows: tileRows * rowBytes,
    qPanel: panelBytes(headDim),
    weightPanel: panelBytes(tokens),
    kPanels: packedBytes(tokens, headDim),
    vPanels: packedBytes(tokens, headDim),
  });
  const args = {
    heads,
    tokens,
    headDim,
    scale,
    ...tensorArgValues("q", host.addressOf(inputs.q), inputs.q),
    ...tensorArgValues("k", host.addressOf(inputs.k), inputs.k),
    ...tensorArgValues("v", host.addressOf(inputs.v), inputs.v),
    ...tensorArgValues("out", host.addressOf(outputs.out), outputs.out),
    probs: host.addressOf(outputs.saved),
    rowBytes,
    ...offsets,
  };
  const numItems = numMatrices * Math.ceil(tokens / tileRows);
  if (numItems === 0) return;
  const itemWork = tileRows * tokens * (headDim + 16);
  host.launch(attentionForward, args, { numItems, grain: Math.ceil(grainWork / itemWork), scratchBytes: total });
}

function backward(host: KernelHost, inputs: AttentionBackwardInputs, scale: number, outputs: AttentionGradients): void {
  const { numMatrices, heads, tokens, headDim } = dimsOf(inputs.q);
  const rowBytes = scratchRowBytes(tokens);
  // 64 bytes more than a power of two, often: stores to neighbouring panels must not fall into one set of the cache.
  const dScoresPanel = 4 * tileRows * tokens + 64;
  const { offsets, total } = layOut({
    rows: tileRows * rowBytes,
    products: rowBytes,
    rowPanel: panelBytes(Math.max(tokens, headDim)),
    vPanels: packedBytes(tokens, headDim),
    kPanels: packedBytes(tokens, headDim),
    qPanels: packedBytes(tokens, headDim),
    dOutPanels: packedBytes(tokens, headDim),
    dScores: Math.ceil(tokens / tileRows) * dScoresPanel,
  });
  const args = {
    heads,
    tokens,
    headDim,
    scale,
    ...tensorArgValues("q", host.addressOf(inputs.q), inputs.q),
    ...tensorArgValues("k", host.addressOf(inputs.k), inputs.k),
    ...tensorArgValues("v", host.addressOf(inputs.v), inputs.v),
    ...tensorArgValues("dOut", host.addressOf(inputs.dOut), inputs.dOut),
    ...tensorArgValues("dq", host.addressOf(outputs.dq), outputs.dq),
    ...tensorArgValues("dk", host.addressOf(outputs.dk), outputs.dk),
    ...tensorArgValues("dv", host.addressOf(outputs.dv), outputs.dv),
    probs: host.addressOf(inputs.saved),
    rowBytes,
    dScoresPanel,
    ...offsets,
  };
  if (numMatrices * tokens === 0) return;
  const itemWork = 3 * tokens * tokens * (headDim + 8);
  const grain = Math.ceil(grainWork / itemWork);
  host.launch(attentionBackward, args, { numItems: numMatrices, grain, scratchBytes: total });
}

export const attentionRoom: KernelRoom<
  Pick<KernelTable, "attentionSaves" | "causalAttention" | "causalAttentionBackward">
> = {
  kernels: [attentionForward, attentionBackward],
  rows: (host) => ({
    attentionSaves: () => "probs",
    causalAttention: (inputs, scale, outputs) => forward(host, inputs, scale, outputs),
    causalAttentionBackward: (inputs, scale, outputs) => backward(host, inputs, scale, outputs),
  }),
};
