/**
 * @file Causal self-attention, fused: softmax(q k^T * scale, no future) v.
 *
 * Two ops: one for q, k, v in any layout, one that reads the three straight out of a projection [B, T, 3C] and writes their
 * gradients straight back into one, without a copy.
 * Legend: B batch, T sequence, C embed, H heads, D head dim.
 */

import type { Backend, TensorView } from "../backend/backend.js";
import type { AttentionInputs } from "../backend/kernel-table.js";
import { DTypeError, ShapeError, ValueError } from "../errors.js";
import { hostExp } from "../expr/host-math.js";
import { formatShape, type Shape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { defineStructural } from "./apply.js";
import { mul } from "./arithmetic.js";
import { asContiguous, runBackwardKernel } from "./backward-kernel.js";
import { le, where } from "./compare.js";
import { split } from "./concat.js";
import type { ReferenceArray, TensorSpec } from "./contract.js";
import { matmul } from "./matmul.js";
import { transpose } from "./permute.js";
import { referenceFrom } from "./reference-arrays.js";
import { reshape } from "./reshape.js";
import { normal } from "./samples.js";
import { softmax } from "./softmax.js";

/** Each [B, H, T, D]. */
export interface QueryKeyValue {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
}
export interface AttentionAttrs {
  readonly scale: number;
}
export interface PackedAttentionAttrs extends AttentionAttrs {
  readonly numHeads: number;
}

export const causalAttentionOp = defineStructural<AttentionAttrs>({
  name: "causalAttention",
  layout: "lastUnit",
  numVisible: 1,
  shapeRule: ([q, k, v]) => {
    checkHeads(q!, k!, v!);
    return [{ shape: q!.shape, dtype: "f32" }];
  },
  savedRule: (backend, [q]) => [savedSpec(backend, q!.shape)],
  reference: ([q, k, v], { scale }) => attentionReference(q!, k!, { v: v!, scale }),
  run: (backend, [q, k, v], [out, saved], { scale }) =>
    backend.kernels.causalAttention({ q: q!, k: k!, v: v! }, scale, { out: out!, saved: saved! }),
  vjp: {
    saves: ([, saved]) => ({ inputs: [0, 1, 2], outputs: savedOutputs(saved!) }),
    pull: ({ inputs: [q, k, v], outputs: [out, saved], attrs: { scale } }, dOut) => {
      const dy = asContiguous(dOut);
      return runBackwardKernel(
        "causalAttentionBackward",
        { inputs: [dy, q!, k!, v!], outputs: [q!, k!, v!] },
        (backend, [dq, dk, dv]) =>
          backend.kernels.causalAttentionBackward({ q: q!, k: k!, v: v!, dOut: dy, saved: saved!, out }, scale, {
            dq: dq!,
            dk: dk!,
            dv: dv!,
          }),
      );
    },
  },
  reductionLength: ([q]) => Math.max(q![2]!, q![3]!),
  composite: ([q, k, v], { scale }) => [attentionComposite({ q: q!, k: k!, v: v! }, scale)],
  samples: [
    {
      name: "odd sizes",
      inputs: [normal([2, 3, 5, 7]), normal([2, 3, 5, 7]), normal([2, 3, 5, 7])],
      attrs: { scale: 0.4 },
    },
    {
      name: "one position",
      inputs: [normal([1, 2, 1, 4]), normal([1, 2, 1, 4]), normal([1, 2, 1, 4])],
      attrs: { scale: 0.5 },
    },
    {
      name: "longer than a tile",
      inputs: [normal([1, 1, 37, 8]), normal([1, 1, 37, 8]), normal([1, 1, 37, 8])],
      attrs: { scale: 0.35 },
    },
    {
      name: "longer than some backends keep whole",
      inputs: [normal([1, 2, 530, 5]), normal([1, 2, 530, 5]), normal([1, 2, 530, 5])],
      attrs: { scale: 0.4 },
      checkVjp: false,
    },
  ],
});

/** Input the projection [B, T, 3C] (q, k, v side by side, each of H heads); output [B, T, C]. */
export const packedCausalAttentionOp = defineStructural<PackedAttentionAttrs>({
  name: "packedCausalAttention",
  numVisible: 1,
  shapeRule: ([qkv], { numHeads }) => {
    const { B, T, C } = packedSizes(qkv!, numHeads);
    return [{ shape: [B, T, C], dtype: "f32" }];
  },
  savedRule: (backend, [qkv], { numHeads }) => {
    const { B, T, C } = packedSizes(qkv!, numHeads);
    return [savedSpec(backend, [B, numHeads, T, C / numHeads])];
  },
  reference: ([qkv], attrs) => packedReference(qkv!, attrs),
  run: (backend, [qkv], [out, saved], { numHeads, scale }) =>
    backend.kernels.causalAttention(headsOf(qkv!, numHeads), scale, {
      out: headView(out!, numHeads, 0),
      saved: saved!,
    }),
  vjp: {
    saves: ([, saved]) => ({ inputs: [0], outputs: savedOutputs(saved!) }),
    pull: ({ inputs: [qkv], outputs: [out, saved], attrs: { numHeads, scale } }, dOut) => {
      const dy = asContiguous(dOut);
      return runBackwardKernel(
        "packedCausalAttentionBackward",
        { inputs: [dy, qkv!], outputs: [qkv!] },
        (backend, [dQkv]) => {
          const { q: dq, k: dk, v: dv } = headsOf(dQkv!, numHeads);
          const views = { ...headsOf(qkv!, numHeads), dOut: headView(dy, numHeads, 0) };
          const inputs = { ...views, saved: saved!, out: out && headView(out, numHeads, 0) };
          backend.kernels.causalAttentionBackward(inputs, scale, { dq, dk, dv });
        },
      );
    },
  },
  reductionLength: ([qkv]) => Math.max(qkv![1]!, qkv![2]!),
  composite: ([qkv], { numHeads, scale }) => {
    const [B, T, width] = qkv!.shape as [number, number, number];
    const parts = split(qkv!, width / 3, 2).map((part) => transpose(reshape(part, [B, T, numHeads, -1]), 1, 2));
    const out = attentionComposite({ q: parts[0]!, k: parts[1]!, v: parts[2]! }, scale); // [B, H, T, D]
    return [reshape(transpose(out, 1, 2), [B, T, width / 3])];
  },
  samples: [
    { name: "two heads of odd width", inputs: [normal([2, 5, 18])], attrs: { numHeads: 2, scale: 0.6 } },
    { name: "one head", inputs: [normal([1, 9, 12])], attrs: { numHeads: 1, scale: 0.5 } },
    { name: "longer than a tile", inputs: [normal([1, 35, 24])], attrs: { numHeads: 2, scale: 0.5 }, checkVjp: false },
    {
      name: "longer than some backends keep whole",
      inputs: [normal([1, 515, 12])],
      attrs: { numHeads: 2, scale: 0.5 },
      checkVjp: false,
    },
  ],
});

/** What the backend keeps of q, k and v of this shape. @shape [B, H, T, D] -> [B, H, T, T] or [B, H, T] */
function savedSpec(backend: Backend, shape: Shape): TensorSpec {
  const [B, H, T] = shape as [number, number, number, number];
  const isWhole = backend.kernels.attentionSaves(shape) === "probs";
  // One number stands for a row: an error of it is an error of all its scores.
  return isWhole ? { shape: [B, H, T, T], dtype: "f32" } : { shape: [B, H, T], dtype: "f32", fidelity: "exact" };
}

/** The result is kept only where the gradient reads it: beside logSumExp. */
function savedOutputs(saved: TensorSpec): readonly number[] {
  return saved.shape.length === 4 ? [1] : [0, 1];
}

/** Window [B, H, T, D] on part `part` of a contiguous [B, T, parts * C]. */
function headView(
  { buffer, offset, dtype, shape, strides }: TensorView,
  numHeads: number,
  part: number,
  C = shape[2]!,
): TensorView {
  const [B, T] = shape as [number, number];
  const D = C / numHeads;
  return {
    buffer,
    dtype,
    offset: offset + part * C,
    shape: [B, numHeads, T, D],
    strides: [strides[0]!, D, strides[1]!, 1],
  };
}

function headsOf(qkv: TensorView, numHeads: number): AttentionInputs {
  const C = qkv.shape[2]! / 3;
  return { q: headView(qkv, numHeads, 0, C), k: headView(qkv, numHeads, 1, C), v: headView(qkv, numHeads, 2, C) };
}

function packedSizes(qkv: TensorSpec, numHeads: number): { B: number; T: number; C: number } {
  if (qkv.dtype !== "f32")
    throw new DTypeError(`causalAttention: qkv is ${qkv.dtype}; it must be f32.`, { dtype: qkv.dtype });
  const [B, T, width] = qkv.shape;
  if (qkv.shape.length !== 3 || width! % (3 * numHeads) !== 0) {
    throw new ShapeError(
      `causalAttention: qkv is ${formatShape(qkv.shape)} with ${numHeads} heads; it must be [B, T, 3C] with C a multiple of the heads.`,
      { qkv: qkv.shape, numHeads },
    );
  }
  return { B: B!, T: T!, C: width! / 3 };
}

function checkHeads(q: TensorSpec, k: TensorSpec, v: TensorSpec): void {
  for (const [name, spec] of Object.entries({ q, k, v })) {
    if (spec.dtype !== "f32")
      throw new DTypeError(`causalAttention: ${name} is ${spec.dtype}; it must be f32.`, { dtype: spec.dtype });
    if (spec.shape.length !== 4 || spec.shape.some((size, i) => size !== q.shape[i])) {
      throw new ShapeError(
        `causalAttention: q is ${formatShape(q.shape)} and ${name} is ${formatShape(spec.shape)}; q, k and v must be [B, H, T, D] of one shape.`,
        { q: q.shape, [name]: spec.shape },
      );
    }
  }
}

/** The specification of both ops in simple ones. */
function attentionComposite({ q, k, v }: QueryKeyValue, scale: number): Tensor {
  const scores = mul(matmul(q, transpose(k)), scale); // [B, H, T, T]
  const positions = positionsOf(q);
  const isPast = le(reshape(positions, [1, -1]), reshape(positions, [-1, 1])); // [T, T]
  return matmul(softmax(where(isPast, scores, -1e30)), v);
}

/** 0..T-1 as i32. */
function positionsOf(q: Tensor): Tensor {
  const out = Tensor.allocate(q.backend, [q.shape[2]!], "i32");
  q.backend.write(
    out.buffer,
    0,
    Int32Array.from({ length: q.shape[2]! }, (_, t) => t),
  );
  return out;
}

function attentionReference(
  q: ReferenceArray,
  k: ReferenceArray,
  { v, scale }: { readonly v: ReferenceArray; readonly scale: number },
): readonly ReferenceArray[] {
  const [B, H, T, D] = q.shape as [number, number, number, number];
  const probs = new Float64Array(B * H * T * T);
  const out = new Float64Array(q.values.length);
  for (let row = 0; row < B * H * T; row++) {
    const t = row % T;
    const first = (row - t) * D; // start of this head's [T, D]
    const scores = Array.from({ length: t + 1 }, (_, s) => {
      let dot = 0;
      for (let d = 0; d < D; d++) dot += q.values[row * D + d]! * k.values[first + s * D + d]!;
      return dot * scale;
    });
    const max = scores.reduce((a, b) => Math.max(a, b));
    const weights = scores.map((score) => hostExp(score - max));
    const total = weights.reduce((a, b) => a + b, 0);
    weights.forEach((weight, s) => {
      probs[row * T + s] = weight / total;
      for (let d = 0; d < D; d++) out[row * D + d]! += (weight / total) * v.values[first + s * D + d]!;
    });
  }
  return [
    { shape: q.shape, values: out },
    { shape: [B, H, T, T], values: probs },
  ];
}

function packedReference(qkv: ReferenceArray, { numHeads: H, scale }: PackedAttentionAttrs): readonly ReferenceArray[] {
  const { B, T, C } = packedSizes({ shape: qkv.shape, dtype: "f32" }, H);
  const D = C / H;
  const part = (index: number): ReferenceArray =>
    referenceFrom([B, H, T, D], (i) => {
      const [d, t, h] = [i % D, Math.floor(i / D) % T, Math.floor(i / (D * T)) % H];
      const b = Math.floor(i / (D * T * H));
      return qkv.values[(b * T + t) * 3 * C + index * C + h * D + d]!;
    });
  const [heads, probs] = attentionReference(part(0), part(1), { v: part(2), scale });
  const out = referenceFrom([B, T, C], (i) => {
    const [c, t, b] = [i % C, Math.floor(i / C) % T, Math.floor(i / (C * T))];
    return heads!.values[((b * H + Math.floor(c / D)) * T + t) * D + (c % D)]!;
  });
  return [out, probs!];
}

/**
 * softmax(q k^T * scale) v in which position t sees positions 0..t.
 * @shape q, k, v [B, H, T, D] (any strides with a unit last one) -> [B, H, T, D]
 * @throws {ShapeError} E_SHAPE, {DTypeError} E_DTYPE
 * @source torch.nn.functional.scaled_dot_product_attention(is_causal=True); scale defaults to 1 / sqrt(D)
 */
export function causalAttention({ q, k, v }: QueryKeyValue, options: { readonly scale?: number } = {}): Tensor {
  const scale = options.scale ?? 1 / Math.sqrt(q.shape[3] ?? 1);
  return causalAttentionOp.apply([q, k, v], { scale })[0]!;
}

/**
 * The same from one projection that holds q, k and v side by side, heads within each: nothing is copied, forward or backward.
 * @shape qkv [B, T, 3C] -> [B, T, C]
 * @throws {ValueError} E_VALUE for numHeads below 1; {ShapeError} E_SHAPE
 * @source the layout of GPT-2's c_attn
 */
export function packedCausalAttention(
  qkv: Tensor,
  numHeads: number,
  options: { readonly scale?: number } = {},
): Tensor {
  if (!Number.isInteger(numHeads) || numHeads < 1) {
    throw new ValueError(`causalAttention: numHeads is ${numHeads}; it must be a positive integer.`, { numHeads });
  }
  const scale = options.scale ?? 1 / Math.sqrt((qkv.shape[2] ?? 3) / 3 / numHeads);
  return packedCausalAttentionOp.apply([qkv], { numHeads, scale })[0]!;
}
