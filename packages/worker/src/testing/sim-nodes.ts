/** @file The node sums of a simulated engine in its memory: finished ones, and how far a half-finished one is. As engine/step-nodes.ts. */
import type { ComputeProgress, NodeRange } from "../engine/compute-engine.js";
import type { SimNodeSum } from "./sim-model.js";

interface HeldNode {
  readonly node: NodeRange;
  readonly weight: number;
  /** First byte of its vector. */
  readonly address: number;
}

export class SimNodes {
  readonly #memory: WebAssembly.Memory;
  readonly #length: number;
  readonly #free: number[] = [];
  readonly #held = new Map<string, HeldNode>();
  #half: { readonly node: NodeRange; readonly numDone: number } | undefined;
  #nextAddress: number;

  /** @param area vectors of `length` floats from `firstByte` on. */
  constructor(memory: WebAssembly.Memory, area: { readonly firstByte: number; readonly length: number }) {
    this.#memory = memory;
    this.#length = area.length;
    this.#nextAddress = area.firstByte;
  }

  find(node: NodeRange): HeldNode | undefined {
    return this.#held.get(keyOf(node));
  }

  /** Micro-batches of a node that need not be computed any more. */
  numDone(node: NodeRange): number {
    if (this.find(node) !== undefined) return node.hi - node.lo;
    return this.#isHalf(node) ? this.#half!.numDone : 0;
  }

  /** The nodes that are not finished, the half-finished one first. */
  missing(nodes: readonly NodeRange[]): NodeRange[] {
    const missing = nodes.filter((node) => this.find(node) === undefined);
    return [...missing.filter((node) => this.#isHalf(node)), ...missing.filter((node) => !this.#isHalf(node))];
  }

  /** The node is the one at work, and this much of it is done. */
  setDone(node: NodeRange, numDone: number): void {
    this.#half = { node, numDone };
  }

  finish(node: NodeRange, { vector, weight }: SimNodeSum): void {
    const address = this.#free.pop() ?? this.#nextAddress;
    if (address === this.#nextAddress) this.#nextAddress += vector.byteLength;
    new Float32Array(this.#memory.buffer, address, this.#length).set(vector);
    this.#held.set(keyOf(node), { node, weight, address });
    if (this.#isHalf(node)) this.#half = undefined;
  }

  progress(nodes: readonly NodeRange[]): ComputeProgress {
    const firstLeft = nodes.findIndex((node) => this.find(node) === undefined && !this.#isHalf(node));
    const doneMicroBatches = nodes.reduce((sum, node) => sum + this.numDone(node), 0);
    return { begunNodes: firstLeft < 0 ? nodes.length : firstLeft, doneMicroBatches };
  }

  /** Keeps what these nodes can use; `compute` gives the sums of finished subtrees of a half-finished node. */
  keepOnly(nodes: readonly NodeRange[], compute: (node: NodeRange) => SimNodeSum): void {
    const wanted = new Set(nodes.map(keyOf));
    for (const [key, { address }] of this.#held) {
      if (wanted.has(key)) continue;
      this.#free.push(address);
      this.#held.delete(key);
    }
    const half = this.#half;
    if (half === undefined || wanted.has(keyOf(half.node))) return;
    this.#half = undefined;
    for (const node of finishedSubtrees(half.node.lo, half.numDone))
      if (wanted.has(keyOf(node))) this.finish(node, compute(node));
  }

  drop(): void {
    for (const { address } of this.#held.values()) this.#free.push(address);
    this.#held.clear();
    this.#half = undefined;
  }

  #isHalf(node: NodeRange): boolean {
    return this.#half !== undefined && keyOf(this.#half.node) === keyOf(node);
  }
}

/** What stands on a binary-counter stack after so many leaves. */
function finishedSubtrees(lo: number, numLeaves: number): NodeRange[] {
  const nodes: NodeRange[] = [];
  let at = lo;
  for (let size = 1 << 30; size >= 1; size >>= 1) {
    if ((numLeaves & size) === 0) continue;
    nodes.push({ lo: at, hi: at + size });
    at += size;
  }
  return nodes;
}

function keyOf({ lo, hi }: NodeRange): string {
  return `${lo}-${hi}`;
}
