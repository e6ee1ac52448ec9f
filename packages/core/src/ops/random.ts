/** @file Random integers, orders and picks from an explicit source. Uniform and normal numbers: `rand` and `randn` in tensor/create.ts. */
import { ShapeError, ValueError } from "../errors.js";
import { type CreateOptions, tensor } from "../tensor/create.js";
import { assertShape, formatShape, normalizeAxis, numElements, type Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { reshape } from "./reshape.js";
import { take } from "./take.js";
import { indicesBeside } from "./wrap-indices.js";

/** A source of random whole numbers, such as core's Generator. */
export interface IntegerSource {
  /** Uniform in 0..bound-1. */
  integer(bound: number): number;
  /** 0..length-1 in random order. */
  permutation(length: number): Uint32Array;
  /** Uniform in [0, 1). */
  uniform(): number;
}

export interface IntegerRange extends Pick<CreateOptions, "dtype"> {
  /** Default 0. */
  readonly low?: number;
  /** Not reached. */
  readonly high: number;
}

/**
 * Uniform whole numbers in low..high-1, i32 unless said otherwise.
 * @shape -> shape
 * @throws {ValueError} E_VALUE unless both are whole numbers and low < high; {DTypeError} E_DTYPE when the dtype cannot hold them.
 * @source numpy.random.Generator.integers
 */
export function randInt(shape: Shape, source: IntegerSource, { low = 0, high, dtype = "i32" }: IntegerRange): Tensor {
  assertShape("randInt", shape);
  if (!Number.isInteger(low) || !Number.isInteger(high) || low >= high) {
    throw new ValueError(`randInt: low is ${low} and high ${high}; both must be whole numbers, low below high.`, {
      low,
      high,
    });
  }
  const values = Array.from({ length: numElements(shape) }, () => low + source.integer(high - low));
  return reshape(tensor(values, { dtype }), shape);
}

/** 0..count-1 in random order, i32. @shape -> [count] @throws {ValueError} E_VALUE for a negative count. @source torch.randperm */
export function randPerm(count: number, source: IntegerSource): Tensor {
  if (!Number.isInteger(count) || count < 0) {
    throw new ValueError(`randPerm: count is ${count}; it must be a whole number of 0 or more.`, { count });
  }
  return tensor(Int32Array.from(source.permutation(count)));
}

/** A copy with the places along an axis (default 0) in random order. @shape any -> same @throws {ShapeError} E_AXIS @source numpy.random.Generator.permutation */
export function shuffle(x: Tensor, source: IntegerSource, axis = 0): Tensor {
  const at = normalizeAxis("shuffle", axis, x.numDims);
  return take(x, indicesBeside(x, Int32Array.from(source.permutation(x.shape[at]!))), at);
}

export interface ChoiceOptions {
  /** Shape of what is picked. Default []: one row. */
  readonly shape?: Shape;
  /** A row may come twice. Default true. */
  readonly replace?: boolean;
  /** How likely each row is, up to a factor. Default: all alike. */
  readonly weights?: readonly number[];
}

/**
 * Rows of x at random.
 * @shape x [n, a] -> [...shape, a]
 * @throws {ValueError} E_VALUE for weights below 0, of another number or too few above 0, and for more rows than there are without
 *   replacement; {ShapeError} E_SHAPE when x has no rows.
 * @source numpy.random.Generator.choice
 */
export function choice(x: Tensor, source: IntegerSource, options: ChoiceOptions = {}): Tensor {
  const { shape = [], replace = true, weights } = options;
  assertShape("choice", shape);
  const numRows = x.shape[0] ?? 0;
  const count = numElements(shape);
  if (numRows === 0) {
    throw new ShapeError(`choice: x is ${formatShape(x.shape)}; it must have rows to pick from.`, { x: x.shape });
  }
  if (!replace && count > numRows) {
    throw new ValueError(
      `choice: ${count} rows are to be picked without replacement, but x has ${numRows}; there must be as many.`,
      { count, numRows },
    );
  }
  const ids =
    weights === undefined
      ? plain(source, { numRows, count, replace })
      : weighted(source, [...weights], { numRows, count, replace });
  return take(x, indicesBeside(x, Int32Array.from(ids), shape), 0);
}

interface Picks {
  readonly numRows: number;
  readonly count: number;
  readonly replace: boolean;
}

function plain(source: IntegerSource, { numRows, count, replace }: Picks): ArrayLike<number> {
  if (!replace) return source.permutation(numRows).subarray(0, count);
  return Array.from({ length: count }, () => source.integer(numRows));
}

/** `weights` is changed: without replacement a picked row's becomes 0. */
function weighted(source: IntegerSource, weights: number[], { numRows, count, replace }: Picks): number[] {
  const numPossible = weights.filter((weight) => weight > 0).length;
  const isLegal = weights.every((weight) => weight >= 0 && weight < Number.POSITIVE_INFINITY);
  if (weights.length !== numRows || !isLegal || numPossible < (replace ? Math.min(count, 1) : count)) {
    throw new ValueError(
      `choice: there are ${weights.length} weights, ${numPossible} of them above 0, for ${numRows} rows; there must be one for each row, finite, none below 0 and enough above 0.`,
      { numWeights: weights.length, numPossible, numRows },
    );
  }
  return Array.from({ length: count }, () => {
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    let rest = source.uniform() * total;
    let picked = weights.findLastIndex((weight) => weight > 0);
    for (let i = 0; i < weights.length; i++) {
      rest -= weights[i]!;
      if (rest < 0) {
        picked = i;
        break;
      }
    }
    if (!replace) weights[picked] = 0;
    return picked;
  });
}
