/** @file bincount, histogram, oneHot: numbers as classes. */
import { DTypeError, ShapeError, ValueError } from "../errors.js";
import type { DType } from "../tensor/dtype.js";
import { formatShape, shapesEqual } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { cast, eq } from "./compare.js";
import { checkIndices } from "./index-range.js";
import { reshape } from "./reshape.js";
import { searchSorted } from "./search-sorted.js";
import { addRowsOp } from "./take-rows.js";
import { countBeside, indicesBeside } from "./wrap-indices.js";

const maxInteger = 2_147_483_648;

/** The integers of a tensor of classes, each checked. */
function classesOf(where: string, ids: Tensor, limit: number): ArrayLike<number> {
  if (ids.dtype !== "i32") {
    throw new DTypeError(`${where}: ids are ${ids.dtype}; they must be i32. Use cast("i32").`, { ids: ids.dtype });
  }
  checkIndices(where, ids, { limit, code: "E_INDEX_RANGE", what: "the id" });
  return ids.dataSync();
}

function largest(values: ArrayLike<number>): number {
  let most = -1;
  for (let i = 0; i < values.length; i++) most = Math.max(most, values[i]!);
  return most;
}

function checkCount(where: string, name: string, count: number, least: number): void {
  if (!Number.isInteger(count) || count < least) {
    throw new ValueError(`${where}: ${name} is ${count}; it must be a whole number of at least ${least}.`, {
      [name]: count,
    });
  }
}

export interface BincountOptions {
  /** f32, shape of ids: what each counts for. Default: 1, and an i32 result. */
  readonly weights?: Tensor;
  /** Fewest places of the result. Default 0. */
  readonly minLength?: number;
}

/**
 * How often each number occurs, from 0 to the largest; or the sum of its weights, added in ascending order of position. Weights have a
 * gradient.
 * @shape ids [N] (i32, at least 0) -> [max(ids) + 1], i32, or f32 with weights
 * @throws {ValueError} E_INDEX_RANGE for a negative id, E_VALUE; {ShapeError} E_SHAPE; {DTypeError} E_DTYPE
 * @source torch.bincount, numpy.bincount
 * @example
 * bincount(tensor([0, 2, 2], { dtype: "i32" })).toArraySync(); // => [1, 0, 2]
 */
export function bincount(ids: Tensor, { weights, minLength = 0 }: BincountOptions = {}): Tensor {
  checkCount("bincount", "minLength", minLength, 0);
  if (ids.numDims !== 1 || (weights !== undefined && !shapesEqual(weights.shape, ids.shape))) {
    throw new ShapeError(
      `bincount: ids are ${formatShape(ids.shape)}${weights === undefined ? "" : ` and weights ${formatShape(weights.shape)}`}; ids must have one dim, and weights the same shape.`,
      { ids: ids.shape, weights: weights?.shape },
    );
  }
  const values = classesOf("bincount", ids, maxInteger);
  const size = Math.max(minLength, largest(values) + 1);
  if (weights !== undefined) {
    return reshape(addRowsOp.apply([ids, reshape(weights, [ids.size, 1])], { size })[0]!, [size]);
  }
  const counts = new Int32Array(size);
  for (let i = 0; i < values.length; i++) counts[values[i]!]!++;
  return indicesBeside(ids, counts);
}

export interface OneHotOptions {
  /** Default "i32". */
  readonly dtype?: DType;
}

/**
 * 1 at the place of each class, 0 elsewhere. Without `numClasses`: one more than the largest id.
 * @shape ids [...] (i32, 0..numClasses-1) -> [..., numClasses]
 * @throws {ValueError} E_INDEX_RANGE with the first id outside, E_VALUE; {DTypeError} E_DTYPE
 * @source torch.nn.functional.one_hot
 * @example
 * oneHot(tensor([0, 2], { dtype: "i32" }), 3).toArraySync(); // => [[1, 0, 0], [0, 0, 1]]
 */
export function oneHot(ids: Tensor, numClasses?: number, { dtype = "i32" }: OneHotOptions = {}): Tensor {
  if (numClasses !== undefined) checkCount("oneHot", "numClasses", numClasses, 1);
  const values = classesOf("oneHot", ids, numClasses ?? maxInteger);
  const size = numClasses ?? largest(values) + 1;
  return cast(eq(reshape(ids, [...ids.shape, 1]), countBeside(ids, size)), dtype);
}

export interface HistogramOptions {
  /** How many bins of equal width. Default 10. */
  readonly bins?: number;
  /** Ends of the first and the last bin. Default: least and largest element. */
  readonly range?: readonly [low: number, high: number];
}

export interface Histogram {
  /** i32, by bin. */
  readonly counts: Tensor;
  /** f32, one more than there are bins. */
  readonly edges: Tensor;
}

/**
 * How many elements fall into each of a number of bins of equal width. A bin holds its lower edge and not its upper one; the last
 * holds both. What lies outside of `range`, and NaN with it, is not counted.
 * @shape x [...] -> counts [bins] (i32), edges [bins + 1]
 * @throws {ValueError} E_VALUE for a range that is not finite or ascending, bins below 1; {DTypeError} E_DTYPE
 * @source numpy.histogram, torch.histogram
 * @example
 * histogram(tensor([0, 1, 1, 4]), { bins: 2 }).counts.toArraySync(); // => [3, 1]
 */
export function histogram(x: Tensor, { bins = 10, range }: HistogramOptions = {}): Histogram {
  if (x.dtype !== "f32") {
    throw new DTypeError(`histogram: x is ${x.dtype}; it must be f32. Use cast("f32").`, { dtype: x.dtype });
  }
  checkCount("histogram", "bins", bins, 1);
  const values = x.dataSync();
  const [low, high] = range ?? spanOf(values);
  if (!Number.isFinite(low) || !Number.isFinite(high) || low > high) {
    throw new ValueError(
      `histogram: the range is ${low} to ${high}; both ends must be finite and the first at most the second. Pass { range }.`,
      { low, high },
    );
  }
  const [first, last] = low === high ? [low - 0.5, high + 0.5] : [low, high];
  const edges = Tensor.allocate(x.backend, [bins + 1], "f32");
  const ends = Float32Array.from({ length: bins + 1 }, (_, i) =>
    i === bins ? last : first + (i * (last - first)) / bins,
  );
  x.backend.write(edges.buffer, 0, ends);
  const places = searchSorted(edges, reshape(x, [x.size]), { right: true }).dataSync();
  const counts = new Int32Array(bins);
  for (let i = 0; i < values.length; i++) {
    const bin = values[i] === ends[bins] ? bins : places[i]!;
    if (bin >= 1 && bin <= bins) counts[bin - 1]!++;
  }
  return { counts: indicesBeside(x, counts), edges };
}

function spanOf(values: ArrayLike<number>): readonly [number, number] {
  if (values.length === 0) return [0, 1];
  let [low, high] = [values[0]!, values[0]!];
  for (let i = 1; i < values.length; i++) {
    low = Math.min(low, values[i]!);
    high = Math.max(high, values[i]!);
  }
  return [low, high];
}
