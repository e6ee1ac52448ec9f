/**
 * @file The node sums of one step: finished ones, and the one that an abort left in the middle.
 *
 * Invariants: no micro-batch whose node is asked for again is computed twice; nothing of another step is ever here (`drop`).
 */
import {
  type Bucket,
  BucketTracker,
  type CpuBackend,
  type FlatLayout,
  NodeStack,
  type NodeSum,
  VectorPool,
} from "@lockstep/core";
import type { Training } from "./build-training.js";
import type { ComputeProgress, ComputeRequest, MicroBatchSum, NodeRange, ReadyBucket } from "./compute-engine.js";
import { emitHeldOut } from "./held-out-plateau.js";
import { storesHalves, trainScaled } from "./loss-scaling.js";
import { trainMicroBatch } from "./micro-batch.js";
import { type AttachedDevice, trainBesideDevice, trainOnDevice } from "./micro-batch-device.js";

export interface ComputeHooks {
  readonly onBucket: (bucket: ReadyBucket) => void;
  /** Told when nodes begin and when one is done. */
  readonly onProgress?: (progress: ComputeProgress) => void;
  /** Asked before every micro-batch. */
  readonly shouldStop: () => boolean;
}

export interface StepNodesOptions {
  readonly training: Training;
  readonly pool: VectorPool;
  readonly buckets: readonly Bucket[];
  readonly backend: CpuBackend;
  readonly workerId: string;
  /** Computes the micro-batches, if there is one. */
  readonly device?: AttachedDevice | undefined;
}

interface StepNodesResult {
  readonly losses: MicroBatchSum[];
  readonly overflows: [microBatch: number, lossScale: number][];
  readonly isComplete: boolean;
}

interface HeldNode {
  readonly sum: NodeSum;
  readonly losses: readonly MicroBatchSum[];
}

interface HalfNode {
  readonly node: NodeRange;
  /** Of a node that the device sums: its weights only. */
  readonly stack: NodeStack;
  readonly losses: MicroBatchSum[];
}

/** Nothing but weights. */
const noLayout: FlatLayout = { parameters: [], length: 0 };

export class StepNodes {
  readonly #options: StepNodesOptions;
  readonly #held = new Map<string, HeldNode>();
  readonly #weights: VectorPool;
  #half: HalfNode | undefined;
  /** By micro-batch, the loss scale at which it was computed after it had overflowed. */
  #overflows: { readonly step: number; readonly scales: Map<number, number> } = { step: 0, scales: new Map() };

  constructor(options: StepNodesOptions) {
    this.#options = options;
    this.#weights = new VectorPool(options.backend, 0);
  }

  /**
   * Computes what is missing of the request's nodes. Those that an earlier attempt left are announced first, and one that it left in the
   * middle goes on before new ones begin, so that no more vectors are in use than for new nodes. What is not asked for is dropped.
   *
   * @returns losses of complete nodes, in the order of the request.
   */
  compute(request: ComputeRequest, hooks: ComputeHooks): StepNodesResult {
    const { nodes } = request;
    if (this.#overflows.step !== request.step) this.#overflows = { step: request.step, scales: new Map() };
    this.#keepOnly(nodes);
    const held = nodes.filter((node) => this.#held.has(keyOf(node)));
    for (const node of held) this.#announce(node, hooks);
    const begun = new Set(held.map(keyOf));
    const report = (): void => hooks.onProgress?.(this.#progress(nodes, begun));
    if (held.length > 0) report();
    const isHalf = (node: NodeRange): boolean => this.#half !== undefined && keyOf(this.#half.node) === keyOf(node);
    const missing = nodes.filter((node) => !begun.has(keyOf(node)));
    for (const node of [...missing.filter(isHalf), ...missing.filter((other) => !isHalf(other))]) {
      if (hooks.shouldStop()) break;
      begun.add(keyOf(node));
      report();
      if (!this.#computeNode(request, node, hooks)) break;
      report();
    }
    const done = nodes.map((node) => this.#held.get(keyOf(node))).filter((node) => node !== undefined);
    const losses = done.flatMap((node) => node.losses);
    const { scales } = this.#overflows;
    const overflows = losses.flatMap(([m]): [number, number][] => (scales.has(m) ? [[m, scales.get(m)!]] : []));
    return { losses, overflows, isComplete: done.length === nodes.length };
  }

  /** The sum of all micro-batches, once it was computed as one node. */
  root(): NodeSum {
    const { numMicroBatches } = this.#options.training;
    const held = this.#held.get(keyOf({ lo: 0, hi: numMicroBatches }));
    if (held === undefined)
      throw new Error(`step nodes: the node of all ${numMicroBatches} micro-batches is not complete`);
    return held.sum;
  }

  /** Gives every vector back. */
  drop(): void {
    this.#keepOnly([]);
  }

  /** False when it was stopped; what it has stays for the next request. */
  #computeNode({ step, lossScale = 1 }: ComputeRequest, node: NodeRange, hooks: ComputeHooks): boolean {
    const { training, pool, workerId, device } = this.#options;
    const half = this.#half ?? { node, stack: this.#stackOf(node), losses: [] };
    this.#half = undefined;
    const { stack, losses } = half;
    const vector = this.#isSummedOnDevice ? pool.acquire() : undefined;
    try {
      while (stack.nextMicroBatch < node.hi) {
        if (hooks.shouldStop()) {
          this.#half = half;
          if (vector !== undefined) pool.release(vector);
          return false;
        }
        const microBatch = stack.nextMicroBatch;
        const onParameter = microBatch === node.hi - 1 ? this.#tellBucketsOf(node, hooks) : undefined;
        const target = { stack, ...(onParameter === undefined ? {} : { onParameter }) };
        emitHeldOut(training, step, microBatch);
        const place = { step, microBatch, workerId };
        if (device === undefined) losses.push(trainMicroBatch(training, place, target));
        else if (vector !== undefined) {
          const own = { range: node, weights: stack, vector, onParameter };
          losses.push(trainOnDevice(device, training, { place, node: own }));
        } else if (storesHalves(device.device)) {
          const onOverflow = (scale: number): void => void this.#overflows.scales.set(microBatch, scale);
          losses.push(trainScaled(device, training, { place, target, lossScale, onOverflow }));
        } else losses.push(trainBesideDevice(device, training, { place, target }));
      }
    } catch (error) {
      stack.abandon();
      if (vector !== undefined) pool.release(vector);
      throw error;
    }
    const sum = stack.complete();
    if (vector !== undefined) this.#weights.release(sum.vector);
    this.#held.set(keyOf(node), { sum: vector === undefined ? sum : { ...sum, vector }, losses });
    return true;
  }

  /** What a plateau measures is the CPU's; what is stored in 16 bits may overflow and be computed again. Both are summed on the CPU. */
  get #isSummedOnDevice(): boolean {
    const { device, training } = this.#options;
    return device !== undefined && training.plateau === undefined && !storesHalves(device.device);
  }

  #stackOf(node: NodeRange): NodeStack {
    const { pool, training } = this.#options;
    return this.#isSummedOnDevice
      ? new NodeStack(this.#weights, noLayout, node)
      : new NodeStack(pool, training.layout, node);
  }

  /** Tells of the buckets of a node while the backward pass of its last micro-batch runs. */
  #tellBucketsOf(node: NodeRange, { onBucket }: ComputeHooks) {
    const { training, buckets, backend } = this.#options;
    let tracker: BucketTracker | undefined;
    return (index: number, { vector, weight }: Pick<NodeSum, "vector" | "weight">): void => {
      tracker ??= new BucketTracker(training.layout, buckets, ({ index: bucket }) => {
        onBucket({ node, weight, address: backend.addressOf(vector), bucket });
      });
      tracker.complete(index);
    };
  }

  /** All buckets of a node that an earlier attempt left. */
  #announce(node: NodeRange, { onBucket }: ComputeHooks): void {
    const { sum } = this.#held.get(keyOf(node))!;
    const address = this.#options.backend.addressOf(sum.vector);
    for (const { index } of this.#options.buckets) onBucket({ node, weight: sum.weight, address, bucket: index });
  }

  #progress(nodes: readonly NodeRange[], begun: ReadonlySet<string>): ComputeProgress {
    const firstLeft = nodes.findIndex((node) => !begun.has(keyOf(node)));
    const doneMicroBatches = nodes.reduce((sum, node) => {
      if (this.#held.has(keyOf(node))) return sum + node.hi - node.lo;
      return sum + (this.#half !== undefined && keyOf(this.#half.node) === keyOf(node) ? this.#half.losses.length : 0);
    }, 0);
    return { begunNodes: firstLeft < 0 ? nodes.length : firstLeft, doneMicroBatches };
  }

  /** Keeps what these nodes can use: finished nodes, the half-finished one, or finished subtrees of it. */
  #keepOnly(nodes: readonly NodeRange[]): void {
    const { pool } = this.#options;
    const wanted = new Set(nodes.map(keyOf));
    for (const [key, { sum }] of this.#held) {
      if (wanted.has(key)) continue;
      pool.release(sum.vector);
      this.#held.delete(key);
    }
    const half = this.#half;
    if (half === undefined || wanted.has(keyOf(half.node))) return;
    this.#half = undefined;
    const hold = (sum: NodeSum): void => {
      this.#held.set(keyOf(sum), { sum, losses: half.losses.filter(([m]) => sum.lo <= m && m < sum.hi) });
    };
    const sums = half.stack.dismantle();
    const kept = sums.filter((sum) => wanted.has(keyOf(sum)));
    if (this.#isSummedOnDevice) {
      const fetched = kept.map((sum) => ({ ...sum, vector: pool.acquire() }));
      this.#options.device!.device.take(fetched.map(({ lo, hi, vector }) => ({ node: { lo, hi }, target: vector })));
      for (const sum of fetched) hold(sum);
      for (const { vector } of sums) this.#weights.release(vector);
      return;
    }
    for (const sum of sums) {
      if (wanted.has(keyOf(sum))) hold(sum);
      else pool.release(sum.vector);
    }
  }
}

function keyOf({ lo, hi }: NodeRange): string {
  return `${lo}-${hi}`;
}
