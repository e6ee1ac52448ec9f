/**
 * @file Scaled dot-product attention with masks, dropout and grouped queries, made of simple ops; without any of them, causal
 * attention is the fused op.
 *
 * Legend: B batch, T queries, S keys, H heads, D head dim, E value dim.
 */
import { DTypeError, ShapeError } from "../errors.js";
import { formatShape, type Shape, shapesEqual } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { add, mul } from "./arithmetic.js";
import { causalAttention, type QueryKeyValue } from "./causal-attention.js";
import { le, where } from "./compare.js";
import { dropout } from "./dropout.js";
import { matmul } from "./matmul.js";
import { transpose } from "./permute.js";
import { reshape } from "./reshape.js";
import { softmax } from "./softmax.js";

export interface AttentionOptions {
  /** Broadcasts to [B, H, T, S]. i32 or bool: 0 hides a key from a query. f32: added to the scaled scores. */
  readonly mask?: Tensor | undefined;
  /** Query t sees keys 0..t. Default false. */
  readonly isCausal?: boolean | undefined;
  /** Probability of dropping a weight, in [0, 1): the caller says whether it is training. Default 0. */
  readonly dropout?: number | undefined;
  /** Default 1 / sqrt(D). */
  readonly scale?: number | undefined;
}

/** What a hidden key's score becomes: finite, so that a query that sees nothing gives no NaN. */
export const hiddenScore = -1e30;

function assertAttention({ q, k, v }: QueryKeyValue, mask: Tensor | undefined): void {
  const [B, H, T, D] = q.shape;
  const [kB, kH, S, kD] = k.shape;
  const isWhole = [q, k, v].every((x) => x.numDims === 4);
  if (
    !isWhole ||
    kB !== B ||
    kD !== D ||
    !(kH! > 0 && H! % kH! === 0) ||
    !shapesEqual(v.shape.slice(0, 3), [B!, kH!, S!])
  ) {
    throw new ShapeError(
      `scaledDotProductAttention: q is ${formatShape(q.shape)}, k ${formatShape(k.shape)} and v ${formatShape(v.shape)}; they must be [B,H,T,D], [B,H',S,D] and [B,H',S,E], H a multiple of H'.`,
      { q: q.shape, k: k.shape, v: v.shape },
    );
  }
  if (S === 0) {
    throw new ShapeError(`scaledDotProductAttention: k is ${formatShape(k.shape)}; there must be at least one key.`, {
      k: k.shape,
    });
  }
  if (mask !== undefined) assertMask("scaledDotProductAttention: mask", mask, [B!, H!, T!, S!]);
}

/** @throws {ShapeError} E_SHAPE unless the mask broadcasts to the scores. */
export function assertMask(what: string, mask: Tensor, scores: Shape): void {
  const lead = scores.length - mask.numDims;
  if (lead >= 0 && mask.shape.every((size, i) => size === 1 || size === scores[lead + i])) return;
  throw new ShapeError(
    `${what} is ${formatShape(mask.shape)}, but the scores are ${formatShape(scores)}; it must broadcast to them.`,
    { mask: mask.shape, scores },
  );
}

/** 1 where query t may see key s <= t. @shape -> [T, S] i32 */
function causalMask({ backend }: Tensor, T: number, S: number): Tensor {
  const places = (count: number, shape: Shape): Tensor => {
    const out = Tensor.allocate(backend, shape, "i32");
    if (count > 0)
      backend.write(
        out.buffer,
        0,
        Int32Array.from({ length: count }, (_, i) => i),
      );
    return out;
  };
  return le(places(S, [1, S]), places(T, [T, 1]));
}

/** The result [B, H, T, E] and the weights [B, H, T, S] after dropout. */
export function attentionWithWeights(
  { q, k, v }: QueryKeyValue,
  { mask, isCausal = false, dropout: probability = 0, scale }: AttentionOptions = {},
): { readonly out: Tensor; readonly weights: Tensor } {
  assertAttention({ q, k, v }, mask);
  const [B, H, T, D] = q.shape as [number, number, number, number];
  const [, kvHeads, S] = k.shape as [number, number, number, number];
  // Query heads that share a key head lie one after the other: they are more rows of one product.
  const grouped = (x: Tensor, width: number): Tensor =>
    kvHeads === H ? x : reshape(x, [B, kvHeads, (H / kvHeads) * T, width]);
  const product = matmul(grouped(q, D), transpose(k)); // [B, H', H / H' T, S]
  let scores = mul(reshape(product, [B, H, T, S]), scale ?? 1 / Math.sqrt(D));
  if (isCausal) scores = where(causalMask(q, T, S), scores, hiddenScore);
  if (mask !== undefined) scores = mask.dtype === "f32" ? add(scores, mask) : where(mask, scores, hiddenScore);
  const weights = dropout(softmax(scores), probability); // [B, H, T, S]
  const out = matmul(grouped(weights, S), v); // [B, H', H / H' T, E]
  return { out: reshape(out, [B, H, T, v.shape[3]!]), weights };
}

/**
 * softmax(q k^T * scale + mask) v, each query head on the key head of its group.
 *
 * @shape q [B, H, T, D], k [B, H', S, D], v [B, H', S, E], H a multiple of H' -> [B, H, T, E]
 * @numerics Causal attention of equal shapes without mask, dropout and groups is the fused causalAttention; which one runs depends on the
 *   arguments alone. A query from which an i32 mask hides every key gets the mean of all values.
 * @throws {ShapeError} E_SHAPE; {DTypeError} E_DTYPE; {ValueError} E_VALUE for a dropout outside [0, 1).
 * @source torch.nn.functional.scaled_dot_product_attention (enable_gqa for groups; its causal mask is aligned at the first key, too).
 *   Deviations: four dims always; where torch gives NaN for a query that sees nothing, the mean.
 * @example
 * const x = tensor([[[[1, 0], [0, 1]]]]);
 * scaledDotProductAttention({ q: x, k: x, v: x }, { isCausal: true }).shape; // => [1, 1, 2, 2]
 */
export function scaledDotProductAttention(inputs: QueryKeyValue, options: AttentionOptions = {}): Tensor {
  const { q, k, v } = inputs;
  for (const [name, { dtype }] of Object.entries({ q, k, v })) {
    if (dtype !== "f32")
      throw new DTypeError(`scaledDotProductAttention: ${name} is ${dtype}; it must be f32.`, { [name]: dtype });
  }
  const isPlain = options.mask === undefined && (options.dropout ?? 0) === 0;
  const isOneShape = shapesEqual(q.shape, k.shape) && shapesEqual(q.shape, v.shape);
  if (options.isCausal && isPlain && isOneShape && q.numDims === 4) {
    return causalAttention({ q, k, v }, options.scale === undefined ? {} : { scale: options.scale });
  }
  return attentionWithWeights(inputs, options).out;
}
