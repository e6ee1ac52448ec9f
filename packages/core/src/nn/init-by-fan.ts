/**
 * @file Initial weights whose spread depends on how many numbers an output is made of (fan-in) and an input goes into (fan-out).
 *
 * A weight is [out, in, ...kernel]: fan-in = in * kernel elements, fan-out = out * kernel elements.
 */
import { ShapeError, ValueError } from "../errors.js";
import { currentGenerator } from "../rng/current-generator.js";
import type { Generator } from "../rng/generator.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { overwrite } from "./overwrite.js";

export type FanMode = "fanIn" | "fanOut";

/** What follows the layer. "linear" is nothing, a convolution or a sigmoid too. */
export type InitNonlinearity = "linear" | "sigmoid" | "tanh" | "relu" | "leakyRelu" | "selu";

export interface XavierOptions {
  /** Default 1. */
  readonly gain?: number;
  readonly generator?: Generator;
}

export interface KaimingOptions {
  /** Keep the variance in the forward pass ("fanIn", default) or in the backward pass. */
  readonly mode?: FanMode;
  /** Default "leakyRelu", as PyTorch's. */
  readonly nonlinearity?: InitNonlinearity;
  /** Of leakyRelu. Default 0. */
  readonly negativeSlope?: number;
  readonly generator?: Generator;
}

/**
 * Fan-in and fan-out of a weight.
 *
 * @shape [out, in, ...kernel]
 * @throws {ShapeError} E_SHAPE for fewer than two dims.
 * @source torch.nn.init._calculate_fan_in_and_fan_out
 */
export function fansOf(tensor: Pick<Tensor, "shape">): { readonly fanIn: number; readonly fanOut: number } {
  const { shape } = tensor;
  const [out, inner, ...kernel] = shape;
  if (out === undefined || inner === undefined) {
    throw new ShapeError(
      `init: the tensor has shape ${formatShape(shape)}; it must have two or more dims, [out, in, ...kernel]. Use normal or uniform.`,
      { shape },
    );
  }
  const kernelSize = kernel.reduce((product, n) => product * n, 1);
  return { fanIn: inner * kernelSize, fanOut: out * kernelSize };
}

/**
 * How much larger weights before a nonlinearity must be to keep the variance: sqrt(2) before relu, 5/3 before tanh.
 *
 * @shape none
 * @throws {ValueError} E_VALUE for a nonlinearity that has none.
 * @source torch.nn.init.calculate_gain
 * @example
 * nn.init.gainOf("relu"); // => 1.4142135623730951
 */
export function gainOf(nonlinearity: InitNonlinearity, negativeSlope = 0.01): number {
  const gains: Readonly<Record<InitNonlinearity, number>> = {
    linear: 1,
    sigmoid: 1,
    tanh: 5 / 3,
    relu: Math.sqrt(2),
    leakyRelu: Math.sqrt(2 / (1 + negativeSlope * negativeSlope)),
    selu: 3 / 4,
  };
  const gain: number | undefined = gains[nonlinearity];
  if (gain === undefined) {
    throw new ValueError(
      `init: nonlinearity is "${nonlinearity}"; it must be one of ${Object.keys(gains).join(", ")}. Use "linear" and a gain of your own.`,
      { nonlinearity },
    );
  }
  return gain;
}

/**
 * Uniform in +-gain * sqrt(6 / (fanIn + fanOut)).
 *
 * @shape [out, in, ...kernel] -> same
 * @throws {ShapeError} E_SHAPE for fewer than two dims.
 * @source Glorot and Bengio 2010; torch.nn.init.xavier_uniform_
 */
export function xavierUniform(tensor: Tensor, { gain = 1, generator }: XavierOptions = {}): void {
  const { fanIn, fanOut } = fansOf(tensor);
  fillUniform(tensor, gain * Math.sqrt(6 / (fanIn + fanOut)), generator);
}

/**
 * Normal with std gain * sqrt(2 / (fanIn + fanOut)).
 *
 * @shape [out, in, ...kernel] -> same
 * @throws {ShapeError} E_SHAPE for fewer than two dims.
 * @source Glorot and Bengio 2010; torch.nn.init.xavier_normal_
 */
export function xavierNormal(tensor: Tensor, { gain = 1, generator }: XavierOptions = {}): void {
  const { fanIn, fanOut } = fansOf(tensor);
  fillNormal(tensor, gain * Math.sqrt(2 / (fanIn + fanOut)), generator);
}

/**
 * Uniform in +-gain * sqrt(3 / fan).
 *
 * @shape [out, in, ...kernel] -> same
 * @throws {ShapeError} E_SHAPE for fewer than two dims. {ValueError} E_VALUE for an unknown mode or nonlinearity.
 * @source He et al. 2015; torch.nn.init.kaiming_uniform_
 */
export function kaimingUniform(tensor: Tensor, options: KaimingOptions = {}): void {
  fillUniform(tensor, Math.sqrt(3) * kaimingStd(tensor, options), options.generator);
}

/**
 * Normal with std gain / sqrt(fan).
 *
 * @shape [out, in, ...kernel] -> same
 * @throws {ShapeError} E_SHAPE for fewer than two dims. {ValueError} E_VALUE for an unknown mode or nonlinearity.
 * @source He et al. 2015; torch.nn.init.kaiming_normal_
 */
export function kaimingNormal(tensor: Tensor, options: KaimingOptions = {}): void {
  fillNormal(tensor, kaimingStd(tensor, options), options.generator);
}

function kaimingStd(tensor: Tensor, options: KaimingOptions): number {
  const { mode = "fanIn", nonlinearity = "leakyRelu", negativeSlope = 0 } = options;
  const fan: number | undefined = fansOf(tensor)[mode];
  if (fan === undefined) {
    throw new ValueError(`init: mode is "${mode}"; it must be "fanIn" or "fanOut".`, { mode });
  }
  return gainOf(nonlinearity, negativeSlope) / Math.sqrt(fan);
}

function fillUniform(tensor: Tensor, bound: number, generator: Generator = currentGenerator()): void {
  const values = new Float32Array(tensor.size);
  generator.fillUniform(values, -bound, bound);
  overwrite(tensor, values);
}

function fillNormal(tensor: Tensor, std: number, generator: Generator = currentGenerator()): void {
  const values = new Float32Array(tensor.size);
  generator.fillNormal(values, 0, std);
  overwrite(tensor, values);
}
