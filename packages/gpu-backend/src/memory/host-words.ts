/**
 * @file Integers that the host wrote into a buffer and still knows: what ops ask of indices and targets without waiting for the device.
 */
import type { DTypeArray, TensorView } from "@lockstep/core";
import { isContiguous, numElements, stridedOffsets } from "@lockstep/core/backend";
import { asGpuBuffer, type GpuBuffer } from "./buffer-pool.js";

/** The words of a whole buffer, and the view that they were copied from on the device, if they were. */
export interface HostWords {
  readonly words: Int32Array;
  readonly source?: TensorView;
}

/** A view, the view that its buffer is a copy of, and so on to one that the host wrote. */
export type ViewChain = readonly TensorView[];

/** More words than this are not kept twice. */
const maxWords = 1 << 20;

/** Keeps what was written where it is all of a buffer; forgets what was known else. */
export function noteWrite(buffer: GpuBuffer, offset: number, source: DTypeArray): void {
  const isAll = offset === 0 && 4 * source.length === buffer.byteLength && source.length <= maxWords;
  buffer.host = isAll && !(source instanceof Float32Array) ? { words: Int32Array.from(source) } : undefined;
}

/** After a copy on the device: the target is known where the source is. */
export function noteCopy(src: TensorView, dst: TensorView): void {
  const target = asGpuBuffer(dst.buffer);
  const known = dst.dtype === "f32" ? undefined : hostWordsOf(src);
  const length = numElements(dst.shape);
  const isAll = dst.offset === 0 && 4 * length === target.byteLength && isContiguous(dst);
  const { buffer, offset, shape, strides, dtype } = src;
  target.host =
    known === undefined || !isAll ? undefined : { words: known, source: { buffer, offset, shape, strides, dtype } };
}

/** The values of a view in row-major order, if the host knows them. */
export function hostWordsOf(view: TensorView): Int32Array | undefined {
  const { host } = asGpuBuffer(view.buffer);
  return host === undefined ? undefined : gather(host.words, view);
}

export function chainOf(view: TensorView): ViewChain {
  const { buffer, offset, shape, strides, dtype } = view;
  const { source } = asGpuBuffer(buffer).host ?? {};
  const own: TensorView = { buffer, offset, shape, strides, dtype };
  return source === undefined ? [own] : [own, ...chainOf(source)];
}

/** The values of the first view of a chain, when the buffer of the last holds these words. */
export function valuesThrough(chain: ViewChain, root: Int32Array): Int32Array {
  return chain.reduceRight((words, view) => gather(words, view), root);
}

function gather(words: Int32Array, view: TensorView): Int32Array {
  const { offset, shape, strides } = view;
  const length = numElements(shape);
  if (isContiguous(view)) return words.subarray(offset, offset + length);
  const values = new Int32Array(length);
  let i = 0;
  for (const place of stridedOffsets(shape, strides)) values[i++] = words[offset + place]!;
  return values;
}
