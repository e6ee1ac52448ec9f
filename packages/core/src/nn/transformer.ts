/** @file Stacks of encoder and of decoder layers. Legend: B batch, T target, S source, C embed. */
import type { Tensor } from "../tensor/tensor.js";
import { LayerNorm } from "./layer-norm.js";
import { assertSizes } from "./linear.js";
import { Module } from "./module.js";
import type { AttentionMasks } from "./multihead-attention.js";
import {
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
}
