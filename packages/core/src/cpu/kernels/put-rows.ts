/** @file Rows written at indices. One loop on the calling thread: a later row replaces an earlier one, and moving bytes is all it does. */
import type { TensorView } from "../../backend/backend.js";
import type { KernelTable } from "../../backend/kernel-table.js";
import { numElements } from "../../backend/strided.js";
import type { KernelHost, KernelRoom } from "../kernel.js";

/** Below this many elements a row is copied one by one: faster than a call. */
const minCallLength = 24;

function putRows(host: KernelHost, ids: TensorView, io: { source: TensorView; out: TensorView }): void {
  const [numIds = 0, length = 0] = io.source.shape;
  if (numElements(io.source.shape) === 0) return;
  const { i32 } = host.words();
  const index = host.addressOf(ids) / 4;
  const out = host.addressOf(io.out) / 4;
  let from = host.addressOf(io.source) / 4;
  for (let p = 0; p < numIds; p++) {
    const to = out + i32[index + p]! * length;
    if (length >= minCallLength) i32.copyWithin(to, from, from + length);
    else for (let i = 0; i < length; i++) i32[to + i] = i32[from + i]!;
    from += length;
  }
}

export const putRowsRoom: KernelRoom<Pick<KernelTable, "putRows">> = {
  kernels: [],
  rows: (host) => ({ putRows: (ids, source, out) => putRows(host, ids, { source, out }) }),
};
