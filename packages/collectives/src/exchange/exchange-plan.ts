/**
 * @file How the flat gradient is cut: buckets, their shards, the shards' blocks. Pure; the same on every rank.
 *
 * Shard s of a bucket is reduced by rank s. A block is what one frame carries; a shard larger than a frame has several.
 * Cuts lie at multiples of 16 elements from the bucket's begin. A bucket of no elements keeps one empty block, so that
 * its weight still travels.
 */
import type { BulkHeader } from "@lockstep/protocol";
import { CollectiveError } from "../errors.js";

/** Cache lines are 64 bytes: cuts inside one would share it between two kernels. */
const CUT_ELEMENTS = 16;

export interface FlatBucket {
  /** First element in the flat gradient. */
  readonly offset: number;
  readonly length: number;
}

export interface ExchangeBlock {
  /** Place in the plan, in flat order. */
  readonly index: number;
  readonly bucket: number;
  readonly shard: number;
  readonly ownerRank: number;
  /** First element in the flat gradient. */
  readonly offset: number;
  readonly length: number;
}

export interface ExchangePlan {
  readonly buckets: readonly FlatBucket[];
  /** Ascending by bucket, then by offset. */
  readonly blocks: readonly ExchangeBlock[];
  readonly blocksByBucket: readonly (readonly ExchangeBlock[])[];
}

export interface ExchangePlanOptions {
  readonly worldSize: number;
  readonly maxBlockElements: number;
}

/**
 * Cuts the buckets for `worldSize` owners into blocks of at most `maxBlockElements`.
 *
 * @throws {CollectiveError} E_ARGUMENT when a number is out of range.
 * @source none: ours
 */
export function planExchange(buckets: readonly FlatBucket[], options: ExchangePlanOptions): ExchangePlan {
  const { worldSize } = options;
  const maxBlockElements = Math.max(CUT_ELEMENTS, options.maxBlockElements - (options.maxBlockElements % CUT_ELEMENTS));
  if (!(Number.isInteger(worldSize) && worldSize >= 1)) {
    throw new CollectiveError("E_ARGUMENT", `planExchange: worldSize is ${worldSize}; it must be at least 1.`, {
      worldSize,
    });
  }
  const blocks: ExchangeBlock[] = [];
  const blocksByBucket = buckets.map(({ offset, length }, bucket) => {
    const first = blocks.length;
    const numCuts = Math.ceil(length / CUT_ELEMENTS);
    for (let shard = 0; shard < worldSize; shard++) {
      const begin = Math.min(length, Math.floor((numCuts * shard) / worldSize) * CUT_ELEMENTS);
      const end = Math.min(length, Math.floor((numCuts * (shard + 1)) / worldSize) * CUT_ELEMENTS);
      for (let at = begin; at < end; at += maxBlockElements) {
        const blockLength = Math.min(maxBlockElements, end - at);
        blocks.push({
          index: blocks.length,
          bucket,
          shard,
          ownerRank: shard,
          offset: offset + at,
          length: blockLength,
        });
      }
    }
    if (blocks.length === first) {
      blocks.push({ index: first, bucket, shard: 0, ownerRank: 0, offset, length: 0 });
    }
    return blocks.slice(first);
  });
  return { buckets, blocks, blocksByBucket };
}

/** Contiguous buckets of at most `bucketElements` over a flat vector of `length`; one bucket when it is empty. @source none: ours */
export function bucketsOf(length: number, bucketElements: number): FlatBucket[] {
  const buckets: FlatBucket[] = [];
  for (let offset = 0; offset < length; offset += bucketElements) {
    buckets.push({ offset, length: Math.min(bucketElements, length - offset) });
  }
  return buckets.length === 0 ? [{ offset: 0, length: 0 }] : buckets;
}

/** The block that a header names, or undefined when it contradicts the plan. @source none: ours */
export function findBlock(plan: ExchangePlan, header: BulkHeader): ExchangeBlock | undefined {
  const block = plan.blocks[header.block];
  const isPlanned =
    block !== undefined &&
    block.bucket === header.bucket &&
    block.shard === header.shard &&
    block.ownerRank === header.ownerRank &&
    block.offset === header.elementOffset &&
    block.length === header.elementCount;
  return isPlanned ? block : undefined;
}
