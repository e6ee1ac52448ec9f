/** @file Inputs of samples: the same numbers for the kernel and for the f64 reference, laid out plainly or awkwardly. */
import type { ReferenceArray, SampleInput } from "../ops/contract.js";
import type { Tensor } from "../ops/tensor-methods.js";
import type { Generator } from "../rng/generator.js";
import { tensor } from "../tensor/create.js";
import { type DTypeArray, dtypeOfArray, hostArray } from "../tensor/dtype.js";
import { contiguousStrides, numElements, type Shape } from "../tensor/shape.js";
import type { Layout } from "../tensor/tensor.js";

/** The numbers of one input, rounded to its dtype. */
export function sampleValues({ shape, dtype, distribution }: SampleInput, generator: Generator): DTypeArray {
  const count = numElements(shape);
  const values = hostArray(dtype, count);
  for (let i = 0; i < count; i++) {
    switch (distribution.kind) {
      case "normal":
        values[i] = distribution.mean + distribution.std * generator.normal();
        break;
      case "uniform":
        values[i] = distribution.low + (distribution.high - distribution.low) * generator.uniform();
        break;
      case "integers":
        values[i] = distribution.low + generator.integer(distribution.high - distribution.low);
        break;
      case "values":
        values[i] = distribution.values[i]!;
        break;
      default:
        distribution satisfies never;
    }
  }
  return values;
}

export function referenceArray({ shape }: SampleInput, values: DTypeArray): ReferenceArray {
  return { shape, values: Float64Array.from(values) };
}

/**
 * How an input lies in memory. "contiguous"; "reversed": the dims in reverse order, so that the first one has stride 1; "gapped": a
 * window of something larger in every dim; "expanded": stride 0 in the first dim longer than 1, whose places are all equal then.
 */
export type SampleLayout = "contiguous" | "reversed" | "gapped" | "expanded";

const firstElement = 3;
const gap = 2;

/** Where the elements of `shape` lie, and how many elements the memory under them has. */
function layoutOf(shape: Shape, kind: SampleLayout): Layout & { readonly length: number } {
  const contiguous = contiguousStrides(shape);
  if (kind === "contiguous") return { offset: 0, shape, strides: contiguous, length: numElements(shape) };
  let strides = contiguous;
  if (kind === "reversed") strides = contiguousStrides(shape.toReversed()).toReversed();
  if (kind === "gapped") strides = contiguousStrides(shape.map((size) => size + gap));
  if (kind === "expanded") strides = contiguous.with(...([expandedAxis(shape), 0] as const));
  const last = shape.reduce((place, size, axis) => place + Math.max(0, size - 1) * strides[axis]!, firstElement);
  return { offset: firstElement, shape, strides, length: last + 1 + gap };
}

function expandedAxis(shape: Shape): number {
  return Math.max(
    0,
    shape.findIndex((size) => size > 1),
  );
}

/** False where a layout is the contiguous one or impossible. */
export function isWorthTrying(shape: Shape, kind: SampleLayout): boolean {
  return kind === "gapped" || (shape.length > 0 && numElements(shape) > 0 && (kind !== "reversed" || shape.length > 1));
}

/** `values` as they are after the places along the expanded dim became equal to the first of them. */
export function expandedValues(shape: Shape, values: DTypeArray): DTypeArray {
  if (!isWorthTrying(shape, "expanded")) return values;
  const axis = expandedAxis(shape);
  const inner = numElements(shape.slice(axis + 1));
  const length = shape[axis]!;
  return values.map((_, i) => values[i - (Math.floor(i / inner) % length) * inner]!);
}

/** A tensor of the current backend. Memory that does not belong to it is poisoned: NaN, or the least integer. */
export function sampleTensor(shape: Shape, values: DTypeArray, kind: SampleLayout = "contiguous"): Tensor {
  const used = isWorthTrying(shape, kind) ? kind : "contiguous";
  const layout = layoutOf(shape, used);
  if (used === "contiguous") return tensor(values, { shape });
  const memory = hostArray(dtypeOfArray(values), layout.length);
  memory.fill(values instanceof Float32Array ? Number.NaN : -2147483648);
  const counts = contiguousStrides(shape);
  for (let i = 0; i < values.length; i++) {
    let place = layout.offset;
    for (let axis = 0; axis < shape.length; axis++) {
      place += (Math.floor(i / counts[axis]!) % shape[axis]!) * layout.strides[axis]!;
    }
    memory[place] = values[i]!;
  }
  return tensor(memory).viewAs(layout);
}
