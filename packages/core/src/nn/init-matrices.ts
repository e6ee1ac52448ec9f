/** @file Initial weights that are matrices of a form: orthogonal, identity, sparse. Computed on the host, in f64, in a fixed order. */
import { ShapeError, ValueError } from "../errors.js";
import { currentGenerator } from "../rng/current-generator.js";
import type { Generator } from "../rng/generator.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { overwrite } from "./overwrite.js";

export interface OrthogonalOptions {
  /** Default 1. */
  readonly gain?: number;
  readonly generator?: Generator;
}

/**
 * A random matrix with orthonormal rows (or columns, where there are fewer of them), times gain. A weight [out, in, ...kernel] counts as
 * [out, in * kernel elements].
 *
 * @shape [out, ...] -> same
 * @numerics Gram and Schmidt, twice, in f64 on normal numbers; uniformly distributed like PyTorch's, not the same bits.
 * @throws {ShapeError} E_SHAPE for fewer than two dims.
 * @source Saxe et al. 2013; torch.nn.init.orthogonal_
 */
export function orthogonal(tensor: Tensor, { gain = 1, generator = currentGenerator() }: OrthogonalOptions = {}): void {
  const [rows, columns] = matrixShape("orthogonal", tensor);
  const [count, length] = [Math.min(rows, columns), Math.max(rows, columns)];
  const lines: Float64Array[] = [];
  while (lines.length < count) {
    const line = Float64Array.from({ length }, () => generator.normal());
    const before = norm(line);
    for (let pass = 0; pass < 2; pass++) for (const other of lines) subtractProjection(line, other);
    const after = norm(line);
    // A line that lies in the span of the others says nothing: draw another.
    if (!(after > 1e-6 * before)) continue;
    lines.push(line.map((value) => value / after));
  }
  const values = new Float32Array(tensor.size);
  for (const [i, line] of lines.entries()) {
    for (const [k, value] of line.entries()) values[rows <= columns ? i * columns + k : k * columns + i] = gain * value;
  }
  overwrite(tensor, values);
}

/** Ones on the diagonal, else zeros. @shape [rows, columns] -> same @throws {ShapeError} E_SHAPE unless 2-d. @source torch.nn.init.eye_ */
export function eye(tensor: Tensor): void {
  const [rows, columns] = exactMatrix("eye", tensor);
  const values = new Float32Array(tensor.size);
  for (let i = 0; i < Math.min(rows, columns); i++) values[i * columns + i] = 1;
  overwrite(tensor, values);
}

/**
 * A convolution that hands its input on: within each group, output channel i has a one at the middle of the kernel of input channel i.
 *
 * @shape [out, in / groups, ...kernel], three to five dims -> same
 * @throws {ShapeError} E_SHAPE for another number of dims. {ValueError} E_VALUE when groups do not divide out.
 * @source torch.nn.init.dirac_
 */
export function dirac(tensor: Tensor, { groups = 1 }: { readonly groups?: number } = {}): void {
  const { shape } = tensor;
  if (shape.length < 3 || shape.length > 5) {
    throw new ShapeError(`dirac: the tensor has shape ${formatShape(shape)}; it must have three to five dims.`, {
      shape,
    });
  }
  const [out, inner, ...kernel] = shape as readonly [number, number, ...number[]];
  if (!Number.isInteger(groups) || groups < 1 || out % groups !== 0) {
    throw new ValueError(`dirac: groups is ${groups} for ${out} output channels; it must divide them.`, {
      groups,
      out,
    });
  }
  const kernelSize = kernel.reduce((product, n) => product * n, 1);
  const middle = kernel.reduce((at, n) => at * n + Math.floor(n / 2), 0);
  const perGroup = out / groups;
  const values = new Float32Array(tensor.size);
  for (let o = 0; o < out; o++) {
    const channel = o % perGroup;
    if (channel < inner) values[(o * inner + channel) * kernelSize + middle] = 1;
  }
  overwrite(tensor, values);
}

export interface SparseOptions {
  /** Share of zeros in each column, in [0, 1]. */
  readonly sparsity: number;
  /** Of the others. Default 0.01. */
  readonly std?: number;
  readonly generator?: Generator;
}

/**
 * Normal numbers of which ceil(sparsity * rows) in each column, at random places, are zero.
 *
 * @shape [rows, columns] -> same
 * @throws {ShapeError} E_SHAPE unless 2-d. {ValueError} E_VALUE for a sparsity outside [0, 1].
 * @source Martens 2010; torch.nn.init.sparse_
 */
export function sparse(tensor: Tensor, options: SparseOptions): void {
  const { sparsity, std = 0.01, generator = currentGenerator() } = options;
  const [rows, columns] = exactMatrix("sparse", tensor);
  if (!(sparsity >= 0 && sparsity <= 1)) {
    throw new ValueError(`sparse: sparsity is ${sparsity}; it must be in [0, 1].`, { sparsity });
  }
  const values = new Float32Array(tensor.size);
  generator.fillNormal(values, 0, std);
  const numZeros = Math.ceil(sparsity * rows);
  for (let column = 0; column < columns; column++) {
    for (const row of generator.permutation(rows).subarray(0, numZeros)) values[row * columns + column] = 0;
  }
  overwrite(tensor, values);
}

function matrixShape(where: string, { shape, size }: Tensor): [rows: number, columns: number] {
  const rows = shape[0];
  if (rows !== undefined && shape.length >= 2) return [rows, rows === 0 ? 0 : size / rows];
  throw new ShapeError(`${where}: the tensor has shape ${formatShape(shape)}; it must have two or more dims.`, {
    shape,
  });
}

function exactMatrix(where: string, { shape }: Tensor): [rows: number, columns: number] {
  if (shape.length === 2) return [shape[0]!, shape[1]!];
  throw new ShapeError(`${where}: the tensor has shape ${formatShape(shape)}; it must have two dims.`, { shape });
}

function norm(line: Float64Array): number {
  return Math.sqrt(dot(line, line));
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function subtractProjection(line: Float64Array, unit: Float64Array): void {
  const length = dot(line, unit);
  for (let i = 0; i < line.length; i++) line[i]! -= length * unit[i]!;
}
