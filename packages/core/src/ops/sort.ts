/** @file sort, argSort, topK: stable, NaN last. */
import { ShapeError } from "../errors.js";
import { formatShape, normalizeAxis, type Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural } from "./apply.js";
import { type AxisAttrs, axisViewOf } from "./axis.js";
import type { ReferenceArray } from "./contract.js";
import { scatterAddOp } from "./gather.js";
import { referenceFrom } from "./reference-arrays.js";
import { f32Values, i32Values, normal } from "./samples.js";

export interface SortAttrs extends AxisAttrs {
  readonly isDescending: boolean;
  /** How many to answer: the first ones. Default: all. */
  readonly count?: number;
}

function sortedShape(shape: Shape, { axis, count = shape[axis]! }: SortAttrs): Shape {
  return shape.with(axis, count);
}

/** Outputs: values, and i32 indices of where in the axis each came from. */
export const sortOp = defineStructural<SortAttrs>({
  name: "sort",
  shapeRule: ([x], attrs) => {
    const shape = sortedShape(x!.shape, attrs);
    return [
      { shape, dtype: x!.dtype },
      { shape, dtype: "i32" },
    ];
  },
  reference: ([x], attrs) => sortReference(x!, attrs),
  run: (backend, [x], [values, indices], { axis, isDescending }) => {
    const view = { ...axisViewOf(x!.shape, axis), indexLength: values!.shape[axis]! };
    backend.kernels.sort(x!, view, isDescending, { values: values!, indices: indices! });
  },
  vjp: {
    saves: { outputs: [1] },
    pull: ({ outputs: [, indices], inputShapes, attrs: { axis } }, dValues) =>
      scatterAddOp.apply([indices!, dValues], { axis, size: inputShapes[0]![axis]! }),
  },
  samples: [
    { name: "rows of odd width", inputs: [normal([5, 37])], attrs: { axis: 1, isDescending: false } },
    { name: "columns, descending", inputs: [normal([33, 5])], attrs: { axis: 0, isDescending: true } },
    { name: "middle", inputs: [normal([3, 9, 4])], attrs: { axis: 1, isDescending: false } },
    {
      name: "more than insertion takes",
      inputs: [normal([2, 300])],
      attrs: { axis: 1, isDescending: true },
      checkVjp: false,
    },
    { name: "wide digits", inputs: [normal([5000])], attrs: { axis: 0, isDescending: false }, checkVjp: false },
    {
      name: "ties keep their order, NaN is last",
      inputs: [f32Values([2, Number.NaN, 0, -0, 2, -1, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])],
      attrs: { axis: 0, isDescending: false },
      checkVjp: false,
    },
    {
      name: "ties keep their order, NaN is last, descending",
      inputs: [f32Values([2, Number.NaN, 0, -0, 2, -1, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])],
      attrs: { axis: 0, isDescending: true },
      checkVjp: false,
    },
    {
      name: "integers",
      inputs: [i32Values([3, -1, 2147483647, -2147483648, 3])],
      attrs: { axis: 0, isDescending: true },
    },
    { name: "first few", inputs: [normal([3, 37])], attrs: { axis: 1, isDescending: true, count: 2 } },
    {
      name: "first few columns of many",
      inputs: [normal([200, 3])],
      attrs: { axis: 0, isDescending: false, count: 5 },
      checkVjp: false,
    },
    { name: "first half", inputs: [normal([2, 90])], attrs: { axis: 1, isDescending: false, count: 45 } },
    { name: "empty", inputs: [normal([3, 0])], attrs: { axis: 1, isDescending: false } },
  ],
});

function sortReference(x: ReferenceArray, attrs: SortAttrs): ReferenceArray[] {
  const { axis, isDescending } = attrs;
  const shape = sortedShape(x.shape, attrs);
  const length = shape[axis]!;
  const { outer, axisLength, inner } = axisViewOf(x.shape, axis);
  const values = referenceFrom(shape, () => 0);
  const indices = referenceFrom(shape, () => 0);
  const compare = (a: number, b: number): number => {
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
    if (a === b) return 0;
    return a < b === isDescending ? 1 : -1;
  };
  for (let c = 0; c < outer * inner; c++) {
    const placeOf = (k: number, along = axisLength) => (Math.floor(c / inner) * along + k) * inner + (c % inner);
    const order = Array.from({ length: axisLength }, (_, k) => k);
    order.sort((a, b) => compare(x.values[placeOf(a)]!, x.values[placeOf(b)]!));
    order.slice(0, length).forEach((from, k) => {
      values.values[placeOf(k, length)] = x.values[placeOf(from)]!;
      indices.values[placeOf(k, length)] = from;
    });
  }
  return [values, indices];
}

export interface SortOptions {
  /** Default -1. */
  readonly axis?: number;
  /** Largest first. Default false. */
  readonly descending?: boolean;
}

export interface Sorted {
  readonly values: Tensor;
  /** i32: where in the axis each value came from. */
  readonly indices: Tensor;
}

/**
 * Elements in order along an axis. Equal ones keep their order; NaN comes last in both directions.
 * @shape [a, b] -> values and indices [a, b]
 * @source torch.sort(stable=True), which puts NaN first when descending
 * @example
 * tensor([3, 1, 2]).sort().values.toArraySync(); // => [1, 2, 3]
 * tensor([3, 1, 2]).sort({ descending: true }).indices.toArraySync(); // => [0, 2, 1]
 */
export function sort(x: Tensor, options: SortOptions = {}): Sorted {
  return sortAs("sort", x, options);
}

/** `sort(x).indices`: what `takeAlong` takes. @shape [a, b] -> [a, b], i32 @source torch.argsort(stable=True), numpy.argsort */
export function argSort(x: Tensor, options: SortOptions = {}): Tensor {
  return sortAs("argSort", x, options).indices;
}

function sortAs(where: string, x: Tensor, { axis = -1, descending = false }: SortOptions): Sorted {
  return sorted(x, { axis: normalizeAxis(where, axis, x.numDims), isDescending: descending });
}

function sorted(x: Tensor, attrs: SortAttrs): Sorted {
  const [values, indices] = sortOp.apply([x], attrs) as [Tensor, Tensor];
  return { values, indices };
}

export interface TopKOptions {
  /** Default -1. */
  readonly axis?: number;
  /** False: the smallest ones, smallest first. Default true. */
  readonly largest?: boolean;
}

/**
 * The k largest elements along an axis, largest first; of equal ones the first. NaN counts as the least wanted.
 * @shape [a, b], k -> values and indices [a, k]
 * @throws {ShapeError} E_SHAPE unless k is a whole number in 0..size of the axis.
 * @source torch.topk(sorted=True), which counts NaN as the largest
 * @example
 * tensor([3, 1, 2]).topK(2).values.toArraySync(); // => [3, 2]
 */
export function topK(x: Tensor, k: number, { axis = -1, largest = true }: TopKOptions = {}): Sorted {
  const at = normalizeAxis("topK", axis, x.numDims);
  if (!Number.isInteger(k) || k < 0 || k > x.shape[at]!) {
    throw new ShapeError(
      `topK: k is ${k}, but axis ${axis} of ${formatShape(x.shape)} has size ${x.shape[at]}; k must be a whole number in 0..${x.shape[at]}.`,
      { k, x: x.shape, axis },
    );
  }
  return sorted(x, { axis: at, isDescending: largest, count: k });
}
