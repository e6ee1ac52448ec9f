/** @file One encoder layer and one decoder layer of the transformer. Legend: B batch, T target, S source, C embed, F hidden of the MLP. */
import { ShapeError, ValueError } from "../errors.js";
import { add } from "../ops/arithmetic.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { Dropout } from "./dropout.js";
import { LayerNorm } from "./layer-norm.js";
import { assertSizes, Linear } from "./linear.js";
import { Module } from "./module.js";
import { type AttentionMasks, appendKeyValues, type KeyValues, MultiheadAttention } from "./multihead-attention.js";

const activations = ["relu", "gelu"] as const;

export type TransformerActivation = (typeof activations)[number];

export interface TransformerLayerOptions {
  readonly embedDim: number;
  /** Divides embedDim. */
  readonly numHeads: number;
  /** Default 2048. */
  readonly feedforwardDim?: number;
  /** In training, of attention weights, of the MLP's hidden layer and of every branch, in [0, 1). Default 0.1. */
  readonly dropout?: number;
  /** Default "relu". */
  readonly activation?: TransformerActivation;
  /** Default 1e-5. */
  readonly layerNormEps?: number;
  /** Whether sequences are [B, T, C] instead of [T, B, C]. Default false. */
  readonly batchFirst?: boolean;
  /** Normalises the input of each branch instead of each sum. Default false. */
  readonly normFirst?: boolean;
}

interface LayerParts {
  readonly attention: () => MultiheadAttention;
  readonly linear1: () => Linear;
  readonly linear2: () => Linear;
  readonly norm: () => LayerNorm;
  readonly dropout: () => Dropout;
  readonly activation: TransformerActivation;
  readonly normFirst: boolean;
}

function partsOf(layer: string, options: TransformerLayerOptions): LayerParts {
  const { embedDim, numHeads, feedforwardDim = 2048, dropout = 0.1, activation = "relu" } = options;
  const { layerNormEps = 1e-5, batchFirst = false, normFirst = false } = options;
  assertSizes(layer, { embedDim, numHeads, feedforwardDim });
  if (!activations.includes(activation)) {
    throw new ValueError(
      `${layer}: activation is ${JSON.stringify(activation)}; it must be "relu" or "gelu".`,
      { activation },
      "E_LAYER",
    );
  }
  return {
    attention: () => new MultiheadAttention({ embedDim, numHeads, dropout, batchFirst }),
    linear1: () => new Linear(embedDim, feedforwardDim),
    linear2: () => new Linear(feedforwardDim, embedDim),
    norm: () => new LayerNorm(embedDim, { eps: layerNormEps }),
    dropout: () => new Dropout(dropout),
    activation,
    normFirst,
  };
}

/** x plus a branch of it, the norm before the branch or after the sum. */
function residual(
  x: Tensor,
  branch: (x: Tensor) => Tensor,
  { norm, dropout, normFirst }: { norm: LayerNorm; dropout: Dropout; normFirst: boolean },
): Tensor {
  if (normFirst) return add(x, dropout.forward(branch(norm.forward(x))));
  return norm.forward(add(x, dropout.forward(branch(x))));
}

/**
 * Self-attention and an MLP, each with a residual sum and a norm.
 *
 * @shape x [T, B, C] ([B, T, C] with batchFirst) -> same
 * @throws {ValueError} E_LAYER for options that make no layer; {ShapeError} E_SHAPE
 * @source torch.nn.TransformerEncoderLayer, its weights' names, defaults and first values too
 * @example
 * new nn.TransformerEncoderLayer({ embedDim: 4, numHeads: 2, feedforwardDim: 8 }).parameters().length; // => 12
 */
export class TransformerEncoderLayer extends Module {
  self_attn: MultiheadAttention;
  linear1: Linear;
  dropout: Dropout;
  linear2: Linear;
  norm1: LayerNorm;
  norm2: LayerNorm;
  dropout1: Dropout;
  dropout2: Dropout;
  readonly normFirst: boolean;
  readonly #activation: TransformerActivation;

  constructor(options: TransformerLayerOptions) {
    super();
    const parts = partsOf("TransformerEncoderLayer", options);
    this.self_attn = parts.attention();
    this.linear1 = parts.linear1();
    this.dropout = parts.dropout();
    this.linear2 = parts.linear2();
    this.norm1 = parts.norm();
    this.norm2 = parts.norm();
    this.dropout1 = parts.dropout();
    this.dropout2 = parts.dropout();
    this.normFirst = parts.normFirst;
    this.#activation = parts.activation;
  }

  forward(x: Tensor, masks: AttentionMasks = {}): Tensor {
    const { normFirst } = this;
    const attend = (h: Tensor): Tensor => this.self_attn.forward(h, h, h, masks).output;
    const widen = (h: Tensor): Tensor =>
      this.linear2.forward(this.dropout.forward(this.linear1.activated(h, this.#activation))); // [., ., F] between
    const attended = residual(x, attend, { norm: this.norm1, dropout: this.dropout1, normFirst });
    return residual(attended, widen, { norm: this.norm2, dropout: this.dropout2, normFirst });
  }
}

export interface TransformerDecoderInputs {
  /** Of the target to itself. */
  readonly target?: AttentionMasks;
  /** Of the target to the source. */
  readonly source?: AttentionMasks;
}

/** What a decoder layer knows before the next step of the target. */
export interface DecoderLayerState {
  /** Of the source. */
  readonly memory: KeyValues;
  /** Of the target's steps so far; undefined before the first. */
  readonly past: KeyValues | undefined;
}

/**
 * Self-attention of the target, attention of the target to the source, and an MLP, each with a residual sum and a norm.
 *
 * @shape x [T, B, C], memory [S, B, C] ([B, ., C] with batchFirst) -> as x
 * @throws {ValueError} E_LAYER for options that make no layer; {ShapeError} E_SHAPE
 * @source torch.nn.TransformerDecoderLayer, its weights' names, defaults and first values too
 */
export class TransformerDecoderLayer extends Module {
  self_attn: MultiheadAttention;
  multihead_attn: MultiheadAttention;
  linear1: Linear;
  dropout: Dropout;
  linear2: Linear;
  norm1: LayerNorm;
  norm2: LayerNorm;
  norm3: LayerNorm;
  dropout1: Dropout;
  dropout2: Dropout;
  dropout3: Dropout;
  readonly normFirst: boolean;
  readonly #activation: TransformerActivation;

  constructor(options: TransformerLayerOptions) {
    super();
    const parts = partsOf("TransformerDecoderLayer", options);
    this.self_attn = parts.attention();
    this.multihead_attn = parts.attention();
    this.linear1 = parts.linear1();
    this.dropout = parts.dropout();
    this.linear2 = parts.linear2();
    this.norm1 = parts.norm();
    this.norm2 = parts.norm();
    this.norm3 = parts.norm();
    this.dropout1 = parts.dropout();
    this.dropout2 = parts.dropout();
    this.dropout3 = parts.dropout();
    this.normFirst = parts.normFirst;
    this.#activation = parts.activation;
  }

  forward(x: Tensor, memory: Tensor, { target = {}, source = {} }: TransformerDecoderInputs = {}): Tensor {
    return this.#branches(x, {
      attend: (h) => this.self_attn.forward(h, h, h, target).output,
      look: (h) => this.multihead_attn.forward(h, memory, memory, source).output,
    });
  }

  /** The state before the first step: the source is projected once. @shape memory [S, B, C] ([B, S, C] with batchFirst) */
  begin(memory: Tensor): DecoderLayerState {
    return { memory: this.multihead_attn.projectKeyValues(memory, memory), past: undefined };
  }

  /**
   * The next step of the target alone, which sees itself and all before it: what `forward` with a causal target gives at that step, but
   * for rounding. States are not changed: two continuations may begin from one.
   *
   * @param source masks of the target to the source, as in `forward`
   * @shape x [1, B, C] ([B, 1, C] with batchFirst) -> output as x
   * @throws {ShapeError} E_SHAPE when x is not one step.
   */
  step(x: Tensor, state: DecoderLayerState, source: AttentionMasks = {}): { output: Tensor; state: DecoderLayerState } {
    if (x.numDims !== 3 || x.shape[this.self_attn.batchFirst ? 1 : 0] !== 1) {
      throw new ShapeError(
        `TransformerDecoderLayer: x is ${formatShape(x.shape)}; it must be one step, ${this.self_attn.batchFirst ? "[B,1,C]" : "[1,B,C]"}.`,
        { x: x.shape },
      );
    }
    const at = { start: state.past?.k.shape[2] ?? 0 };
    let { past } = state;
    const output = this.#branches(x, {
      attend: (h) => {
        past = appendKeyValues(past, this.self_attn.projectKeyValues(h, h, at));
        return this.self_attn.attend(h, past, at).output;
      },
      look: (h) => this.multihead_attn.attend(h, state.memory, source).output,
    });
    return { output, state: { memory: state.memory, past } };
  }

  #branches(x: Tensor, { attend, look }: Record<"attend" | "look", (h: Tensor) => Tensor>): Tensor {
    const { normFirst } = this;
    const widen = (h: Tensor): Tensor =>
      this.linear2.forward(this.dropout.forward(this.linear1.activated(h, this.#activation))); // [., ., F] between
    const attended = residual(x, attend, { norm: this.norm1, dropout: this.dropout1, normFirst });
    const seen = residual(attended, look, { norm: this.norm2, dropout: this.dropout2, normFirst });
    return residual(seen, widen, { norm: this.norm3, dropout: this.dropout3, normFirst });
  }
}
