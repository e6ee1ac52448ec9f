/** @file Views among the arguments of a kernel row, and how many bytes they stand for. */
import type { DeviceBuffer, ElementwiseProgram, TensorView } from "@lockstep/core";
import type { GpuBuffer } from "../memory/buffer-pool.js";

/** Every dtype is stored in words of four bytes, unless a buffer holds binary16. */
function bytesOfElement(buffer: DeviceBuffer): number {
  return (buffer as Partial<GpuBuffer>).isHalf === true ? 2 : 4;
}

/** Bytes of the elements that a view reaches, each once: a dim of stride 0 is one element. */
export function bytesOfView({ buffer, shape, strides }: Pick<TensorView, "buffer" | "shape" | "strides">): number {
  const count = (all: number, size: number, dim: number): number => (strides[dim] === 0 && size > 0 ? all : all * size);
  return shape.reduce(count, bytesOfElement(buffer));
}

export function bytesOfViews(views: Iterable<TensorView | undefined>): number {
  let bytes = 0;
  for (const view of views) if (view !== undefined) bytes += bytesOfView(view);
  return bytes;
}

/** Tensors are views, too. */
export function isView(value: unknown): value is TensorView {
  return typeof value === "object" && value !== null && "buffer" in value && "strides" in value && "dtype" in value;
}

/** Its expressions hold no views, and may be reached in very many ways. */
export function isProgram(value: unknown): value is ElementwiseProgram {
  return typeof value === "object" && value !== null && "numScalars" in value && "key" in value;
}

/** All views in a value, lists and records searched. */
export function* viewsIn(value: unknown): Generator<TensorView> {
  if (isView(value)) yield value;
  else if (isProgram(value)) return;
  else if (typeof value === "object" && value !== null) for (const part of Object.values(value)) yield* viewsIn(part);
}

/** The same value with every view replaced; lists and records are copied, everything else is kept. */
export function withViews(value: unknown, replace: (view: TensorView) => unknown): unknown {
  if (isView(value)) return replace(value);
  if (Array.isArray(value)) return value.map((part) => withViews(part, replace));
  if (typeof value !== "object" || value === null || isProgram(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withViews(part, replace)]));
}
