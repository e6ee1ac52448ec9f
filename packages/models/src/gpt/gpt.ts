/** @file GPT-2's architecture. Legend: B batch, T sequence, C embed, V vocab. */
import { linear, nn, ShapeError, type Tensor } from "@lockstep/core";
import { assertGptConfig, type GptConfig } from "./gpt-config.js";
import { TransformerBlock } from "./transformer-block.js";

const initialStd = 0.02;

/**
 * Decoder-only transformer: learned positions, blocks that normalise first, a last norm, and a head tied to the token embedding.
 *
 * Initial weights: N(0, 0.02), the projections that add to the residual stream N(0, 0.02 / sqrt(2 * numLayers)), biases 0, norms 1 and
 * 0. They come from the generator of the enclosing `seedScope`.
 *
 * @shape ids [B, T] i32 -> logits [B, T, V], T at most seqLen
 * @throws {ValueError} E_MODEL_CONFIG for sizes that make no model; E_INDEX_RANGE for an id outside the vocabulary.
 * @source Radford et al. 2019; initial weights as in nanoGPT. Deviation: no dropout on attention weights.
 * @example
 * new Gpt(gptConfig("gpt-nano")).parameters().length; // => 28
 */
export class Gpt extends nn.Module {
  readonly config: Readonly<Required<GptConfig>>;
  tokenEmbedding: nn.Embedding;
  positionEmbedding: nn.Embedding;
  dropout: nn.Dropout;
  blocks: TransformerBlock[];
  finalNorm: nn.LayerNorm;

  constructor(config: GptConfig) {
    super();
    assertGptConfig(config);
    const { vocabSize, seqLen, numLayers, numHeads, embedDim, dropout = 0 } = config;
    this.config = { vocabSize, seqLen, numLayers, numHeads, embedDim, dropout };
    this.tokenEmbedding = new nn.Embedding(vocabSize, embedDim);
    this.positionEmbedding = new nn.Embedding(seqLen, embedDim);
    this.dropout = new nn.Dropout(dropout);
    this.blocks = Array.from({ length: numLayers }, () => new TransformerBlock({ embedDim, numHeads, dropout }));
    this.finalNorm = new nn.LayerNorm(embedDim);
    initialise(this, numLayers);
  }

  forward(ids: Tensor): Tensor {
    return this.head(this.hidden(ids)); // [B, T, V]
  }

  /** Logits of the last position alone: what generation needs. @shape ids [B, T] -> [B, V] */
  forwardLast(ids: Tensor): Tensor {
    const x = this.hidden(ids);
    return this.head(x.select(1, x.shape[1]! - 1)); // [B, C] -> [B, V]
  }

  /** What the head sees. @shape ids [B, T] -> [B, T, C] @throws {ShapeError} E_SHAPE when ids are not [B, T] with 1 <= T <= seqLen. */
  hidden(ids: Tensor): Tensor {
    const { seqLen } = this.config;
    const length = ids.shape[1] ?? 0;
    if (ids.numDims !== 2 || length < 1 || length > seqLen) {
      throw new ShapeError(
        `Gpt: ids are [${ids.shape.join(",")}]; they must be [B,T] with T in 1..${seqLen} (seqLen). Cut the text or raise seqLen.`,
        { ids: ids.shape, seqLen },
      );
    }
    const positions = this.positionEmbedding.weight; // [seqLen, C]
    const places = length === seqLen ? positions : positions.narrow(0, 0, length); // [T, C]
    const embedded = this.tokenEmbedding.forward(ids).add(places); // [B, T, C]
    let x = this.dropout.forward(embedded);
    for (const block of this.blocks) x = block.forward(x);
    return this.finalNorm.forward(x);
  }

  /** @shape [..., C] -> [..., V] */
  head(x: Tensor): Tensor {
    return linear(x, this.tokenEmbedding.weight);
  }
}

function initialise(model: Gpt, numLayers: number): void {
  const residualStd = initialStd / Math.sqrt(2 * numLayers);
  for (const [name, parameter] of model.namedParameters()) {
    if (/norm\d?\.(weight|bias)$/i.test(name)) continue;
    if (name.endsWith(".bias")) nn.init.zeros(parameter);
    else nn.init.normal(parameter, 0, name.endsWith("proj.weight") ? residualStd : initialStd);
  }
}
