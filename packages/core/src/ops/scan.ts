/**
 * @file Running sums, products and first-order recurrences along an axis.
 *
 * The three ops are closed under differentiation: each vjp is made of the same ops, and no division is needed, so zeros are no
 * exception.
 */
import { DTypeError, ShapeError } from "../errors.js";
import { formatShape, normalizeAxis, shapesEqual } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural, type StructuralOp } from "./apply.js";
import { mul } from "./arithmetic.js";
import { type AxisAttrs, axisViewOf } from "./axis.js";
import { cast } from "./compare.js";
import type { ReferenceArray, Sample, TensorSpec } from "./contract.js";
import { referenceFrom } from "./reference-arrays.js";
import { reshape } from "./reshape.js";
import { roll } from "./roll.js";
import { f32Values, integers, normal } from "./samples.js";
import { narrow, unsliceOp } from "./slice.js";

export interface ScanAttrs extends AxisAttrs {
  /** From the last element to the first. */
  readonly isReversed: boolean;
}

const samples: readonly Sample<ScanAttrs>[] = [
  { name: "rows of odd width", inputs: [normal([3, 9], 1, 0.5)], attrs: { axis: 1, isReversed: false } },
  { name: "columns, reversed", inputs: [normal([9, 5], 1, 0.5)], attrs: { axis: 0, isReversed: true } },
  { name: "middle", inputs: [normal([2, 5, 3], 1, 0.5)], attrs: { axis: 1, isReversed: false } },
  { name: "with zeros", inputs: [f32Values([2, 0, 3, 0, 5, 1.5])], attrs: { axis: 0, isReversed: false } },
  { name: "length one", inputs: [normal([4, 1])], attrs: { axis: 1, isReversed: false } },
  { name: "empty", inputs: [normal([3, 0])], attrs: { axis: 1, isReversed: false } },
];

export const cumSumOp: StructuralOp<ScanAttrs> = defineStructural<ScanAttrs>({
  name: "cumSum",
  shapeRule: ([x]) => [x!],
  reference: ([x], attrs) => [scanReference(x!, attrs, (total, i) => total + x!.values[i]!)],
  run: (backend, [x], [out], { axis, isReversed }) =>
    backend.kernels.scan({ terms: x! }, axisViewOf(x!.shape, axis), isReversed, out!),
  vjp: {
    pull: ({ attrs: { axis, isReversed } }, dOut) => cumSumOp.apply([dOut], { axis, isReversed: !isReversed }),
  },
  reductionLength: ([shape], { axis }) => shape![axis]!,
  samples: [
    ...samples,
    {
      name: "mean far from zero",
      inputs: [normal([2, 5000], 1000, 1)],
      attrs: { axis: 1, isReversed: false },
      checkVjp: false,
    },
    { name: "integers", inputs: [integers([3, 7], -99, 99)], attrs: { axis: 1, isReversed: false } },
  ],
});

export const cumProdOp: StructuralOp<ScanAttrs> = defineStructural<ScanAttrs>({
  name: "cumProd",
  shapeRule: ([x]) => [floatSpec("cumProd", x!)],
  reference: ([x], attrs) => [scanReference(x!, attrs, (total, i, isFirst) => (isFirst ? 1 : total) * x!.values[i]!)],
  run: (backend, [x], [out], { axis, isReversed }) =>
    backend.kernels.scan({ factors: x! }, axisViewOf(x!.shape, axis), isReversed, out!),
  vjp: {
    saves: { inputs: [0], outputs: [0] },
    // dx_k = (product of all before k) * (dOut_k + x_(k+1) * (dOut_(k+1) + x_(k+2) * ...)).
    pull: ({ inputs: [x], outputs: [out], attrs }, dOut) => [
      mul(previous(out!, attrs, 1), pulledBack(x!, dOut, attrs)),
    ],
  },
  reductionLength: ([shape], { axis }) => shape![axis]!,
  samples,
});

/** Inputs factors, terms of one shape -> y_k = factors_k * y_(k-1) + terms_k; the first factor is not used. */
export const recurrenceOp: StructuralOp<ScanAttrs> = defineStructural<ScanAttrs>({
  name: "recurrence",
  shapeRule: ([factors, terms]) => {
    if (!shapesEqual(factors!.shape, terms!.shape)) {
      throw new ShapeError(
        `recurrence: factors are ${formatShape(factors!.shape)} and terms ${formatShape(terms!.shape)}; they must be equal.`,
        { factors: factors!.shape, terms: terms!.shape },
      );
    }
    floatSpec("recurrence", factors!);
    return [floatSpec("recurrence", terms!)];
  },
  reference: ([factors, terms], attrs) => [
    scanReference(terms!, attrs, (y, i, isFirst) => (isFirst ? 0 : factors!.values[i]! * y) + terms!.values[i]!),
  ],
  run: (backend, [factors, terms], [out], { axis, isReversed }) =>
    backend.kernels.scan({ factors: factors!, terms: terms! }, axisViewOf(out!.shape, axis), isReversed, out!),
  vjp: {
    saves: { inputs: [0], outputs: [0] },
    pull: ({ inputs: [factors], outputs: [out], attrs, needs }, dOut) => {
      const dTerms = pulledBack(factors!, dOut, attrs);
      return [needs[0] ? mul(dTerms, previous(out!, attrs, 0)) : undefined, dTerms];
    },
  },
  reductionLength: ([shape], { axis }) => shape![axis]!,
  samples: [
    { name: "rows", inputs: [normal([3, 9], 0, 0.5), normal([3, 9])], attrs: { axis: 1, isReversed: false } },
    { name: "columns, reversed", inputs: [normal([7, 5]), normal([7, 5])], attrs: { axis: 0, isReversed: true } },
    { name: "empty", inputs: [normal([0, 2]), normal([0, 2])], attrs: { axis: 0, isReversed: false } },
  ],
});

/** g_k = dOut_k + factors_(k+1) * g_(k+1): what reaches y_k from itself and from all that come after it. */
function pulledBack(factors: Tensor, dOut: Tensor, { axis, isReversed }: ScanAttrs): Tensor {
  const next = roll(factors, isReversed ? 1 : -1, axis);
  return recurrenceOp.apply([next, dOut], { axis, isReversed: !isReversed })[0]!;
}

/** Every element's predecessor in the order of the scan; `first` for the one that has none. */
function previous(x: Tensor, { axis, isReversed }: ScanAttrs, first: number): Tensor {
  const length = x.shape[axis]!;
  if (length === 0) return x;
  const kept = narrow(x, axis, isReversed ? 1 : 0, length - 1);
  const starts = x.shape.map((_, i) => (i === axis && !isReversed ? 1 : 0));
  const attrs = { starts, sizes: kept.shape, steps: x.shape.map(() => 1), shape: x.shape, outside: first };
  return unsliceOp.apply([kept], attrs)[0]!;
}

function floatSpec(where: string, x: TensorSpec): TensorSpec {
  if (x.dtype !== "f32")
    throw new DTypeError(`${where}: x is ${x.dtype}; it must be f32. Use cast("f32").`, { dtype: x.dtype });
  return x;
}

function scanReference(
  x: ReferenceArray,
  { axis, isReversed }: ScanAttrs,
  step: (total: number, index: number, isFirst: boolean) => number,
): ReferenceArray {
  const { axisLength, inner } = axisViewOf(x.shape, axis);
  const out = referenceFrom(x.shape, () => 0);
  const first = isReversed ? axisLength - 1 : 0;
  const stride = isReversed ? -inner : inner;
  const order = Array.from(x.values.keys());
  for (const i of isReversed ? order.reverse() : order) {
    const isFirst = Math.floor(i / inner) % axisLength === first;
    out.values[i] = step(isFirst ? 0 : out.values[i - stride]!, i, isFirst);
  }
  return out;
}

/**
 * Running sum along an axis; over the flat tensor without one. i32 stays i32.
 * @shape [a, b], axis 1 -> [a, b]; without an axis -> [a * b]
 * @numerics The accumulator is f64, over ascending index; each element is rounded once.
 * @source numpy.cumsum (torch.cumsum wants the axis)
 * @example
 * tensor([1, 2, 3]).cumSum().toArraySync(); // => [1, 3, 6]
 */
export function cumSum(x: Tensor, axis?: number): Tensor {
  const isNarrow = x.dtype === "u8" || x.dtype === "bool";
  return alongAxis(cumSumOp, isNarrow ? cast(x, "i32") : x, axis);
}

/**
 * Running product along an axis; over the flat tensor without one. The gradient is exact where elements are 0.
 * @shape [a, b], axis 1 -> [a, b]; without an axis -> [a * b]
 * @numerics The accumulator is f64, over ascending index; each element is rounded once.
 * @source numpy.cumprod (torch.cumprod wants the axis)
 * @example
 * tensor([1, 2, 3, 4]).cumProd().toArraySync(); // => [1, 2, 6, 24]
 */
export function cumProd(x: Tensor, axis?: number): Tensor {
  return alongAxis(cumProdOp, x, axis);
}

function alongAxis(op: StructuralOp<ScanAttrs>, x: Tensor, axis: number | undefined): Tensor {
  const flat = axis === undefined ? reshape(x, [x.size]) : x;
  return op.apply([flat], { axis: normalizeAxis(op.name, axis ?? 0, flat.numDims), isReversed: false })[0]!;
}
