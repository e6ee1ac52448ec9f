/**
 * @file How the attention kernels see their tensors and their scratch memory.
 *
 * Legend: B batch, T sequence, H heads, D head dim. q, k, v, out and their gradients are strided views of [B, H, T, D] whose last
 * dim has stride 1, usually windows on one [B, T, 3 C] buffer.
 */
import type { TensorView } from "../../backend/backend.js";
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import { add, define, div, type Int, mul, rem } from "../wasm/integer.js";
import { packSlackBytes } from "./gemm-pack.js";
import { tileColumns } from "./gemm-tile.js";

/** Argument names of one strided tensor: address, bytes from batch to batch, head to head, row to row. */
export type TensorArgs<Name extends string> = Readonly<
  Record<Name | `${Name}Batch` | `${Name}Head` | `${Name}Row`, "i32">
>;

export function tensorArgs<const Name extends string>(name: Name): TensorArgs<Name> {
  return { [name]: "i32", [`${name}Batch`]: "i32", [`${name}Head`]: "i32", [`${name}Row`]: "i32" } as TensorArgs<Name>;
}

export function tensorArgValues<const Name extends string>(
  name: Name,
  address: number,
  view: TensorView,
): Readonly<Record<keyof TensorArgs<Name>, number>> {
  const [batch = 0, head = 0, row = 0] = view.strides;
  return {
    [name]: address,
    [`${name}Batch`]: 4 * batch,
    [`${name}Head`]: 4 * head,
    [`${name}Row`]: 4 * row,
  } as Record<keyof TensorArgs<Name>, number>;
}

/** Address of the [T, D] matrix of one (batch, head) pair, `index` = batch * H + head. */
export function matrixAddress(
  f: FunctionBuilder,
  tensor: { base: Local; batch: Local; head: Local },
  at: { index: Int; heads: Local },
): Local {
  const batch = mul(div(at.index, at.heads), tensor.batch);
  const head = mul(rem(at.index, at.heads), tensor.head);
  return define(f, add(tensor.base, batch, head));
}

/** Bytes of T x D floats packed in panels, either way round. */
export function packedBytes(tokens: number, headDim: number): number {
  const round = (count: number): number => Math.ceil(count / tileColumns) * tileColumns;
  return Math.ceil((4 * round(tokens) * round(headDim) + packSlackBytes) / 64) * 64;
}

/** Byte offsets of consecutive pieces of scratch memory, and their sum as `total`. */
export function layOut<const Name extends string>(
  sizes: Readonly<Record<Name, number>>,
): { readonly offsets: Readonly<Record<Name, number>>; readonly total: number } {
  let total = 0;
  const offsets: Record<string, number> = {};
  for (const [name, size] of Object.entries<number>(sizes)) {
    offsets[name] = total;
    total += size;
  }
  return { offsets: offsets as Record<Name, number>, total };
}
