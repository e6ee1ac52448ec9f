/** @file Legend: B batch, T queries, S keys, C embed, H heads, H' key heads, D head dim. */
import { ShapeError, ValueError } from "../errors.js";
import { add } from "../ops/arithmetic.js";
import { assertMask, attentionWithWeights, hiddenScore, scaledDotProductAttention } from "../ops/attention.js";
import { packedCausalAttention } from "../ops/causal-attention.js";
import { where } from "../ops/compare.js";
import { concat, split } from "../ops/concat.js";
import { linear } from "../ops/linear.js";
import { transpose } from "../ops/permute.js";
import { mean } from "../ops/reduce.js";
import { reshape } from "../ops/reshape.js";
import { narrow } from "../ops/slice.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { filledParameter, uniformParameter, zeros } from "./init.js";
import { assertSizes, Linear } from "./linear.js";
import { Module } from "./module.js";
import type { Parameter } from "./parameter.js";
import type { PositionOptions, RotaryEmbedding } from "./positions.js";

export interface MultiheadAttentionOptions {
  readonly embedDim: number;
  /** Divides embedDim. */
  readonly numHeads: number;
  /** Heads of keys and values, each for numHeads / numKvHeads query heads. Default numHeads. */
  readonly numKvHeads?: number;
  /** In training, the probability of dropping an attention weight, in [0, 1). Default 0. */
  readonly dropout?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Features of keys and of values. Default embedDim. */
  readonly kDim?: number;
  readonly vDim?: number;
  /** Whether sequences are [B, T, C] instead of [T, B, C]. Default false. */
  readonly batchFirst?: boolean;
  /** Turns queries and keys by their positions. Its headDim is embedDim / numHeads. */
  readonly rotary?: RotaryEmbedding;
}

export interface AttentionMasks {
  /** [B, S]. i32 or bool: not 0 hides a key from all queries. f32: added to the scores. */
  readonly keyPaddingMask?: Tensor | undefined;
  /** [T, S] or [B H, T, S]. i32 or bool: not 0 hides a key from a query. f32: added to the scores. */
  readonly attnMask?: Tensor | undefined;
  /** Query t sees keys 0..t. Default false. */
  readonly isCausal?: boolean | undefined;
}

export interface MultiheadAttentionInputs extends AttentionMasks {
  /** Whether to answer the weights. Default false. */
  readonly needWeights?: boolean;
  /** Whether they are averaged over heads. Default true. */
  readonly averageAttnWeights?: boolean;
}

/** Keys and values after their projections, [B, H', S, D] each: what later queries look at again. */
export interface KeyValues {
  readonly k: Tensor;
  readonly v: Tensor;
}

/** The keys and values of some steps, and then those of the next ones. @shape [B, H', S, D], [B, H', T, D] -> [B, H', S + T, D] @source none: ours */
export function appendKeyValues(before: KeyValues | undefined, next: KeyValues): KeyValues {
  if (before === undefined) return next;
  return { k: concat([before.k, next.k], 2), v: concat([before.v, next.v], 2) };
}

export interface MultiheadAttentionResult {
  /** [T, B, C], or [B, T, C] with batchFirst. */
  readonly output: Tensor;
  /** [B, T, S], or [B, H, T, S] when not averaged; undefined unless asked for. */
  readonly weights: Tensor | undefined;
}

/**
 * Attention of `query` to `key` and `value` in several heads: projections, scaled dot products, a projection of the result.
 *
 * @shape query [T, B, C], key [S, B, kDim], value [S, B, vDim] ([B, ., .] with batchFirst) -> output as query
 * @numerics Causal self-attention without masks, dropout, groups and positions runs the fused kernel of CausalSelfAttention.
 * @throws {ValueError} E_LAYER for options that make no layer. {ShapeError} E_SHAPE for inputs or masks that do not fit.
 * @source torch.nn.MultiheadAttention, its weights' names and first values too. Deviations: needWeights is false by default; a query that
 *   sees no key gets a mean of values instead of NaN; no biases of keys and values (add_bias_kv, add_zero_attn), no input without a
 *   batch dim. Groups, rotary positions and isCausal without a mask are ours.
 * @example
 * const attention = new nn.MultiheadAttention({ embedDim: 6, numHeads: 2, batchFirst: true });
 * const x = zeros([3, 5, 6]);
 * attention.forward(x, x, x, { needWeights: true }).weights.shape; // => [3, 5, 5]
 */
export class MultiheadAttention extends Module {
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly dropout: number;
  readonly batchFirst: boolean;
  readonly rotary: RotaryEmbedding | undefined;
  /** [C + 2 H' D, C]: the rows of queries, keys and values; the three below instead where keys or values have other features. */
  in_proj_weight: Parameter | undefined;
  q_proj_weight: Parameter | undefined;
  k_proj_weight: Parameter | undefined;
  v_proj_weight: Parameter | undefined;
  in_proj_bias: Parameter | undefined;
  out_proj: Linear;
  readonly #kvDim: number;

  constructor(options: MultiheadAttentionOptions) {
    super();
    const { embedDim, numHeads, numKvHeads = numHeads, kDim = embedDim, vDim = embedDim } = options;
    const { dropout = 0, bias = true, batchFirst = false, rotary } = options;
    assertSizes("MultiheadAttention", { embedDim, numHeads, numKvHeads, kDim, vDim });
    assertHeads(options, numKvHeads);
    this.numHeads = numHeads;
    this.numKvHeads = numKvHeads;
    this.dropout = dropout;
    this.batchFirst = batchFirst;
    this.rotary = rotary;
    this.#kvDim = (embedDim / numHeads) * numKvHeads;
    const rows = embedDim + 2 * this.#kvDim;
    if (kDim === embedDim && vDim === embedDim) this.in_proj_weight = xavierUniform(rows, embedDim);
    else {
      this.q_proj_weight = xavierUniform(embedDim, embedDim);
      this.k_proj_weight = xavierUniform(this.#kvDim, kDim);
      this.v_proj_weight = xavierUniform(this.#kvDim, vDim);
    }
    this.in_proj_bias = bias ? filledParameter([rows], 0) : undefined;
    this.out_proj = new Linear(embedDim, embedDim, { bias });
    if (this.out_proj.bias !== undefined) zeros(this.out_proj.bias);
  }

  forward(query: Tensor, key: Tensor, value: Tensor, inputs: MultiheadAttentionInputs = {}): MultiheadAttentionResult {
    this.#assertInputs({ query, key, value });
    const { needWeights = false, isCausal = false } = inputs;
    const isSelf = query === key && key === value && this.in_proj_weight !== undefined;
    const probability = this.training ? this.dropout : 0;
    const first = (x: Tensor): Tensor => (this.batchFirst ? x : transpose(x, 0, 1)); // [B, ., .]
    const isBare = inputs.attnMask === undefined && inputs.keyPaddingMask === undefined && this.rotary === undefined;
    if (isSelf && isCausal && isBare && !needWeights && probability === 0 && this.numKvHeads === this.numHeads) {
      const qkv = linear(first(query), this.in_proj_weight!, this.in_proj_bias); // [B, T, 3C]
      return { output: first(this.out_proj.forward(packedCausalAttention(qkv, this.numHeads))), weights: undefined };
    }
    const projected = isSelf ? this.#projectOnce(first(query)) : this.#project([query, key, value].map(first));
    const [q, k, v] = projected.map((x, i) => this.#heads(x, i === 0 ? this.numHeads : this.numKvHeads)); // [B, H, ., D]
    return this.#attend({ q: this.#turn(q!), k: this.#turn(k!), v: v! }, inputs);
  }

  /**
   * Projects keys and values alone, for `attend`: a decoder that makes one step after another projects each of them once.
   *
   * @param options the position of the first key, for rotary positions
   * @shape key [S, B, kDim], value [S, B, vDim] ([B, S, .] with batchFirst) -> k and v [B, H', S, D]
   */
  projectKeyValues(key: Tensor, value: Tensor, options: PositionOptions = {}): KeyValues {
    this.#assertInputs({ key, value });
    const first = (x: Tensor): Tensor => (this.batchFirst ? x : transpose(x, 0, 1));
    const [k, v] = [1, 2].map((part) =>
      this.#heads(this.#projectPart(first(part === 1 ? key : value), part), this.numKvHeads),
    );
    return { k: this.#turn(k!, options), v: v! };
  }

  /**
   * `forward` on keys and values that are projected already; the two differ by rounding at most.
   *
   * @param inputs as in `forward`, and the position of the first query, for rotary positions
   * @shape query [T, B, C] ([B, T, C] with batchFirst), keyValues [B, H', S, D] -> output as query
   * @throws {ShapeError} E_SHAPE
   */
  attend(
    query: Tensor,
    keyValues: KeyValues,
    inputs: MultiheadAttentionInputs & PositionOptions = {},
  ): MultiheadAttentionResult {
    const embedDim = this.#widths[0];
    const batch = query.shape[this.batchFirst ? 0 : 1];
    if (query.numDims !== 3 || query.shape[2] !== embedDim || keyValues.k.shape[0] !== batch) {
      throw new ShapeError(
        `MultiheadAttention: query is ${formatShape(query.shape)} and keys ${formatShape(keyValues.k.shape)}; they must be ${this.batchFirst ? "[B,T," : "[T,B,"}${embedDim}] and [B,${this.numKvHeads},S,${embedDim / this.numHeads}].`,
        { query: query.shape, keys: keyValues.k.shape },
      );
    }
    const projected = this.#projectPart(this.batchFirst ? query : transpose(query, 0, 1), 0);
    const q = this.#turn(this.#heads(projected, this.numHeads), { start: inputs.start ?? 0 });
    return this.#attend({ q, ...keyValues }, inputs);
  }

  #turn(x: Tensor, options?: PositionOptions): Tensor {
    return this.rotary?.forward(x, options) ?? x;
  }

  #attend(heads: KeyValues & { readonly q: Tensor }, inputs: MultiheadAttentionInputs): MultiheadAttentionResult {
    const { needWeights = false, averageAttnWeights = true, isCausal = false } = inputs;
    const options = { mask: this.#mask(inputs, heads), isCausal, dropout: this.training ? this.dropout : 0 };
    const found = needWeights
      ? attentionWithWeights(heads, options)
      : { out: scaledDotProductAttention(heads, options), weights: undefined };
    const [B, , T] = heads.q.shape as [number, number, number];
    const joined = reshape(transpose(found.out, 1, 2), [B, T, -1]); // [B, T, C]
    const weights = found.weights && averageAttnWeights ? mean(found.weights, 1) : found.weights;
    const output = this.out_proj.forward(joined);
    return { output: this.batchFirst ? output : transpose(output, 0, 1), weights };
  }

  get #widths(): [number, number, number] {
    return [this.out_proj.weight.shape[0]!, this.#kvDim, this.#kvDim];
  }

  #projectOnce(x: Tensor): readonly Tensor[] {
    return split(linear(x, this.in_proj_weight!, this.in_proj_bias), this.#widths, 2);
  }

  #project(inputs: readonly Tensor[]): readonly Tensor[] {
    return inputs.map((x, part) => this.#projectPart(x, part));
  }

  /** Part 0 is queries, 1 keys, 2 values. */
  #projectPart(x: Tensor, part: number): Tensor {
    const widths = this.#widths;
    const start = widths.slice(0, part).reduce((total, width) => total + width, 0);
    const weight =
      this.in_proj_weight === undefined
        ? [this.q_proj_weight!, this.k_proj_weight!, this.v_proj_weight!][part]!
        : narrow(this.in_proj_weight, 0, start, widths[part]!);
    return linear(x, weight, this.in_proj_bias && narrow(this.in_proj_bias, 0, start, widths[part]!));
  }

  /** [B, T, H D] -> [B, H, T, D] */
  #heads(x: Tensor, numHeads: number): Tensor {
    const [B, T, width] = x.shape as [number, number, number];
    return transpose(reshape(x, [B, T, numHeads, width / numHeads]), 1, 2);
  }

  /** What both masks add to the scores; undefined when there is none. */
  #mask({ attnMask, keyPaddingMask }: AttentionMasks, { q, k }: { q: Tensor; k: Tensor }): Tensor | undefined {
    const [B, H, T] = q.shape as [number, number, number];
    const S = k.shape[2]!;
    const additive = (mask: Tensor): Tensor => (mask.dtype === "f32" ? mask : where(mask, hiddenScore, 0));
    const parts: Tensor[] = [];
    if (keyPaddingMask !== undefined) {
      assertSizesOf("keyPaddingMask", keyPaddingMask, [[B, S]]);
      parts.push(reshape(additive(keyPaddingMask), [B, 1, 1, S]));
    }
    if (attnMask !== undefined) {
      assertSizesOf("attnMask", attnMask, [
        [T, S],
        [B * H, T, S],
      ]);
      const added = additive(attnMask);
      parts.push(attnMask.numDims === 2 ? added : reshape(added, [B, H, T, S]));
    }
    const mask = parts.length === 2 ? add(parts[0]!, parts[1]!) : parts[0];
    if (mask !== undefined) assertMask("MultiheadAttention: mask", mask, [B, H, T, S]);
    return mask;
  }

  #assertInputs({ query, key, value }: { query?: Tensor; key: Tensor; value: Tensor }): void {
    const [embedDim] = this.#widths;
    const kDim = this.k_proj_weight?.shape[1] ?? embedDim;
    const vDim = this.v_proj_weight?.shape[1] ?? embedDim;
    const [batch, length] = this.batchFirst ? ([0, 1] as const) : ([1, 0] as const);
    const fits = (x: Tensor, width: number): boolean =>
      x.numDims === 3 && x.shape[2] === width && x.shape[batch] === (query ?? key).shape[batch];
    const hasQuery = query === undefined || fits(query, embedDim);
    if (hasQuery && fits(key, kDim) && fits(value, vDim) && key.shape[length] === value.shape[length]) return;
    const form = (T: string, width: number): string => (this.batchFirst ? `[B,${T},${width}]` : `[${T},B,${width}]`);
    const found = `key ${formatShape(key.shape)}, value ${formatShape(value.shape)}`;
    const wanted = `${form("S", kDim)}, ${form("S", vDim)}`;
    throw new ShapeError(
      query === undefined
        ? `MultiheadAttention: ${found}; they must be ${wanted}.`
        : `MultiheadAttention: query is ${formatShape(query.shape)}, ${found}; they must be ${form("T", embedDim)}, ${wanted}.`,
      { query: query?.shape, key: key.shape, value: value.shape },
    );
  }
}

function assertHeads(options: MultiheadAttentionOptions, numKvHeads: number): void {
  const { embedDim, numHeads, dropout = 0, rotary } = options;
  const refuse = (text: string): ValueError =>
    new ValueError(`MultiheadAttention: ${text}`, { embedDim, numHeads, numKvHeads, dropout }, "E_LAYER");
  if (embedDim % numHeads !== 0) {
    throw refuse(`embedDim is ${embedDim} and numHeads ${numHeads}; the second must divide the first.`);
  }
  if (numHeads % numKvHeads !== 0) {
    throw refuse(`numHeads is ${numHeads} and numKvHeads ${numKvHeads}; the second must divide the first.`);
  }
  if (!(dropout >= 0 && dropout < 1)) throw refuse(`dropout is ${dropout}; it must be in [0, 1).`);
  if (rotary !== undefined && rotary.headDim !== embedDim / numHeads) {
    throw refuse(`rotary has headDim ${rotary.headDim}; it must be ${embedDim / numHeads}, embedDim / numHeads.`);
  }
}

function assertSizesOf(name: string, mask: Tensor, expected: readonly (readonly number[])[]): void {
  const isOneOf = expected.some((shape) => formatShape(shape) === formatShape(mask.shape));
  if (isOneOf) return;
  throw new ShapeError(
    `MultiheadAttention: ${name} is ${formatShape(mask.shape)}; it must be ${expected.map(formatShape).join(" or ")}.`,
    { [name]: mask.shape, expected },
  );
}

/** Uniform in +-sqrt(6 / (rows + columns)). */
function xavierUniform(rows: number, columns: number): Parameter {
  return uniformParameter([rows, columns], Math.sqrt(6 / (rows + columns)));
}
