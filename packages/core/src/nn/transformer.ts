/** @file Stacks of encoder and of decoder layers, and the two together. Legend: B batch, T target, S source, C embed. */
import type { Tensor } from "../tensor/tensor.js";
import { LayerNorm } from "./layer-norm.js";
import { assertSizes } from "./linear.js";
import { Module } from "./module.js";
import type { AttentionMasks } from "./multihead-attention.js";
import {
  type DecoderLayerState,
  type TransformerDecoderInputs,
  TransformerDecoderLayer,
  TransformerEncoderLayer,
  type TransformerLayerOptions,
} from "./transformer-layers.js";

export interface TransformerStackOptions extends TransformerLayerOptions {
  readonly numLayers: number;
  /** A norm after the last layer. Default false. */
  readonly finalNorm?: boolean;
}

function finalNormOf({
  embedDim,
  layerNormEps = 1e-5,
  finalNorm = false,
}: TransformerStackOptions): LayerNorm | undefined {
  return finalNorm ? new LayerNorm(embedDim, { eps: layerNormEps }) : undefined;
}

/**
 * Encoder layers one after the other, all under the same masks.
 *
 * @shape x [T, B, C] ([B, T, C] with batchFirst) -> same
 * @throws {ValueError} E_LAYER; {ShapeError} E_SHAPE
 * @source torch.nn.TransformerEncoder, its weights' names too. Deviation: it makes its layers itself, each with first values of its own,
 *   where torch copies one.
 */
export class TransformerEncoder extends Module {
  layers: TransformerEncoderLayer[];
  norm: LayerNorm | undefined;

  constructor(options: TransformerStackOptions) {
    super();
    assertSizes("TransformerEncoder", { numLayers: options.numLayers });
    this.layers = Array.from({ length: options.numLayers }, () => new TransformerEncoderLayer(options));
    this.norm = finalNormOf(options);
  }

  forward(x: Tensor, masks: AttentionMasks = {}): Tensor {
    const out = this.layers.reduce((h, layer) => layer.forward(h, masks), x);
    return this.norm?.forward(out) ?? out;
  }
}

/**
 * Decoder layers one after the other, all on the same memory under the same masks.
 *
 * @shape x [T, B, C], memory [S, B, C] ([B, ., C] with batchFirst) -> as x
 * @throws {ValueError} E_LAYER; {ShapeError} E_SHAPE
 * @source torch.nn.TransformerDecoder, its weights' names too. Deviation: as TransformerEncoder
 */
export class TransformerDecoder extends Module {
  layers: TransformerDecoderLayer[];
  norm: LayerNorm | undefined;

  constructor(options: TransformerStackOptions) {
    super();
    assertSizes("TransformerDecoder", { numLayers: options.numLayers });
    this.layers = Array.from({ length: options.numLayers }, () => new TransformerDecoderLayer(options));
    this.norm = finalNormOf(options);
  }

  forward(x: Tensor, memory: Tensor, inputs: TransformerDecoderInputs = {}): Tensor {
    const out = this.layers.reduce((h, layer) => layer.forward(h, memory, inputs), x);
    return this.norm?.forward(out) ?? out;
  }

  /** States of all layers before the first step. @shape memory [S, B, C] ([B, S, C] with batchFirst) */
  begin(memory: Tensor): readonly DecoderLayerState[] {
    return this.layers.map((layer) => layer.begin(memory));
  }

  /** The next step of the target through all layers, as TransformerDecoderLayer.step. @shape x [1, B, C] ([B, 1, C] with batchFirst) -> output as x */
  step(
    x: Tensor,
    states: readonly DecoderLayerState[],
    source: AttentionMasks = {},
  ): { output: Tensor; states: readonly DecoderLayerState[] } {
    let h = x;
    const next = this.layers.map((layer, i) => {
      const { output, state } = layer.step(h, states[i]!, source);
      h = output;
      return state;
    });
    return { output: this.norm?.forward(h) ?? h, states: next };
  }
}

export interface TransformerOptions extends TransformerLayerOptions {
  /** Default 6 each. */
  readonly numEncoderLayers?: number;
  readonly numDecoderLayers?: number;
}

export interface TransformerInputs extends TransformerDecoderInputs {
  /** Of the source to itself. */
  readonly encoder?: AttentionMasks;
}

/**
 * An encoder of the source and a decoder of the target, each with a norm at its end.
 *
 * @shape source [S, B, C], target [T, B, C] ([B, ., C] with batchFirst) -> as target
 * @throws {ValueError} E_LAYER; {ShapeError} E_SHAPE
 * @source torch.nn.Transformer (Vaswani et al. 2017), its weights' names too. Deviations: options have names, embedDim and numHeads no
 *   defaults; first values are those of the layers, as in TransformerEncoder, where torch draws all matrices from xavier_uniform again.
 * @example
 * const transformer = new nn.Transformer({ embedDim: 4, numHeads: 2, numEncoderLayers: 1, numDecoderLayers: 1, feedforwardDim: 8 });
 * transformer.forward(zeros([5, 3, 4]), zeros([2, 3, 4]), { target: { isCausal: true } }).shape; // => [2, 3, 4]
 */
export class Transformer extends Module {
  encoder: TransformerEncoder;
  decoder: TransformerDecoder;

  constructor({ numEncoderLayers = 6, numDecoderLayers = 6, ...layer }: TransformerOptions) {
    super();
    assertSizes("Transformer", { numEncoderLayers, numDecoderLayers });
    this.encoder = new TransformerEncoder({ ...layer, numLayers: numEncoderLayers, finalNorm: true });
    this.decoder = new TransformerDecoder({ ...layer, numLayers: numDecoderLayers, finalNorm: true });
  }

  forward(source: Tensor, target: Tensor, { encoder = {}, ...decoder }: TransformerInputs = {}): Tensor {
    return this.decoder.forward(target, this.encoder.forward(source, encoder), decoder);
  }
}
