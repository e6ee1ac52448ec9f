/**
 * @file What `x.at(...)` and its writers were asked for: indices as users write them, turned into a window (numbers, ranges, new
 * axes) and index tensors on it. Validates; touches no element but those of masks and index tensors.
 */
import { ShapeError, ValueError } from "../errors.js";
import { broadcastShapes, formatShape, numElements, type Shape, shapesEqual } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { add, mul } from "./arithmetic.js";
import { cast } from "./compare.js";
import { contiguous } from "./copy.js";
import { expand } from "./expand-sum.js";
import { nonzero } from "./masks.js";
import { reshape } from "./reshape.js";
import { narrow } from "./slice.js";
import {
  backwardAxes,
  boundsOf,
  parseRange,
  type SliceAttrs,
  type SliceBounds,
  type SliceRange,
  windowAttrs,
} from "./slice-range.js";
import { indicesBeside, wrapIndex, wrapIndices } from "./wrap-indices.js";

/**
 * One index: a number drops its dim; "1:3", "::-1", ":" or a SliceRange takes a range; "..." stands for all dims not named; null makes a
 * new dim of size 1; a list of numbers or an i32 tensor picks places; a bool tensor or a list of booleans those where it is true, over as
 * many dims as it has.
 */
export type Index = number | string | SliceRange | null | Tensor | readonly number[] | readonly boolean[];

export interface IndexPlan {
  readonly window: SliceAttrs;
  /** True when the window is the whole tensor. */
  readonly isWhole: boolean;
  /** Axes of the window to be reversed. */
  readonly backward: readonly number[];
  /** Of the window without the dims of numbers and with the new ones: what the index tensors pick from. */
  readonly shape: Shape;
  readonly picks: IndexPicks | undefined;
}

/** Index tensors, merged into one. */
export interface IndexPicks {
  /** Axes of the window's shape that they index. */
  readonly axes: readonly number[];
  /** What they broadcast to. */
  readonly shape: Shape;
  /** i32, one for each place picked: a flat place in the picked axes. */
  readonly flat: Tensor;
}

interface Pick {
  readonly axis: number;
  readonly ids: Tensor;
}

/** @throws {ShapeError} E_SHAPE for too many indices, {ValueError} E_VALUE or E_INDEX_RANGE for a wrong one. */
export function planIndices(where: string, x: Tensor, indices: readonly Index[]): IndexPlan {
  const bounds: SliceBounds[] = [];
  const shape: number[] = [];
  const picks: Pick[] = [];
  for (const index of withoutMasks(
    where,
    x,
    withoutEllipsis(
      where,
      x,
      indices.map((i) => asMask(x, i)),
    ),
  )) {
    if (index === null) {
      shape.push(1);
      continue;
    }
    const size = x.shape[bounds.length]!;
    if (typeof index === "number") {
      bounds.push({ start: wrapIndex(where, index, size), size: 1, step: 1, isBackward: false });
    } else if (isPick(index)) {
      picks.push({ axis: shape.length, ids: wrapIndices(where, asTensor(where, x, index), size) });
      bounds.push(boundsOf(where, size, {}));
      shape.push(size);
    } else {
      checkRange(where, index);
      bounds.push(boundsOf(where, size, typeof index === "string" ? parseRange(where, index) : index));
      shape.push(bounds[bounds.length - 1]!.size);
    }
  }
  const window = windowAttrs(bounds);
  const backward = backwardAxes(bounds);
  const isWhole = backward.length === 0 && window.sizes.every((size, axis) => size === x.shape[axis]);
  return { window, isWhole, backward, shape, picks: picks.length === 0 ? undefined : mergePicks(where, shape, picks) };
}

/** Callers in JavaScript may pass anything. */
function checkRange(where: string, index: unknown): void {
  if (typeof index === "string" || (typeof index === "object" && index !== null)) return;
  throw new ValueError(
    `${where}: an index is ${String(index)}; it must be a number, "start:stop:step", "...", null, a list of numbers or a tensor.`,
    { index },
  );
}

type Plain = Exclude<Index, readonly boolean[]>;

function isPick(index: Exclude<Plain, number | null>): index is Tensor | readonly number[] {
  return index instanceof Tensor || Array.isArray(index);
}

/** A list of booleans as a bool tensor; anything else as it is. */
function asMask(x: Tensor, index: Index): Plain {
  if (!Array.isArray(index) || typeof index[0] !== "boolean") return index as Plain;
  const mask = Tensor.allocate(x.backend, [index.length], "bool");
  x.backend.write(mask.buffer, 0, Uint8Array.from(index, Number));
  return mask;
}

function isMask(index: unknown): index is Tensor {
  return index instanceof Tensor && index.dtype === "bool";
}

/** Every mask replaced by one index tensor for each of its dims. */
function withoutMasks(where: string, x: Tensor, indices: readonly Plain[]): Plain[] {
  let axis = 0;
  return indices.flatMap((index): Plain[] => {
    if (index === null) return [index];
    if (!isMask(index)) {
      axis++;
      return [index];
    }
    const dims = x.shape.slice(axis, axis + index.numDims);
    if (index.numDims === 0 || !shapesEqual(dims, index.shape)) {
      throw new ShapeError(
        `${where}: a mask has shape ${formatShape(index.shape)}, but it stands at the dims ${formatShape(dims)} of x ${formatShape(x.shape)}; both must be the same, of at least one dim.`,
        { mask: index.shape, dims, x: x.shape },
      );
    }
    axis += index.numDims;
    const places = nonzero(index);
    return index.shape.map((_, column) => reshape(narrow(places, 1, column, 1), [places.shape[0]!]));
  });
}

function asTensor(where: string, x: Tensor, index: Tensor | readonly number[]): Tensor {
  if (index instanceof Tensor) return index.dtype === "u8" ? cast(index, "i32") : index;
  const wrong = index.find((value) => !Number.isInteger(value));
  if (wrong !== undefined) {
    throw new ValueError(`${where}: a list of indices holds ${wrong}; all must be whole numbers.`, { value: wrong });
  }
  return indicesBeside(x, Int32Array.from(index));
}

/** One index for each dim of x, and the nulls. */
function withoutEllipsis(where: string, x: Tensor, indices: readonly Plain[]): Plain[] {
  const numDimsOf = (index: Plain) => (index === null || index === "..." ? 0 : isMask(index) ? index.numDims : 1);
  const numNamed = indices.reduce((count: number, index) => count + numDimsOf(index), 0);
  const numEllipses = indices.filter((index) => index === "...").length;
  if (numEllipses > 1) {
    throw new ValueError(`${where}: there are ${numEllipses} "..." among the indices; at most one is possible.`, {
      numEllipses,
    });
  }
  if (numNamed > x.numDims) {
    throw new ShapeError(
      `${where}: the indices name ${numNamed} dims, but x is ${formatShape(x.shape)}; at most one for each of its ${x.numDims} dims.`,
      { indices: numNamed, x: x.shape },
    );
  }
  const rest = new Array<string>(x.numDims - numNamed).fill(":");
  const at = indices.indexOf("...");
  return at < 0 ? [...indices, ...rest] : [...indices.slice(0, at), ...rest, ...indices.slice(at + 1)];
}

/** Row-major places in the picked axes. */
function mergePicks(where: string, shape: Shape, picks: readonly Pick[]): IndexPicks {
  let common: Shape = [];
  for (const { ids } of picks) common = broadcastShapes(where, common, ids.shape);
  const flat = picks.slice(1).reduce((places, { axis, ids }) => add(mul(places, shape[axis]!), ids), picks[0]!.ids);
  const size = numElements(common);
  return {
    axes: picks.map(({ axis }) => axis),
    shape: common,
    flat: reshape(contiguous(expand(flat, common)), [size]),
  };
}
