/**
 * @file Initial weights. Numbers come from the given generator, else from `currentGenerator()`, so that they depend on the seed and the
 * order of creation alone.
 *
 * Functions that fill an existing tensor write in place, as PyTorch's with an underscore do. Those that look at fans are in
 * init-by-fan.ts, those that make matrices in init-matrices.ts.
 */
import { currentBackend } from "../backend/current-backend.js";
import { ValueError } from "../errors.js";
import { currentGenerator } from "../rng/current-generator.js";
import type { Generator } from "../rng/generator.js";
import { numElements, type Shape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { overwrite } from "./overwrite.js";
import { Parameter } from "./parameter.js";

export {
  type FanMode,
  fansOf,
  gainOf,
  type InitNonlinearity,
  kaimingNormal,
  kaimingUniform,
  xavierNormal,
  xavierUniform,
} from "./init-by-fan.js";
export { dirac, eye, orthogonal, sparse } from "./init-matrices.js";

/** The memory is taken before the numbers are made: a parameter that does not fit fails at once. */
function filledBy(shape: Shape, fill: (out: Float32Array) => void): Parameter {
  const backend = currentBackend();
  const tensor = Tensor.allocate(backend, shape, "f32");
  const values = new Float32Array(numElements(shape));
  fill(values);
  backend.write(tensor.buffer, tensor.offset, values);
  return new Parameter(tensor);
}

/** Fills with normal numbers. @shape any -> same @source torch.nn.init.normal_ */
export function normal(tensor: Tensor, mean = 0, std = 1, generator: Generator = currentGenerator()): void {
  const values = new Float32Array(tensor.size);
  generator.fillNormal(values, mean, std);
  overwrite(tensor, values);
}

/** Fills with uniform numbers in [low, high). @shape any -> same @source torch.nn.init.uniform_ */
export function uniform(tensor: Tensor, low = 0, high = 1, generator: Generator = currentGenerator()): void {
  const values = new Float32Array(tensor.size);
  generator.fillUniform(values, low, high);
  overwrite(tensor, values);
}

export interface TruncatedNormalOptions {
  /** Default 0. */
  readonly mean?: number;
  /** Above 0. Default 1. */
  readonly std?: number;
  /** Default -2. */
  readonly low?: number;
  /** Default 2. */
  readonly high?: number;
  readonly generator?: Generator;
}

/**
 * Fills with normal numbers of which those outside of [low, high] are drawn again. The bounds are values, not multiples of std.
 *
 * @shape any -> same
 * @numerics Numbers are compared as f64 and rounded to f32 afterwards.
 * @throws {ValueError} E_VALUE when std is not above 0, or fewer than one number in a hundred would lie between the bounds.
 * @source Same distribution as torch.nn.init.trunc_normal_, by rejection instead of the inverse distribution function.
 */
export function truncatedNormal(tensor: Tensor, options: TruncatedNormalOptions = {}): void {
  const { mean = 0, std = 1, low = -2, high = 2, generator = currentGenerator() } = options;
  if (!(std > 0) || !(low < high)) {
    throw new ValueError(
      `truncatedNormal: std is ${std}, low ${low} and high ${high}; std must be above 0 and low below high.`,
      { std, low, high },
    );
  }
  // Draws are bounded: a hundred times what is needed, and some.
  let drawsLeft = 100 * tensor.size + 10_000;
  const values = new Float32Array(tensor.size);
  for (let i = 0; i < values.length; i++) {
    let value = mean + std * generator.normal();
    while (!(low <= value && value <= high)) {
      if (drawsLeft-- === 0) {
        throw new ValueError(
          `truncatedNormal: fewer than one in a hundred numbers of mean ${mean} and std ${std} lies in [${low}, ${high}]; more must. Move the bounds or the mean.`,
          { mean, std, low, high },
        );
      }
      value = mean + std * generator.normal();
    }
    values[i] = value;
  }
  overwrite(tensor, values);
}

/** Fills with one number. @shape any -> same @source torch.nn.init.constant_ */
export function constant(tensor: Tensor, value: number): void {
  overwrite(tensor, new Float32Array(tensor.size).fill(value));
}

/** Fills with zeros. @shape any -> same @source torch.nn.init.zeros_ */
export function zeros(tensor: Tensor): void {
  constant(tensor, 0);
}

/** Fills with ones. @shape any -> same @source torch.nn.init.ones_ */
export function ones(tensor: Tensor): void {
  constant(tensor, 1);
}

/** A parameter of uniform numbers in [-bound, bound). @shape -> shape @source none: ours */
export function uniformParameter(shape: Shape, bound: number): Parameter {
  return filledBy(shape, (out) => currentGenerator().fillUniform(out, -bound, bound));
}

/** A parameter of normal numbers with mean 0. @shape -> shape @source none: ours */
export function normalParameter(shape: Shape, std: number): Parameter {
  return filledBy(shape, (out) => currentGenerator().fillNormal(out, 0, std));
}

/** A parameter of equal numbers. @shape -> shape @source none: ours */
export function filledParameter(shape: Shape, value: number): Parameter {
  return filledBy(shape, (out) => void out.fill(value));
}
