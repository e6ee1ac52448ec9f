/** @file Legend: N ids, B bags, C columns of the table. */
import { DTypeError, ShapeError, ValueError } from "../errors.js";
import { div, mul } from "../ops/arithmetic.js";
import { concat } from "../ops/concat.js";
import { embedding } from "../ops/embedding.js";
import { expand } from "../ops/expand-sum.js";
import { indexSelect, scatterAddOp } from "../ops/gather.js";
import { max } from "../ops/reduce.js";
import { reshape } from "../ops/reshape.js";
import { narrow } from "../ops/slice.js";
import { zerosLike } from "../tensor/create.js";
import { formatShape, shapesEqual } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { clearRow, paddingRow } from "./embedding.js";
import { normalParameter } from "./init.js";
import { assertSizes } from "./linear.js";
import { Module } from "./module.js";
import type { Parameter } from "./parameter.js";

const modes = ["sum", "mean", "max"] as const;
export type EmbeddingBagMode = (typeof modes)[number];

export interface EmbeddingBagOptions {
  /** Default "mean". */
  readonly mode?: EmbeddingBagMode;
  /** Whether the last offset is N, the end of the last bag. Default false. */
  readonly includeLastOffset?: boolean;
  /** A row that starts as zeros, gets no gradient, and counts for nothing in a bag. Default: none. */
  readonly paddingIdx?: number;
}

export interface EmbeddingBagInputs {
  /** For ids [N]: where each bag begins, ascending from 0; i32. */
  readonly offsets?: Tensor | readonly number[] | Int32Array | undefined;
  /** Factors of the rows, of the shape of ids; mode "sum" only. */
  readonly perSampleWeights?: Tensor | undefined;
}

/** Ids that count, in order, and the bag of each. */
interface Bags {
  readonly numBags: number;
  /** Places of the ids that count among all. */
  readonly places: readonly number[];
  /** Ids that count in each bag. */
  readonly counts: readonly number[];
}

/**
 * Sum, mean or maximum of rows of a table, bag by bag. An empty bag gives zeros.
 *
 * @shape ids [B, n] i32, or [N] with offsets [B] -> [B, embedDim]; weight [numRows, embedDim]
 * @numerics The rows of a bag add up in the order of its ids.
 * @throws {ValueError} E_LAYER for options that make no layer, E_BAG_OFFSETS for offsets that do not ascend from 0 within the ids, E_VALUE
 *   for weights in another mode than "sum", E_INDEX_RANGE for an id outside the table. {ShapeError} E_SHAPE, {DTypeError} E_DTYPE
 * @source torch.nn.EmbeddingBag, its initial weights too: N(0, 1). Deviation: no max_norm and no sparse gradients.
 * @example
 * const bag = new nn.EmbeddingBag(10, 3, { mode: "sum" });
 * bag.forward(tensor([1, 2, 4, 5], { dtype: "i32" }), { offsets: [0, 3] }).shape; // => [2, 3]
 */
export class EmbeddingBag extends Module {
  weight: Parameter;
  readonly mode: EmbeddingBagMode;
  readonly includeLastOffset: boolean;
  readonly paddingIdx: number | undefined;

  constructor(numRows: number, embedDim: number, options: EmbeddingBagOptions = {}) {
    super();
    const { mode = "mean", includeLastOffset = false, paddingIdx } = options;
    assertSizes("EmbeddingBag", { numRows, embedDim });
    if (!modes.includes(mode)) {
      throw new ValueError(
        `EmbeddingBag: mode is ${JSON.stringify(mode)}; it must be one of ${modes.join(", ")}.`,
        { mode },
        "E_LAYER",
      );
    }
    this.mode = mode;
    this.includeLastOffset = includeLastOffset;
    this.paddingIdx = paddingRow("EmbeddingBag", paddingIdx, numRows);
    this.weight = normalParameter([numRows, embedDim], 1);
    clearRow(this.weight, this.paddingIdx);
  }

  forward(ids: Tensor, { offsets, perSampleWeights }: EmbeddingBagInputs = {}): Tensor {
    this.#assertInputs(ids, { offsets, perSampleWeights });
    const bags = this.#bagsOf(ids, offsets);
    const flat = reshape(ids, [ids.size]);
    const isWhole = bags.places.length === ids.size;
    const places = isWhole ? undefined : int32(ids, bags.places);
    const kept = (x: Tensor): Tensor => (places === undefined ? x : indexSelect(x, 0, places));
    let rows = embedding(this.weight, kept(flat)); // [n, C]
    if (perSampleWeights !== undefined) {
      rows = mul(rows, reshape(kept(reshape(perSampleWeights, [ids.size])), [-1, 1]));
    }
    if (this.mode === "max") return largest(rows, bags);
    const sums = segmentSum(rows, bags); // [B, C]
    if (this.mode === "sum") return sums;
    const divisors = Float32Array.from(bags.counts, (count) => Math.max(1, count));
    const counts = Tensor.allocate(rows.backend, [bags.numBags, 1], "f32");
    if (bags.numBags > 0) counts.backend.write(counts.buffer, 0, divisors);
    return div(sums, counts);
  }

  #assertInputs(ids: Tensor, { offsets, perSampleWeights: weights }: EmbeddingBagInputs): void {
    if (ids.dtype !== "i32")
      throw new DTypeError(`EmbeddingBag: ids are ${ids.dtype}; they must be i32.`, { dtype: ids.dtype });
    const hasForm = offsets === undefined ? ids.numDims === 2 : ids.numDims === 1;
    if (!hasForm) {
      throw new ShapeError(
        `EmbeddingBag: ids are ${formatShape(ids.shape)} ${offsets === undefined ? "without" : "with"} offsets; they must be [B,n] without offsets or [N] with them.`,
        { ids: ids.shape },
      );
    }
    if (weights === undefined) return;
    if (this.mode !== "sum") {
      throw new ValueError(
        `EmbeddingBag: perSampleWeights are given and mode is "${this.mode}"; they need mode "sum".`,
        { mode: this.mode },
      );
    }
    if (!shapesEqual(weights.shape, ids.shape)) {
      throw new ShapeError(
        `EmbeddingBag: perSampleWeights are ${formatShape(weights.shape)} and ids ${formatShape(ids.shape)}; they must be equal.`,
        { perSampleWeights: weights.shape, ids: ids.shape },
      );
    }
  }

  #bagsOf(ids: Tensor, offsets: EmbeddingBagInputs["offsets"]): Bags {
    const bounds = offsets === undefined ? evenBounds(ids) : this.#boundsOf(ids.size, offsets);
    const values = this.paddingIdx === undefined ? undefined : ids.dataSync();
    const places: number[] = [];
    const counts = bounds.slice(0, -1).map((start, bag) => {
      const before = places.length;
      for (let i = start; i < bounds[bag + 1]!; i++) {
        if (values === undefined || values[i] !== this.paddingIdx) places.push(i);
      }
      return places.length - before;
    });
    return { numBags: counts.length, places, counts };
  }

  /** Where bags begin, and the end of the last. */
  #boundsOf(numIds: number, offsets: NonNullable<EmbeddingBagInputs["offsets"]>): number[] {
    const given = Array.from(offsets instanceof Tensor ? offsets.dataSync() : offsets);
    const bounds = this.includeLastOffset ? given : [...given, numIds];
    const bad = bounds.findIndex((start, i) => {
      const isInside = Number.isInteger(start) && start >= (bounds[i - 1] ?? 0) && start <= numIds;
      return !isInside || (i === 0 && start !== 0);
    });
    if (bad < 0 && bounds.at(-1) === numIds) return bounds;
    const position = bad < 0 ? bounds.length - 1 : bad;
    throw new ValueError(
      `EmbeddingBag: the offset at position ${position} is ${bounds[position]}; offsets must ascend from 0 within the ${numIds} ids${this.includeLastOffset ? ` and end with ${numIds} (includeLastOffset)` : ""}.`,
      { position, offset: bounds[position], numIds },
      "E_BAG_OFFSETS",
    );
  }
}

function evenBounds(ids: Tensor): number[] {
  const [B, n] = ids.shape as [number, number];
  return Array.from({ length: B + 1 }, (_, bag) => bag * n);
}

function int32({ backend }: Tensor, values: readonly number[]): Tensor {
  const out = Tensor.allocate(backend, [values.length], "i32");
  if (values.length > 0) backend.write(out.buffer, 0, Int32Array.from(values));
  return out;
}

/** Sums of consecutive rows. @shape rows [n, C] -> [B, C] */
function segmentSum(rows: Tensor, { numBags, counts }: Bags): Tensor {
  const bagOfRow = counts.flatMap((count, bag) => new Array<number>(count).fill(bag));
  const index = expand(reshape(int32(rows, bagOfRow), [-1, 1]), rows.shape);
  return scatterAddOp.apply([index, rows], { axis: 0, size: numBags })[0]!;
}

/** Largest of consecutive rows, feature by feature. @shape rows [n, C] -> [B, C] */
function largest(rows: Tensor, { counts }: Bags): Tensor {
  const width = rows.shape[1]!;
  let start = 0;
  const bags = counts.map((count) => {
    const bag = narrow(rows, 0, start, count);
    start += count;
    if (count === 0) return zerosLike({ backend: rows.backend, dtype: "f32", shape: [1, width] });
    return max(bag, 0, { keepDims: true });
  });
  return bags.length === 0 ? narrow(rows, 0, 0, 0) : concat(bags, 0);
}
