/**
 * @file One attempt of one step: node vectors in, the reduced gradient out, the same bits on every rank.
 *
 * A worker provides the buckets of its nodes as they become final, in any order; each block goes to its owner at once.
 * The owner completes the tree sum, divides once by the total weight, checks that every value is finite, hashes the
 * block, writes it to its destination and sends it to the others (directly, or around a ring in larger groups), who
 * verify the hash. No float is ever added in rank order (L1).
 *
 * Not here: which nodes a rank computes, what is done with the result. The provided vectors are read, never written;
 * they and the destination must stay until `done` settles. Nothing of the destination may be used before, nor after an error.
 */
import { BULK_HEADER_BYTES, type BulkHeader, emptyBulkHeader, type HashWords } from "@lockstep/protocol";
import { CollectiveError, type NotFinite, notFiniteError, noWeightError, sumNotFiniteError } from "../errors.js";
import type { FramePlace } from "../group/frame-router.js";
import { type Debt, frameRefusedError, PendingCollective, placeFields } from "../group/pending-collective.js";
import type { ProcessGroup } from "../group/process-group.js";
import { type BulkFrame, bytesOf } from "../transport/transport.js";
import { type MergePlan, mergePlanOf } from "../tree/merge-plan.js";
import type { TreeRange } from "../tree/tree-shape.js";
import { BlockReduction } from "./block-reduction.js";
import {
  ALL_PHASES,
  assertDestination,
  DEFAULT_FRAME_BYTES,
  DEFAULT_RING_ABOVE,
  type ExchangePhases,
  type ExchangeResult,
  type GradientExchangeOptions,
  type ProvidedNode,
} from "./exchange-options.js";
import { type ExchangeBlock, type ExchangePlan, findBlock, planExchange } from "./exchange-plan.js";
import { type GatherRoute, gatherRoute } from "./gather-route.js";
import { wordsOf } from "./hash-hex.js";
import { NodeLedger } from "./node-ledger.js";
import { isSameHash, payloadHashError } from "./payload-hash.js";
import { createVectorPool, type VectorPool } from "./vector-ops.js";

export class GradientExchange {
  readonly done: Promise<ExchangeResult>;
  private readonly group: ProcessGroup;
  private readonly options: GradientExchangeOptions;
  private readonly phases: ExchangePhases;
  private readonly pending: PendingCollective<ExchangeResult>;
  private readonly place: FramePlace;
  private readonly plan: ExchangePlan;
  private readonly merge: MergePlan;
  private readonly pool: VectorPool;
  private readonly route: GatherRoute;
  /** Of owned blocks. */
  private readonly reductions: (BlockReduction | undefined)[];
  private readonly isComplete: Uint8Array;
  /** Blocks of which something was written to the destination. */
  private readonly isTouched: Uint8Array;
  private readonly blockHashes: Uint32Array;
  private readonly ledger: NodeLedger;
  /** Pool vectors into which node payloads are coming, by their bytes. */
  private readonly landings = new Map<Uint8Array, Float32Array>();
  private totalWeight: number | undefined;
  private numIncomplete: number;
  private isFinishing = false;
  private readonly startedMs: number;
  private lastProvidedMs: number;

  /**
   * @throws {CollectiveError} E_COVER when the nodes are no cover, E_ARGUMENT when the destination is too short.
   */
  constructor(group: ProcessGroup, options: GradientExchangeOptions, phases: ExchangePhases = ALL_PHASES) {
    this.group = group;
    this.options = options;
    this.phases = phases;
    this.merge = mergePlanOf(options.numMicroBatches, options.nodesByRank);
    const maxBlockElements = Math.floor(((options.maxFrameBytes ?? DEFAULT_FRAME_BYTES) - BULK_HEADER_BYTES) / 4);
    this.plan = planExchange(options.buckets, { worldSize: group.worldSize, maxBlockElements });
    assertDestination(options, group.worldSize);
    this.pool = options.pool ?? createVectorPool();
    this.route = gatherRoute(group, { gathers: phases.gathers, ringAbove: options.ringAbove ?? DEFAULT_RING_ABOVE });
    const numBlocks = this.plan.blocks.length;
    this.isComplete = new Uint8Array(numBlocks);
    this.isTouched = new Uint8Array(numBlocks);
    this.blockHashes = new Uint32Array(4 * numBlocks);
    this.numIncomplete = this.plan.blocks.filter((block) => this.isAwaited(block)).length;
    this.ledger = new NodeLedger(this.merge, this.plan, group.rank);
    this.startedMs = group.clock.nowMs();
    this.lastProvidedMs = this.startedMs;
    const tools = { ops: options.ops, pool: this.pool };
    this.reductions = this.plan.blocks.map((block) =>
      block.ownerRank === group.rank ? new BlockReduction(this.merge, tools, this.destinationOf(block)) : undefined,
    );
    const { step, attempt } = options;
    this.place = { stream: phases.stream, generation: group.generation, step, attempt };
    this.pending = new PendingCollective<ExchangeResult>(group, {
      where: phases.where,
      place: this.place,
      deadlineMs: options.deadlineMs,
      signal: options.signal,
      findDebt: (rank) => this.findDebt(rank),
      onFrame: (rank, frame) => this.receive(rank, frame),
      findMemory: (rank, header) => this.findMemory(rank, header),
      onEnd: () => this.release(),
    });
    this.done = this.pending.done;
    this.pending.open();
    // A rank that owns nothing has nothing to wait for when nothing is gathered.
    if (this.numIncomplete === 0) this.finish();
  }

  /** Bytes given to the transport so far, headers included. */
  get bytesSent(): number {
    return this.pending.bytesSent;
  }

  /**
   * Gives one bucket of a node of this rank; its blocks leave at once.
   *
   * @param vector the node's sum over this bucket, f32, of the bucket's length; stays the caller's.
   * @throws {CollectiveError} E_ARGUMENT when the node or the bucket is not this rank's, is given twice, or has another
   *   length or weight than before. After the exchange is over nothing happens.
   */
  provide(node: ProvidedNode, bucket: number, vector: Float32Array): void {
    if (this.pending.isOver) return;
    const leaf = this.ledger.provide(node, bucket, vector.length);
    this.lastProvidedMs = this.group.clock.nowMs();
    const { offset: bucketOffset } = this.plan.buckets[bucket]!;
    this.pending.guard(() => {
      for (const block of this.plan.blocksByBucket[bucket]!) {
        const begin = block.offset - bucketOffset;
        const piece = vector.subarray(begin, begin + block.length);
        if (block.ownerRank === this.group.rank) this.insert(block, leaf, { vector: piece, isReceived: false });
        else this.sendNode(block, leaf, piece);
      }
      if (this.numIncomplete === 0) this.finish();
    });
  }

  /** The elements that this rank reduces, from its first block to its last; meaningful for one bucket. */
  ownedRange(): { readonly offset: number; readonly end: number } {
    const owned = this.plan.blocks.filter((block) => block.ownerRank === this.group.rank);
    const last = owned.at(-1);
    return { offset: owned[0]?.offset ?? 0, end: last === undefined ? 0 : last.offset + last.length };
  }

  /** Ends the exchange; `done` rejects with the reason as E_GENERATION_CHANGED. */
  abort(reason: string): void {
    this.pending.fail(
      new CollectiveError(
        "E_GENERATION_CHANGED",
        `allReduce: step ${this.options.step} of generation ${this.group.generation} was given up: ${reason}.`,
        { ...this.pending.place, reason },
      ),
    );
  }

  private sendNode(block: ExchangeBlock, leaf: number, piece: Float32Array): void {
    const { lo, hi } = this.merge.leaves[leaf]!;
    const header: BulkHeader = {
      ...this.headerOf(block, "nodeShard"),
      nodeLo: lo,
      nodeHi: hi,
      weight: this.ledger.weightOf(leaf),
      payloadHash: wordsOf(this.options.ops.hash(piece)),
    };
    this.pending.send(block.ownerRank, { header, payload: bytesOf(piece) });
  }

  private headerOf(block: ExchangeBlock, kind: "nodeShard" | "reducedShard"): BulkHeader {
    return {
      ...emptyBulkHeader,
      ...placeFields(this.place),
      kind,
      bucket: block.bucket,
      shard: block.shard,
      block: block.index,
      ownerRank: block.ownerRank,
      elementOffset: block.offset,
      elementCount: block.length,
      senderRank: this.group.rank,
    };
  }

  /** Where a payload that will be accepted shall lie; others get no memory of ours. */
  private findMemory(rank: number, header: BulkHeader): Uint8Array | undefined {
    const block = findBlock(this.plan, header);
    if (block === undefined || this.isComplete[block.index] === 1) return undefined;
    if (header.kind === "reducedShard") {
      return rank === this.route.source(block.ownerRank) ? bytesOf(this.touched(block)) : undefined;
    }
    if (header.kind !== "nodeShard" || this.reductions[block.index] === undefined) return undefined;
    const vector = this.pool.acquire(block.length);
    const memory = bytesOf(vector);
    this.landings.set(memory, vector);
    return memory;
  }

  private receive(rank: number, frame: BulkFrame): void {
    const { header, payload } = frame;
    const block = findBlock(this.plan, header);
    if (block === undefined || payload.byteLength !== 4 * block.length) {
      throw this.refused(
        rank,
        `block ${header.block} of bucket ${header.bucket} as ${header.elementCount} elements in ${payload.byteLength} bytes, not as planned`,
      );
    }
    if (header.kind === "nodeShard") this.receiveNode(rank, block, frame);
    else if (header.kind === "reducedShard") this.receiveReduced(rank, block, frame);
    else throw this.refused(rank, `a frame of kind ${header.kind} into a gradient exchange`);
  }

  private receiveNode(rank: number, block: ExchangeBlock, { header, payload }: BulkFrame): void {
    const node = { lo: header.nodeLo, hi: header.nodeHi };
    const leaf = this.merge.leafOf(node.lo, node.hi);
    const name = `node [${node.lo}, ${node.hi}) of bucket ${header.bucket}`;
    const refuse = (what: string): never => {
      throw this.refused(rank, `${name}${what}`, node);
    };
    if (leaf === undefined || this.merge.leaves[leaf]!.rank !== rank)
      throw this.refused(rank, `${name}, which is not its own`, node);
    if (block.ownerRank !== this.group.rank) refuse(`, whose shard rank ${block.ownerRank} owns`);
    if (this.isComplete[block.index] === 1 || this.reductions[block.index]!.has(leaf)) refuse(" twice");
    this.ledger.setWeight(leaf, header.weight, (what) => refuse(`: ${what}`));
    const vector = this.landings.get(payload) ?? this.pool.receive(payload);
    this.landings.delete(payload);
    const hash = wordsOf(this.options.ops.hash(vector));
    if (!isSameHash(hash, header)) {
      this.pool.release(vector);
      throw payloadHashError(this.pending.place, {
        rank,
        workerId: this.group.members[rank]!,
        name,
        header,
        hash,
        node,
      });
    }
    this.insert(block, leaf, { vector, isReceived: true });
  }

  /** Adds a node's vector to its block, unless a value of it is not finite. */
  private insert(block: ExchangeBlock, leaf: number, node: { vector: Float32Array; isReceived: boolean }): void {
    const reduction = this.reductions[block.index]!;
    const { vector, isReceived } = node;
    const squares = this.options.ops.sumSquares(vector);
    if (!Number.isFinite(squares)) {
      const error = this.notFinite(block, leaf, vector);
      if (isReceived) this.pool.release(vector);
      throw error;
    }
    this.ledger.setSquares(leaf, block.index, squares);
    reduction.insert(leaf, vector, isReceived);
    if (reduction.sum !== undefined) this.finishBlock(block, reduction, reduction.sum);
  }

  private notFinite(block: ExchangeBlock, leaf: number, vector: Float32Array): CollectiveError {
    const { rank, lo, hi } = this.merge.leaves[leaf]!;
    const who = { rank, workerId: this.group.members[rank]!, node: { lo, hi } };
    return notFiniteError(this.pending.place, { ...who, ...this.findNonFinite(block, vector) });
  }

  private findNonFinite(block: ExchangeBlock, vector: Float32Array): NotFinite {
    const index = this.options.ops.findNonFinite(vector);
    return { bucket: block.bucket, firstIndex: block.offset + index, value: vector[index]! };
  }

  /** Divides, checks, hashes, sends on: the block's sum is complete. */
  private finishBlock(block: ExchangeBlock, reduction: BlockReduction, sum: Float32Array): void {
    const { ops } = this.options;
    const destination = this.touched(block);
    this.totalWeight ??= this.ledger.totalWeight();
    if (this.totalWeight === 0) throw noWeightError(this.pending.place, this.merge.numMicroBatches);
    ops.divide(destination, sum, Math.fround(this.totalWeight));
    if (ops.findNonFinite(destination) >= 0)
      throw sumNotFiniteError(this.pending.place, this.findNonFinite(block, destination));
    const payloadHash = wordsOf(ops.hash(destination));
    reduction.release();
    const header: BulkHeader = { ...this.headerOf(block, "reducedShard"), weight: this.totalWeight, payloadHash };
    for (const rank of this.route.targets(block.ownerRank))
      this.pending.send(rank, { header, payload: bytesOf(destination) });
    this.complete(block, payloadHash);
  }

  private receiveReduced(rank: number, block: ExchangeBlock, { header, payload }: BulkFrame): void {
    const name = `the reduced shard ${block.shard} of bucket ${block.bucket}`;
    if (rank !== this.route.source(block.ownerRank))
      throw this.refused(rank, `${name}, which rank ${this.route.source(block.ownerRank)} must send`);
    if (this.isComplete[block.index] === 1) throw this.refused(rank, `${name} twice`);
    this.totalWeight ??= header.weight;
    if (header.weight !== this.totalWeight) {
      throw this.refused(rank, `${name} divided by ${header.weight}; the total weight is ${this.totalWeight}`);
    }
    const destination = this.touched(block);
    const isThere = payload.buffer === destination.buffer && payload.byteOffset === destination.byteOffset;
    if (!isThere) bytesOf(destination).set(payload);
    const hash = wordsOf(this.options.ops.hash(destination));
    if (!isSameHash(hash, header))
      throw payloadHashError(this.pending.place, { rank, workerId: this.group.members[rank]!, name, header, hash });
    const forwarded = { ...header, senderRank: this.group.rank };
    for (const next of this.route.targets(block.ownerRank))
      this.pending.send(next, { header: forwarded, payload: bytesOf(destination) });
    this.complete(block, hash);
  }

  private complete(block: ExchangeBlock, hash: HashWords): void {
    this.isComplete[block.index] = 1;
    this.blockHashes.set(hash, 4 * block.index);
    this.numIncomplete--;
    if (this.numIncomplete === 0) this.finish();
  }

  private isAwaited(block: ExchangeBlock): boolean {
    return this.phases.gathers || block.ownerRank === this.group.rank;
  }

  private finish(): void {
    if (this.isFinishing || this.findOwnDebt(this.plan.buckets.length) !== undefined) return;
    this.isFinishing = true;
    this.pending.flushed().then(() => this.pending.guard(() => this.pending.resolve(this.result())));
  }

  private result(): ExchangeResult {
    const hashes = this.pool.acquire(this.blockHashes.length); // where the ops can read it
    new Uint32Array(hashes.buffer, hashes.byteOffset, hashes.length).set(this.blockHashes);
    const gradientHash = this.options.ops.hash(hashes);
    this.pool.release(hashes);
    return {
      gradientHash,
      blockHashes: this.blockHashes,
      totalWeight: this.totalWeight ?? 0,
      nodeSquares: this.ledger.nodeSquares(),
      bytesSent: this.pending.bytesSent,
      timings: {
        startedMs: this.startedMs,
        firstFrameSentMs: this.pending.firstFrameSentAtMs,
        lastProvidedMs: this.lastProvidedMs,
        completedMs: this.group.clock.nowMs(),
      },
    };
  }

  /** Nodes that are missing first: a shard that is missing may wait for one. */
  private findDebt(rank?: number): Debt | undefined {
    const numBuckets = this.plan.buckets.length;
    const isWanted = (leaf: number): boolean => {
      const of = this.merge.leaves[leaf]!.rank;
      return rank === undefined ? of !== this.group.rank : of === rank;
    };
    const open = this.plan.blocks.filter((block) => this.isAwaited(block) && this.isComplete[block.index] === 0);
    for (const block of open) {
      const leaf = this.reductions[block.index]?.firstMissingLeaf(isWanted);
      if (leaf !== undefined) return { rank: this.merge.leaves[leaf]!.rank, bucket: block.bucket, numBuckets };
    }
    const own = rank === undefined ? this.findOwnDebt(numBuckets) : undefined;
    if (own !== undefined) return own;
    for (const block of open) {
      const source = this.route.source(block.ownerRank);
      if (source >= 0 && (rank === undefined || source === rank))
        return { rank: source, bucket: block.bucket, numBuckets };
    }
    return undefined;
  }

  private findOwnDebt(numBuckets: number): Debt | undefined {
    const missing = this.ledger.findMissing();
    return missing === undefined ? undefined : { rank: this.group.rank, bucket: missing.bucket, numBuckets };
  }

  private refused(rank: number, what: string, node?: TreeRange): CollectiveError {
    const sender = { rank, workerId: this.group.members[rank]!, ...(node === undefined ? {} : { node }) };
    return frameRefusedError(this.pending.place, sender, what);
  }

  /** The block's destination, to be written. */
  private touched(block: ExchangeBlock): Float32Array {
    this.isTouched[block.index] = 1;
    return this.destinationOf(block);
  }

  private destinationOf(block: ExchangeBlock): Float32Array {
    return this.options.destination.subarray(block.offset, block.offset + block.length);
  }

  /** The exchange is over. What was begun and not completed and checked becomes NaN: nobody can take it for a gradient. */
  private release(): void {
    for (const block of this.plan.blocks) {
      const isHalf = this.isTouched[block.index] === 1 && this.isComplete[block.index] === 0;
      if (isHalf) this.destinationOf(block).fill(Number.NaN);
    }
    for (const reduction of this.reductions) reduction?.release();
    for (const vector of this.landings.values()) this.pool.release(vector); // no longer written: the exchange is over
    this.landings.clear();
  }
}
