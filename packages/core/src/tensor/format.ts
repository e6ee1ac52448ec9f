/** @file Text of a tensor for consoles: NumPy's brackets, long axes summarised. */
import type { DType, DTypeArray } from "./dtype.js";
import { contiguousStrides, formatShape, type Shape } from "./shape.js";

const EDGE_ITEMS = 3;
const MAX_ITEMS = 8;
const SIGNIFICANT_DIGITS = 4;

export function formatTensor(values: DTypeArray, shape: Shape, dtype: DType): string {
  const strides = contiguousStrides(shape);
  const visit = (axis: number, start: number, indent: string): string => {
    if (axis === shape.length) return formatNumber(values[start]!, dtype);
    const size = shape[axis]!;
    const separator = axis === shape.length - 1 ? ", " : `,\n${indent} `;
    const parts: string[] = [];
    for (let i = 0; i < size; i++) {
      if (size > MAX_ITEMS && i === EDGE_ITEMS) {
        parts.push("...");
        i = size - EDGE_ITEMS;
      }
      parts.push(visit(axis + 1, start + i * strides[axis]!, `${indent} `));
    }
    return `[${parts.join(separator)}]`;
  };
  return `Tensor(${formatShape(shape)}, ${dtype}) ${visit(0, 0, "")}`;
}

function formatNumber(value: number, dtype: DType): string {
  if (dtype === "bool") return value === 0 ? "false" : "true";
  if (dtype !== "f32" || !Number.isFinite(value)) return String(value);
  return String(Number(value.toPrecision(SIGNIFICANT_DIGITS)));
}
