/**
 * @file Initial weights. Numbers come from `currentGenerator()`, so that they depend on the seed and the order of creation alone.
 *
 * Functions that fill an existing tensor write in place, as PyTorch's with an underscore do.
 */
import { currentBackend } from "../backend/current-backend.js";
import { currentGenerator } from "../rng/current-generator.js";
import { numElements, type Shape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { Parameter } from "./parameter.js";

/** The memory is taken before the numbers are made: a parameter that does not fit fails at once. */
function filledBy(shape: Shape, fill: (out: Float32Array) => void): Parameter {
  const backend = currentBackend();
  const tensor = Tensor.allocate(backend, shape, "f32");
  const values = new Float32Array(numElements(shape));
  fill(values);
  backend.write(tensor.buffer, tensor.offset, values);
  return new Parameter(tensor);
}

/** Overwrites a contiguous tensor. */
function write(tensor: Tensor, values: Float32Array): void {
  tensor.backend.write(tensor.buffer, tensor.offset, values);
  tensor.storage.version++;
}

/** Fills with normal numbers. @shape any -> same @source torch.nn.init.normal_ */
export function normal(tensor: Tensor, mean = 0, std = 1): void {
  const values = new Float32Array(tensor.size);
  currentGenerator().fillNormal(values, mean, std);
  write(tensor, values);
}

/** Fills with uniform numbers in [low, high). @shape any -> same @source torch.nn.init.uniform_ */
export function uniform(tensor: Tensor, low = 0, high = 1): void {
  const values = new Float32Array(tensor.size);
  currentGenerator().fillUniform(values, low, high);
  write(tensor, values);
}

/** Fills with one number. @shape any -> same @source torch.nn.init.constant_ */
export function constant(tensor: Tensor, value: number): void {
  write(tensor, new Float32Array(tensor.size).fill(value));
}

/** Fills with zeros. @shape any -> same @source torch.nn.init.zeros_ */
export function zeros(tensor: Tensor): void {
  constant(tensor, 0);
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
