/**
 * @file Core's 128-bit hash of tensors (core/src/hash) on the device, to the same digits: 16 accumulators, one invocation each.
 *
 * An accumulator takes every 16th word, one after another: that is the hash's definition, so one workgroup does it all. It is for comparing
 * states now and then, not for bandwidth. Of many blocks each has a workgroup of its own, which is how the state of a step is hashed.
 */
import type { TensorView } from "@lockstep/core";
import { hashPrimes, initialFactor, initialLanes, numElements, stripeWords } from "@lockstep/core/backend";
import { defineKernel, type KernelHost } from "../launch/kernel.js";

/** Words of one launch at most: drivers end a kernel that takes seconds. */
const maxWords = 2 ** 24;
/** Words of an accumulator that are loaded together. */
const numAhead = 8;
const ahead = Array.from({ length: numAhead }, (_, k) => k);

const mixed = `
fn mixed(a: u32, word: i32) -> u32 {
  let sum = a + bitcast<u32>(word) * ${hashPrimes[1]}u;
  return ((sum << 13u) | (sum >> 19u)) * ${hashPrimes[0]}u;
}`;

const kernel = defineKernel({
  name: "hash",
  operands: { x: "read i32", lanes: "write i32" },
  // How many words of its first stripe came before this view.
  params: { count: "u32", filled: "u32" },
  workgroup: [stripeWords, 1, 1],
  declarations: mixed,
  body: `
  var a = bitcast<u32>(lanes_at(lane));
  var i = (lane + ${stripeWords}u - p.filled) % ${stripeWords}u;
  for (; i + ${(numAhead - 1) * stripeWords}u < p.count; i += ${numAhead * stripeWords}u) {
${ahead.map((k) => `    let w${k} = x_at(i + ${k * stripeWords}u);`).join("\n")}
${ahead.map((k) => `    a = mixed(a, w${k});`).join("\n")}
  }
  for (; i < p.count; i += ${stripeWords}u) { a = mixed(a, x_at(i)); }
  lanes_put(lane, bitcast<i32>(a));`,
});

const blocksKernel = defineKernel({
  name: "hashBlocks",
  operands: { x: "read i32", lanes: "write i32" },
  params: { count: "u32", blockWords: "u32", numBlocks: "u32", first: "u32" },
  workgroup: [stripeWords, 1, 1],
  declarations: mixed,
  body: `
  if (group >= p.numBlocks) { return; }
  let begin = group * p.blockWords;
  let end = min(begin + p.blockWords, p.count);
  var a = ((lane + 1u) * ${initialFactor}u) ^ ${hashPrimes[0]}u;
  var i = begin + lane;
  for (; i + ${(numAhead - 1) * stripeWords}u < end; i += ${numAhead * stripeWords}u) {
${ahead.map((k) => `    let w${k} = x_at(i + ${k * stripeWords}u);`).join("\n")}
${ahead.map((k) => `    a = mixed(a, w${k});`).join("\n")}
  }
  for (; i < end; i += ${stripeWords}u) { a = mixed(a, x_at(i)); }
  lanes_put((p.first + group) * ${stripeWords}u + lane, bitcast<i32>(a));`,
});

/** @param use is given the accumulators of all blocks, [blocks, 16], after the last whole word of each. */
export function mixBlocks<T>(
  host: KernelHost,
  tensors: readonly TensorView[],
  { blockWords, use }: { readonly blockWords: number; readonly use: (lanes: TensorView) => T },
): T {
  const numBlocksOf = ({ shape }: TensorView): number => Math.ceil(numElements(shape) / blockWords);
  const total = tensors.reduce((sum, tensor) => sum + numBlocksOf(tensor), 0);
  return host.withTemporary([total, stripeWords], "i32", (lanes) => {
    let first = 0;
    for (const x of tensors) {
      const [count, numBlocks] = [numElements(x.shape), numBlocksOf(x)];
      host.launch(blocksKernel, { x, lanes }, { count, blockWords, numBlocks, first }, { groups: numBlocks });
      first += numBlocks;
    }
    return use(lanes);
  });
}

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
