/** @file Views among the arguments of a kernel row, and how many bytes they stand for. */
import type { TensorView } from "@lockstep/core";

/** Every dtype is stored in words of four bytes. */
const bytesOfElement = 4;

/** Bytes of the elements that a view reaches, each once: a dim of stride 0 is one element. */
export function bytesOfView({ shape, strides }: Pick<TensorView, "shape" | "strides">): number {
  return shape.reduce((count, size, dim) => (strides[dim] === 0 && size > 0 ? count : count * size), bytesOfElement);
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

/** All views in a value, lists and records searched. */
export function* viewsIn(value: unknown): Generator<TensorView> {
  if (isView(value)) yield value;
  else if (typeof value === "object" && value !== null) for (const part of Object.values(value)) yield* viewsIn(part);
}

/** The same value with every view replaced; lists and records are copied, everything else is kept. */
export function withViews(value: unknown, replace: (view: TensorView) => unknown): unknown {
  if (isView(value)) return replace(value);
  if (Array.isArray(value)) return value.map((part) => withViews(part, replace));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withViews(part, replace)]));
}
