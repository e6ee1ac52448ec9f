/**
 * @file The job's model once more, on a device that reads asynchronously: micro-batches run or are replayed there, their gradients are
 * summed there in tree order, and only sums of whole nodes are read, chunk by chunk, while the backward pass goes on.
 *
 * Invariants: a chunk of a node is the same bits whether its steps were replayed or not, and whatever else was computed before.
 */
import {
  type Backend,
  dropGradient,
  keep,
  microBatchScope,
  NodeStack,
  type StepRunner,
  type StepRunnerFigures,
  stepRunnerOf,
  Tensor,
  type TensorView,
  tensor,
  untracked,
  VectorPool,
  withBackend,
} from "@lockstep/core";
import { contiguousStrides } from "@lockstep/core/backend";
import { bucketBytesOf } from "../job/base-config.js";
import type { Training } from "./build-training.js";
import type { NodeRange } from "./compute-engine.js";
import { backwardInto, batchOf, lossOfBatch } from "./micro-batch.js";
import {
  type KeptChunk,
  type ReducedOnDevice,
  reduceOnDevice,
  type UpdatedOnDevice,
  updateOnDevice,
} from "./mirror-update.js";
import { stateTensors, updateCounters } from "./training-state.js";

type Read = Promise<ArrayLike<number>>;

/** A contiguous run of entries of the layout, read together. */
interface Chunk {
  readonly firstEntry: number;
  readonly endEntry: number;
  readonly offset: number;
  readonly length: number;
  /** Where the entries of one micro-batch come together. */
  readonly leaf: Tensor;
  readonly pool: VectorPool;
}

/** A chunk of a node's sum, on its way. */
export interface ChunkRead {
  readonly firstEntry: number;
  readonly endEntry: number;
  readonly values: Read;
}

export interface MirrorStep {
  readonly microBatch: number;
  readonly loss: Read;
  readonly weight: number;
  /** In the order in which they become ready; none but after the last micro-batch of a node. */
  readonly chunks: readonly ChunkRead[];
  /** By entry: something of the node reached it. */
  readonly isThere: readonly boolean[];
}

export interface MirrorOptions {
  readonly noRecord?: boolean;
  readonly onNotice?: (line: string) => void;
}

export interface MirrorRequest {
  /** 0-based. */
  readonly stepIndex: number;
  readonly node: NodeRange;
  readonly microBatch: number;
  /** What the loss is multiplied by before it goes backward. Default 1. */
  readonly lossScale?: number;
  /** The sum of the node stays here, for `reduce` and `update`. Default false: it is read. */
  readonly keeps?: boolean;
}

/** What a step reads, made anew each time. */
interface StepInput {
  readonly batch: unknown;
  /** The scale of the loss, where it is not 1. */
  readonly seed: Tensor | undefined;
}

/** What a step gives apart from its launches. */
interface StepResult {
  readonly weight: number;
  readonly isThere: readonly boolean[];
}

interface OpenNode {
  readonly stepIndex: number;
  readonly range: NodeRange;
  readonly stacks: readonly NodeStack[];
  next: number;
  isThere: readonly boolean[];
}

export class DeviceMirror {
  readonly backend: Backend;
  readonly training: Training;
  readonly #runner: StepRunner;
  readonly #chunks: readonly Chunk[];
  readonly #chunkOf: readonly number[];
  readonly #lossSlot: Tensor;
  #node: OpenNode | undefined;
  /** The sum of the last node that was to stay here. */
  #kept: readonly KeptChunk[] = [];

  constructor(backend: Backend, training: Training, options: MirrorOptions = {}) {
    this.backend = backend;
    this.training = training;
    this.#runner = stepRunnerOf(backend, options);
    this.#chunks = chunksOf(backend, training);
    this.#chunkOf = this.#chunks.flatMap(({ firstEntry, endEntry }, i) => new Array(endEntry - firstEntry).fill(i));
    this.#lossSlot = keep(untracked(() => Tensor.allocate(backend, [1], "f32")));
  }

  /**
   * Forward and backward of a micro-batch of a node, and of those before it that are not on the device: all but the last are there already,
   * unless the node is another one than before.
   */
  step({ stepIndex, node, microBatch, lossScale = 1, keeps = false }: MirrorRequest): MirrorStep {
    const open = this.#node;
    const isOpen =
      open?.stepIndex === stepIndex &&
      open.range.lo === node.lo &&
      open.range.hi === node.hi &&
      open.next <= microBatch;
    if (!isOpen) this.#begin(stepIndex, node);
    try {
      for (;;) {
        const step = this.#step(this.#node!, { lossScale, keeps });
        if (step.microBatch === microBatch) return step;
        step.loss.catch(() => {});
      }
    } catch (error) {
      this.drop();
      throw error;
    }
  }

  /** The sums of finished subtrees of the open node, which ends with it; undefined where one is not on the device. */
  take(ranges: readonly NodeRange[]): readonly (readonly ChunkRead[])[] | undefined {
    const perChunk = this.#node?.stacks.map((stack) => stack.dismantle()) ?? [];
    this.#node = undefined;
    const sumOf = (i: number, { lo, hi }: NodeRange) => perChunk[i]?.find((sum) => sum.lo === lo && sum.hi === hi);
    const areThere = ranges.every((range) => sumOf(0, range) !== undefined);
    const reads = areThere
      ? ranges.map((range) => this.#chunks.map((chunk, i) => this.#read(chunk, sumOf(i, range)!.vector)))
      : undefined;
    perChunk.forEach((sums, i) => {
      for (const { vector } of sums) this.#chunks[i]!.pool.release(vector);
    });
    return reads;
  }

  /** Divides the sum that was kept by the step's weight. @throws {ValueError} E_NO_WEIGHT. */
  reduce(weight: number): Promise<ReducedOnDevice> {
    return reduceOnDevice(this.backend, this.#kept, weight);
  }

  /** Takes a step from what was reduced. The model here is ahead of CPU memory then. */
  update(stepIndex: number): Promise<UpdatedOnDevice> {
    const updated = updateOnDevice(this.training, this.#kept, stepIndex);
    this.#release();
    return updated;
  }

  /** Everything that an update changes, as it is now: tensors in the order of `stateTensors`, and the counters. */
  state(): { readonly tensors: readonly Read[]; readonly counters: unknown } {
    const tensors = stateTensors(this.training).map((tensor) => this.backend.read(tensor));
    return { tensors, counters: updateCounters(this.training) };
  }

  /** Forgets the open node, and a sum that was kept. */
  drop(): void {
    this.#release();
    for (const stack of this.#node?.stacks ?? []) stack.abandon();
    this.#node = undefined;
  }

  figures(): StepRunnerFigures {
    return this.#runner.figures();
  }

  dispose(): void {
    this.#runner.dispose();
    this.backend.dispose();
  }

  #begin(stepIndex: number, range: NodeRange): void {
    this.drop();
    const stacks = this.#chunks.map(({ pool, length }) => {
      const whole = { name: "chunk", shape: [length], offset: 0, length };
      return new NodeStack(pool, { parameters: [whole], length }, range);
    });
    this.#node = { stepIndex, range, stacks, next: range.lo, isThere: [] };
  }

  #step(open: OpenNode, { lossScale, keeps }: Required<Pick<MirrorRequest, "lossScale" | "keeps">>): MirrorStep {
    const { source } = this.training;
    const { stepIndex: step, next: m, range } = open;
    const chunks: ChunkRead[] = [];
    const isLast = m === range.hi - 1;
    const kept: KeptChunk[] = [];
    const onMark = (index: number): void => {
      const vector = this.#fold(index, open, isLast);
      if (vector === undefined) return;
      const chunk = this.#chunks[index]!;
      if (keeps) {
        kept[index] = { ...chunk, vector };
        return;
      }
      chunks.push(this.#read(chunk, vector));
      chunk.pool.release(vector);
    };
    const { weight, isThere } = withBackend(this.backend, () =>
      microBatchScope({ seed: source.seed, step, m }, () => {
        const input = (): StepInput => ({
          batch: batchOf(this.training, this.training.sampler.microBatch(step, m), "train"),
          seed: lossScale === 1 ? undefined : tensor(Float32Array.of(lossScale)),
        });
        return this.#runner.run({ step, m }, { input, main: (from, mark) => this.#main(from, mark), onMark });
      }),
    );
    const loss = this.backend.read(this.#lossSlot);
    open.next = m + 1;
    open.isThere = isThere.map((is, entry) => is || open.isThere[entry] === true);
    if (isLast) {
      this.#node = undefined;
      this.#kept = kept;
    }
    return { microBatch: m, loss, weight, chunks, isThere: open.isThere };
  }

  /** Loss into its slot, every gradient and statistic into its place of a leaf. */
  #main({ batch, seed }: StepInput, mark: (chunk: number) => void): StepResult {
    const { parameters, statistics } = this.training;
    const { copy, fill } = this.backend.kernels;
    const { sum, weight } = lossOfBatch(this.training, batch, "train");
    copy(reshaped(sum, [1]), this.#lossSlot);
    const isThere: boolean[] = new Array(this.#chunkOf.length).fill(false);
    const numLeft = this.#chunks.map(({ firstEntry, endEntry }) => endEntry - firstEntry);
    const put = (index: number, values: Tensor | undefined): void => {
      const place = this.#chunkOf[index]!;
      const target = this.#leafOf(index);
      if (values === undefined) fill(target, 0);
      else copy(values, reshaped(target, values.shape));
      isThere[index] = values !== undefined;
      numLeft[place]!--;
      if (numLeft[place] === 0) mark(place);
    };
    statistics.forEach((emitter, i) => {
      const sums = emitter.takeStatistics();
      put(parameters.length + i, sums);
      sums?.dispose();
    });
    const take = (index: number): void => {
      put(index, parameters[index]!.grad);
      dropGradient(parameters[index]!);
    };
    backwardInto(sum, parameters, take, { seed: seed?.reshape(sum.shape) });
    return { weight, isThere };
  }

  /** The part of a chunk's leaf that is an entry's. */
  #leafOf(entry: number): TensorView {
    const { offset, length } = this.training.layout.parameters[entry]!;
    const chunk = this.#chunks[this.#chunkOf[entry]!]!;
    return chunk.pool.window(chunk.leaf, offset - chunk.offset, length);
  }

  /** A micro-batch's part of a chunk goes into the node; after the last one the sum, which belongs to the caller. */
  #fold(index: number, { stacks }: OpenNode, isLast: boolean): Tensor | undefined {
    const stack = stacks[index]!;
    // The weights are added by who asked for the node.
    const leaf = stack.leaf(0);
    leaf.add(0, this.#chunks[index]!.leaf);
    leaf.finish();
    return isLast ? stack.complete().vector : undefined;
  }

  #release(): void {
    for (const { pool, vector } of this.#kept) pool.release(vector);
    this.#kept = [];
  }

  #read({ firstEntry, endEntry }: Chunk, vector: Tensor): ChunkRead {
    return { firstEntry, endEntry, values: this.backend.read(vector) };
  }
}

/** Entries in flat order, cut where a bucket's bytes are reached. */
function chunksOf(backend: Backend, { layout, source }: Training): Chunk[] {
  const { parameters } = layout;
  const enough = bucketBytesOf(source.config, layout.length) / 4;
  const chunks: Chunk[] = [];
  for (let firstEntry = 0; firstEntry < parameters.length; ) {
    const { offset } = parameters[firstEntry]!;
    let endEntry = firstEntry;
    let length = 0;
    while (endEntry < parameters.length && (length === 0 || length < enough)) length += parameters[endEntry++]!.length;
    const pool = new VectorPool(backend, length);
    chunks.push({ firstEntry, endEntry, offset, length, pool, leaf: pool.acquire() });
    firstEntry = endEntry;
  }
  return chunks;
}

/** A contiguous view seen with another shape of as many elements. */
function reshaped({ buffer, offset, dtype }: TensorView, shape: readonly number[]): TensorView {
  return { buffer, offset, shape, strides: contiguousStrides(shape), dtype };
}
