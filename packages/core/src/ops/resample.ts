/**
 * @file Sums of a few weighted places along an axis: what average pooling and interpolation are made of, one axis at a time. The
 * gradient is the same op with the table transposed.
 */
import type { ResampleTable } from "../backend/kernel-table.js";
import { DTypeError } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural, type StructuralOp } from "./apply.js";
import { type AxisAttrs, axisViewOf } from "./axis.js";
import { normal } from "./samples.js";

/** One place and its weight. */
export type Tap = readonly [place: number, weight: number];

export interface ResampleAttrs extends AxisAttrs {
  readonly table: ResampleTable;
}

/** The table whose row j holds `taps[j]`, places ascending. Weights are rounded to f32. */
export function resampleTable(taps: readonly (readonly Tap[])[]): ResampleTable {
  const starts = [0];
  const places: number[] = [];
  const weights: number[] = [];
  for (const row of taps) {
    for (const [place, weight] of row) {
      places.push(place);
      weights.push(Math.fround(weight));
    }
    starts.push(places.length);
  }
  return { starts, places, weights };
}

function transposedTable({ starts, places, weights }: ResampleTable, axisLength: number): ResampleTable {
  const taps: Tap[][] = Array.from({ length: axisLength }, () => []);
  for (let j = 0; j + 1 < starts.length; j++) {
    for (let t = starts[j]!; t < starts[j + 1]!; t++) taps[places[t]!]!.push([j, weights[t]!]);
  }
  return resampleTable(taps);
}

const sampleTable = resampleTable([
  [
    [0, 0.5],
    [1, 0.25],
  ],
  [],
  [[2, 1]],
  [
    [1, -2],
    [2, 3],
    [4, 0.125],
  ],
]);

export const resampleOp: StructuralOp<ResampleAttrs> = defineStructural<ResampleAttrs>({
  name: "resample",
  shapeRule: ([x], { axis, table }) => {
    if (x!.dtype !== "f32")
      throw new DTypeError(`resample: x is ${x!.dtype}; it must be f32. Use cast("f32").`, { dtype: x!.dtype });
    return [{ shape: x!.shape.with(axis, table.starts.length - 1), dtype: "f32" }];
  },
  reference: ([x], { axis, table: { starts, places, weights } }) => {
    const { outer, axisLength, inner } = axisViewOf(x!.shape, axis);
    const length = starts.length - 1;
    const values = new Float64Array(outer * length * inner);
    values.forEach((_, at) => {
      const [i, j] = [at % inner, Math.floor(at / inner) % length];
      const start = Math.floor(at / inner / length) * axisLength;
      for (let t = starts[j]!; t < starts[j + 1]!; t++)
        values[at]! += weights[t]! * x!.values[(start + places[t]!) * inner + i]!;
    });
    return [{ shape: x!.shape.with(axis, length), values }];
  },
  run: (backend, [x], [out], { axis, table }) => {
    const { outer, axisLength, inner } = axisViewOf(x!.shape, axis);
    const view = { buffer: x!.buffer, offset: x!.offset, dtype: x!.dtype, shape: [outer, axisLength, inner] };
    backend.kernels.resample({ ...view, strides: [axisLength * inner, inner, 1] }, table, out!);
  },
  vjp: {
    pull: ({ inputShapes, attrs: { axis, table } }, dOut) =>
      resampleOp.apply([dOut], { axis, table: transposedTable(table, inputShapes[0]![axis]!) }),
  },
  reductionLength: () => 3,
  samples: [
    { name: "last axis", inputs: [normal([3, 5])], attrs: { axis: 1, table: sampleTable } },
    { name: "middle axis, odd inner", inputs: [normal([2, 5, 7])], attrs: { axis: 1, table: sampleTable } },
    { name: "first axis", inputs: [normal([5, 9])], attrs: { axis: 0, table: sampleTable } },
    { name: "nothing", inputs: [normal([0, 5, 2])], attrs: { axis: 1, table: sampleTable } },
    {
      name: "many rows",
      inputs: [normal([300, 5, 33])],
      attrs: { axis: 1, table: sampleTable },
      checkVjp: false,
    },
  ],
});

/** `x` with each of `axes` replaced by the rows of its table, the first axis first. @shape any @source none: ours */
export function resample(x: Tensor, tables: ReadonlyMap<number, ResampleTable>): Tensor {
  let out = x;
  for (const [axis, table] of tables) out = resampleOp.apply([out], { axis, table })[0]!;
  return out;
}
