/**
 * @file Causal attention: of short sequences here, by products that skip what lies above the diagonal and a softmax of the lower triangle
 * between them; of long ones in tiles that are never kept (flash-attention.ts).
 *
 *   P = softmax(q k^T scale)    out = P v
 *   dP = dOut v^T    dS = P (dP - sum(P dP)) scale    dq = dS k    dk = dS^T q    dv = P^T dOut
 *
 * Legend: B batch, T sequence, H heads, D head dim.
 */
import type { TensorView } from "@lockstep/core";
import type {
  AttentionBackwardInputs,
  AttentionGradients,
  AttentionInputs,
  AttentionOutputs,
  AttentionSaved,
  KernelTable,
} from "@lockstep/core/backend";
import type { KernelHost } from "../launch/kernel.js";
import { causalSoftmaxFor } from "./causal-softmax.js";
import { flashBackward, flashForward, maxFlashHeadDim } from "./flash-attention.js";
import { matmulOn, swapped } from "./gemm.js";

/** Longer sequences are not kept: a matrix of 512 x 512 is 1 MiB a head. */
const maxKeptTokens = 512;
/** Nor are more probabilities than this: 64 MiB, half of what every adapter binds. */
const maxKeptProbs = 2 ** 24;

/** Computing scores again costs about two thirds more arithmetic, and saves T x T of memory. Heads too wide for that keep it. */
function attentionSaves([batch = 0, heads = 0, tokens = 0, headDim = 0]: readonly number[]): AttentionSaved {
  if (headDim > maxFlashHeadDim) return "probs";
  return tokens > maxKeptTokens || batch * heads * tokens * tokens > maxKeptProbs ? "logSumExp" : "probs";
}

/** logSumExp [B, H, T] or probs [B, H, T, T]. */
const isLogSumExp = ({ shape }: TensorView): boolean => shape.length === 3;

/** [B, H, T] as rows of length T. */
function rowsOf(shape: readonly number[]) {
  const [batch = 0, heads = 0, tokens = 0] = shape;
  const rows = batch * heads * tokens;
  const softmax = causalSoftmaxFor(tokens);
  return { softmax, sizes: { rows, tokens }, groups: Math.ceil(rows / softmax.rowsPerGroup) };
}

function forward(host: KernelHost, { q, k, v }: AttentionInputs, scale: number, outputs: AttentionOutputs): void {
  const { out, saved: probs } = outputs;
  const { softmax, sizes, groups } = rowsOf(q.shape);
  matmulOn(host, [q, swapped(k)], probs, { triangle: "lowerResult" });
  host.launch(softmax.forward, { scores: probs }, { ...sizes, scale }, { groups });
  matmulOn(host, [probs, v], out, { triangle: "lowerLeft" });
}

function backward(host: KernelHost, inputs: AttentionBackwardInputs, scale: number, outputs: AttentionGradients): void {
  const { q, k, v, dOut, saved: probs } = inputs;
  const { softmax, sizes, groups } = rowsOf(q.shape);
  const backwardsWith = (gradient: TensorView): void => {
    matmulOn(host, [dOut, swapped(v)], gradient, { triangle: "lowerResult" });
    host.launch(softmax.backward, { probs, gradient }, { ...sizes, scale }, { groups });
    matmulOn(host, [gradient, k], outputs.dq, { triangle: "lowerLeft" });
    matmulOn(host, [swapped(gradient), q], outputs.dk, { triangle: "upperLeft" });
    matmulOn(host, [swapped(probs), dOut], outputs.dv, { triangle: "upperLeft" });
  };
  host.withTemporary(probs.shape, "f32", backwardsWith);
}

export function attentionRows(host: KernelHost) {
  return {
    attentionSaves,
    causalAttention: (inputs, scale, outputs) =>
      (isLogSumExp(outputs.saved) ? flashForward : forward)(host, inputs, scale, outputs),
    causalAttentionBackward: (inputs, scale, outputs) =>
      (isLogSumExp(inputs.saved) ? flashBackward : backward)(host, inputs, scale, outputs),
  } satisfies Partial<KernelTable>;
}
