/**
 * @file Core's 128-bit hash of tensors (core/src/hash) on the device, to the same digits: 16 accumulators, one invocation each.
 *
 * An accumulator takes every 16th word, one after another: that is the hash's definition, so one workgroup does it all. It is for comparing
 * now and then, not for bandwidth: hash-blocks.ts hashes many blocks at once.
 */
import type { TensorView } from "@lockstep/core";
import { initialLanes, numElements, stripeWords } from "@lockstep/core/backend";
import { defineKernel, type KernelHost } from "../launch/kernel.js";
import { mixed, walkFunction } from "./hash-walk.js";

/** Words of one launch at most: drivers end a kernel that takes seconds. */
const maxWords = 2 ** 24;

const kernel = defineKernel({
  name: "hash",
  operands: { x: "read i32", lanes: "write i32" },
  // How many words of its first stripe came before this view.
  params: { count: "u32", filled: "u32" },
  workgroup: [stripeWords, 1, 1],
  declarations: `${mixed}${walkFunction("walk", "x_at")}`,
  body: `
  let first = (lane + ${stripeWords}u - p.filled) % ${stripeWords}u;
  lanes_put(lane, bitcast<i32>(walk(0u, first, p.count, bitcast<u32>(lanes_at(lane)))));`,
});

/** @param use is given the accumulators to read, after the last whole word. */
export function mixWords<T>(
  host: KernelHost,
  tensors: readonly TensorView[],
  { copy, use }: { readonly copy: (from: TensorView, to: TensorView) => void; readonly use: (lanes: TensorView) => T },
): T {
  return host.withTemporary([stripeWords], "i32", (lanes) => {
    copy(host.constantWords([...initialLanes()]), lanes);
    let numWords = 0;
    for (const { buffer, offset, shape, dtype } of tensors) {
      const length = numElements(shape);
      for (let begin = 0; begin < length; begin += maxWords) {
        const count = Math.min(maxWords, length - begin);
        const x: TensorView = { buffer, offset: offset + begin, shape: [count], strides: [1], dtype };
        host.launch(kernel, { x, lanes }, { count, filled: numWords % stripeWords }, { groups: 1 });
        numWords += count;
      }
    }
    return use(lanes);
  });
}
