/** @file Diagonals of matrices: read, made, summed; and the triangles beside them. */
import { ShapeError, ValueError } from "../errors.js";
import { formatShape, normalizeAxis } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { add } from "./arithmetic.js";
import { where as choose, ge, le } from "./compare.js";
import { sum } from "./expand-sum.js";
import { permute } from "./permute.js";
import { reshape } from "./reshape.js";
import { sliceOp, unsliceOp } from "./slice.js";
import { countBeside } from "./wrap-indices.js";

export interface DiagonalOptions {
  /** Above 0: so many places right of the main diagonal; below 0: below it. Default 0. */
  readonly offset?: number;
  /** Dims of the matrix. Default -2 and -1. */
  readonly axes?: readonly [number, number];
}

function checkOffset(where: string, offset: number): void {
  if (!Number.isInteger(offset)) {
    throw new ValueError(`${where}: offset is ${offset}; it must be a whole number.`, { offset });
  }
}

/** Where a diagonal lies in a matrix of `rows` x `columns` taken as flat. Its step is columns + 1. */
function diagonalPlace(rows: number, columns: number, offset: number): { start: number; length: number } {
  const length = offset >= 0 ? Math.min(rows, columns - offset) : Math.min(rows + offset, columns);
  const start = offset >= 0 ? offset : -offset * columns;
  return length > 0 ? { start, length } : { start: 0, length: 0 };
}

/**
 * A diagonal of the matrices in two dims; it becomes the last dim.
 * @shape [..., a, b] -> [..., min(a, b)]
 * @throws {ShapeError} E_SHAPE when both axes are the same, E_AXIS; {ValueError} E_VALUE for an offset that is no whole number.
 * @source torch.diagonal, numpy.diagonal, but the last two dims are the default
 * @example
 * tensor([[1, 2], [3, 4]]).diagonal().toArraySync(); // => [1, 4]
 */
export function diagonal(x: Tensor, { offset = 0, axes = [-2, -1] }: DiagonalOptions = {}): Tensor {
  checkOffset("diagonal", offset);
  const [row, column] = axes.map((axis) => normalizeAxis("diagonal", axis, x.numDims)) as [number, number];
  if (row === column) {
    throw new ShapeError(
      `diagonal: the axes are ${formatShape(axes)}; they must be two dims of ${formatShape(x.shape)}.`,
      {
        axes,
        x: x.shape,
      },
    );
  }
  const others = x.shape.map((_, i) => i).filter((i) => i !== row && i !== column);
  const lead = others.map((i) => x.shape[i]!);
  const [rows, columns] = [x.shape[row]!, x.shape[column]!];
  const flat = reshape(permute(x, [...others, row, column]), [...lead, rows * columns]);
  const { start, length } = diagonalPlace(rows, columns, offset);
  return sliceOp.apply(flat, {
    starts: [...lead.map(() => 0), start],
    sizes: [...lead, length],
    steps: [...lead.map(() => 1), columns + 1],
  })[0]!;
}

export type DiagOptions = Pick<DiagonalOptions, "offset">;

/**
 * A vector becomes the matrix with it on a diagonal; of a matrix the diagonal is taken.
 * @shape [n] -> [n + |offset|, n + |offset|]; [a, b] -> [min(a, b)]
 * @throws {ShapeError} E_SHAPE unless x has one or two dims; {ValueError} E_VALUE
 * @source torch.diag, numpy.diag
 * @example
 * tensor([1, 2]).diag().toArraySync(); // => [[1, 0], [0, 2]]
 */
export function diag(x: Tensor, { offset = 0 }: DiagOptions = {}): Tensor {
  if (x.numDims !== 1 && x.numDims !== 2) {
    throw new ShapeError(`diag: x is ${formatShape(x.shape)}; it must have one dim or two. Use diagonal for more.`, {
      x: x.shape,
    });
  }
  if (x.numDims === 2) return diagonal(x, { offset });
  checkOffset("diag", offset);
  const side = x.size + Math.abs(offset);
  const start = x.size === 0 ? 0 : diagonalPlace(side, side, offset).start;
  const window = { starts: [start], sizes: [x.size], steps: [side + 1] };
  return reshape(unsliceOp.apply([x], { ...window, shape: [side * side] })[0]!, [side, side]);
}

/** Sum of a diagonal. @shape [..., a, b] -> [...] @throws as `diagonal` @source torch.trace, numpy.trace over the last two dims */
export function trace(x: Tensor, options: DiagonalOptions = {}): Tensor {
  return sum(diagonal(x, options), -1);
}

function triangle(where: "tril" | "triu", x: Tensor, offset: number): Tensor {
  checkOffset(where, offset);
  if (x.numDims < 2) {
    throw new ShapeError(`${where}: x is ${formatShape(x.shape)}; it must have at least two dims.`, { x: x.shape });
  }
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  const edge = add(countBeside(x, rows, [rows, 1]), offset);
  const kept = (where === "tril" ? le : ge)(countBeside(x, columns), edge);
  return choose(kept, x, 0);
}

/**
 * The lower triangle of each matrix, the diagonal at `offset` included; 0 elsewhere, also in place of NaN.
 * @shape [..., a, b] -> same
 * @throws {ShapeError} E_SHAPE for fewer than two dims; {ValueError} E_VALUE
 * @source torch.tril, numpy.tril
 * @example
 * tensor([[1, 2], [3, 4]]).tril().toArraySync(); // => [[1, 0], [3, 4]]
 */
export function tril(x: Tensor, { offset = 0 }: DiagOptions = {}): Tensor {
  return triangle("tril", x, offset);
}

/** The upper triangle of each matrix, as `tril` the lower one. @shape [..., a, b] -> same @throws as `tril` @source torch.triu, numpy.triu */
export function triu(x: Tensor, { offset = 0 }: DiagOptions = {}): Tensor {
  return triangle("triu", x, offset);
}
