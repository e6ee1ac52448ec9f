/** @file Positions: rotary, sinusoidal, learned. Legend: B batch, T sequence, C embed, H heads, D head dim. */
import { ShapeError, ValueError } from "../errors.js";
import { add } from "../ops/arithmetic.js";
import { assertRotaryConvention, type RotaryConvention, rotary } from "../ops/rotary.js";
import { narrow } from "../ops/slice.js";
import { cos, pow, sin } from "../scalar-math/index.js";
import { tensor } from "../tensor/create.js";
import { keep } from "../tensor/scope.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { normalParameter } from "./init.js";
import { assertSizes } from "./linear.js";
import { Module } from "./module.js";
import type { Parameter } from "./parameter.js";

/** `f` of position / base^(2 i / dim), for each position and i below dim / 2. In f64, rounded once. */
function angleTable(
  f: (angle: number) => number,
  sizes: { numPositions: number; dim: number; base: number },
): Float32Array {
  const { numPositions, dim, base } = sizes;
  const half = dim / 2;
  const frequencies = Array.from({ length: half }, (_, i) => 1 / pow(base, (2 * i) / dim));
  return Float32Array.from({ length: numPositions * half }, (_, at) =>
    f(Math.floor(at / half) * frequencies[at % half]!),
  );
}

function assertEven(layer: string, name: string, size: number): void {
  if (size % 2 === 0) return;
  throw new ValueError(`${layer}: ${name} is ${size}; it must be even.`, { [name]: size }, "E_LAYER");
}

/** @throws {ShapeError} E_SHAPE when positions start .. start + T - 1 are not all there. */
function assertPositions(
  layer: string,
  { shape }: Tensor,
  at: { T: number; start: number; numPositions: number },
): void {
  const { T, start, numPositions } = at;
  if (Number.isInteger(start) && start >= 0 && start + T <= numPositions) return;
  throw new ShapeError(
    `${layer}: x is ${formatShape(shape)} with start ${start}; positions ${start}..${start + T - 1} must be in 0..${numPositions - 1} (numPositions). Cut the sequence or raise numPositions.`,
    { x: shape, start, numPositions },
  );
}

export interface PositionOptions {
  /** Position of the first step. Default 0. */
  readonly start?: number;
}

export interface RotaryEmbeddingOptions {
  /** Even. */
  readonly headDim: number;
  readonly numPositions: number;
  /** Pair i turns by position / base^(2 i / headDim). Default 10000. */
  readonly base?: number;
  /** Default "halfSplit". */
  readonly convention?: RotaryConvention;
}

/**
 * Turns pairs of features of queries or keys by an angle that grows with the position. It has no weights.
 *
 * @shape x [..., T, D] -> same
 * @numerics Angles in f64 by scalar-math, their cosines and sines rounded to f32 once.
 * @throws {ValueError} E_LAYER, E_VALUE for options that make no layer. {ShapeError} E_SHAPE for positions beyond numPositions.
 * @source Su et al. 2021; conventions as in ops/rotary.ts
 * @example
 * new nn.RotaryEmbedding({ headDim: 2, numPositions: 4 }).forward(tensor([[3, 4], [3, 4]]).narrow(0, 0, 1)).toArraySync(); // => [[3, 4]]
 */
export class RotaryEmbedding extends Module {
  readonly headDim: number;
  readonly numPositions: number;
  readonly convention: RotaryConvention;
  readonly #cos: Tensor;
  readonly #sin: Tensor;

  constructor({ headDim, numPositions, base = 10_000, convention = "halfSplit" }: RotaryEmbeddingOptions) {
    super();
    assertSizes("RotaryEmbedding", { headDim, numPositions });
    assertEven("RotaryEmbedding", "headDim", headDim);
    if (!(base > 0 && base < Number.POSITIVE_INFINITY)) {
      throw new ValueError(`RotaryEmbedding: base is ${base}; it must be positive and finite.`, { base }, "E_LAYER");
    }
    assertRotaryConvention("RotaryEmbedding", convention);
    this.headDim = headDim;
    this.numPositions = numPositions;
    this.convention = convention;
    const table = (f: (angle: number) => number): Tensor =>
      keep(tensor(angleTable(f, { numPositions, dim: headDim, base }), { shape: [numPositions, headDim / 2] }));
    this.#cos = table(cos);
    this.#sin = table(sin);
  }

  forward(x: Tensor, { start = 0 }: PositionOptions = {}): Tensor {
    const T = x.shape[x.numDims - 2] ?? 0;
    assertPositions("RotaryEmbedding", x, { T, start, numPositions: this.numPositions });
    const at = (table: Tensor): Tensor => narrow(table, 0, start, T); // [T, D/2]
    return rotary(x, { cos: at(this.#cos), sin: at(this.#sin) }, this.convention);
  }

  override dispose(): void {
    super.dispose();
    this.#cos.dispose();
    this.#sin.dispose();
  }
}

/**
 * x plus sin(t / 10000^(2i / C)) in its features 2i and the cosine in 2i + 1. It has no weights.
 *
 * @shape x [..., T, C] -> same
 * @numerics As RotaryEmbedding.
 * @throws {ValueError} E_LAYER for sizes that make no layer, {ShapeError} E_SHAPE for positions beyond numPositions.
 * @source Vaswani et al. 2017, section 3.5
 * @example
 * new nn.SinusoidalPositions(3, 2).forward(tensor([[0, 0]])).toArraySync(); // => [[0, 1]]
 */
export class SinusoidalPositions extends Module {
  readonly numPositions: number;
  readonly #table: Tensor;

  constructor(numPositions: number, embedDim: number) {
    super();
    assertSizes("SinusoidalPositions", { numPositions, embedDim });
    assertEven("SinusoidalPositions", "embedDim", embedDim);
    this.numPositions = numPositions;
    const sizes = { numPositions, dim: embedDim, base: 10_000 };
    const [sines, cosines] = [angleTable(sin, sizes), angleTable(cos, sizes)];
    const values = Float32Array.from({ length: 2 * sines.length }, (_, i) => (i % 2 === 0 ? sines : cosines)[i >> 1]!);
    this.#table = keep(tensor(values, { shape: [numPositions, embedDim] }));
  }

  forward(x: Tensor, { start = 0 }: PositionOptions = {}): Tensor {
    const T = x.shape[x.numDims - 2] ?? 0;
    assertPositions("SinusoidalPositions", x, { T, start, numPositions: this.numPositions });
    return add(x, narrow(this.#table, 0, start, T));
  }

  override dispose(): void {
    super.dispose();
    this.#table.dispose();
  }
}

/**
 * x plus a learned vector for each position.
 *
 * @shape x [..., T, C] -> same; weight [numPositions, C]
 * @throws {ValueError} E_LAYER for sizes that make no layer, {ShapeError} E_SHAPE for positions beyond numPositions.
 * @source the position embedding of GPT-2, its first values too: N(0, 0.02)
 */
export class LearnedPositions extends Module {
  weight: Parameter;

  constructor(numPositions: number, embedDim: number) {
    super();
    assertSizes("LearnedPositions", { numPositions, embedDim });
    this.weight = normalParameter([numPositions, embedDim], 0.02);
  }

  forward(x: Tensor, { start = 0 }: PositionOptions = {}): Tensor {
    const T = x.shape[x.numDims - 2] ?? 0;
    assertPositions("LearnedPositions", x, { T, start, numPositions: this.weight.shape[0]! });
    return add(x, narrow(this.weight, 0, start, T));
  }
}
