/**
 * @file What a gradient exchange takes and gives.
 */
import { BULK_HEADER_BYTES } from "@lockstep/protocol";
import { CollectiveError } from "../errors.js";
import type { TreeRange } from "../tree/tree-shape.js";
import type { FlatBucket } from "./exchange-plan.js";
import type { VectorOps, VectorPool } from "./vector-ops.js";

/** Larger groups gather around a ring: one link out of each rank instead of worldSize - 1. */
export const DEFAULT_RING_ABOVE = 8;
export const DEFAULT_FRAME_BYTES = 1_048_576 + BULK_HEADER_BYTES;

export interface GradientExchangeOptions {
  readonly step: number;
  readonly attempt: number;
  readonly numMicroBatches: number;
  /** Disjoint cover of [0, numMicroBatches) by nodes of its tree. */
  readonly nodesByRank: readonly (readonly TreeRange[])[];
  readonly buckets: readonly FlatBucket[];
  /** The reduced gradient, of the whole flat length. */
  readonly destination: Float32Array;
  readonly ops: VectorOps;
  readonly pool?: VectorPool;
  /** Header and payload of one frame; at most the protocol's limit. */
  readonly maxFrameBytes?: number;
  readonly ringAbove?: number;
  /** From creation to the last frame; the group's by default. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

export interface ExchangeTimings {
  readonly startedMs: number;
  /** undefined when nothing was sent. */
  readonly firstFrameSentMs: number | undefined;
  readonly lastProvidedMs: number;
  readonly completedMs: number;
}

export interface NodeSquares extends TreeRange {
  /** In f64. */
  readonly sumSquares: number;
}

export interface ExchangeResult {
  /** 32 hex digits over the blocks' hashes in flat order: equal on all ranks of one generation. */
  readonly gradientHash: string;
  /** Four u32 a block, in flat order. */
  readonly blockHashes: Uint32Array;
  /** Tree sum of the nodes' weights. */
  readonly totalWeight: number;
  /**
   * Of every node of the step, in the order of its micro-batches: the sum of squares of the part of its vector that this rank owns. Added up
   * over the ranks of a group they are the squares of the nodes' norms.
   */
  readonly nodeSquares: readonly NodeSquares[];
  /** Headers included. */
  readonly bytesSent: number;
  readonly timings: ExchangeTimings;
}

/** How much of an exchange runs, and among which frames; `treeReduceScatter` stops after the reduction. */
export interface ExchangePhases {
  readonly where: string;
  readonly stream: "gradient" | "collective";
  /** Whether owners send their blocks to everyone. */
  readonly gathers: boolean;
}

export const ALL_PHASES: ExchangePhases = { where: "allReduce", stream: "gradient", gathers: true };

/** What one rank provides: a node of its own and its weight. */
export interface ProvidedNode extends TreeRange {
  readonly weight: number;
}

/** @throws {CollectiveError} E_ARGUMENT when the destination is too short or the ranks are not the group's. */
export function assertDestination(options: GradientExchangeOptions, worldSize: number): void {
  const length = options.buckets.reduce((max, bucket) => Math.max(max, bucket.offset + bucket.length), 0);
  if (options.destination.length < length || options.nodesByRank.length !== worldSize) {
    throw new CollectiveError(
      "E_ARGUMENT",
      `allReduce: destination has ${options.destination.length} elements and nodesByRank ${options.nodesByRank.length} ranks; they must ` +
        `have ${length} and ${worldSize}.`,
      { length: options.destination.length, needed: length, worldSize, numRanks: options.nodesByRank.length },
    );
  }
}
