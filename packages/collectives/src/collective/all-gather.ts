import { BULK_HEADER_BYTES } from "@lockstep/protocol";
import { CollectiveError } from "../errors.js";
import { DEFAULT_FRAME_BYTES, DEFAULT_RING_ABOVE } from "../exchange/exchange-options.js";
import { type Debt, frameRefusedError, PendingCollective } from "../group/pending-collective.js";
import type { ProcessGroup } from "../group/process-group.js";
import { bytesOf } from "../transport/transport.js";
import { type CollectiveOptions, headerAt, nextPlace } from "./collective-options.js";

export interface AllGatherOptions extends CollectiveOptions {
  /** Elements that each rank gives, by rank. */
  readonly lengths: readonly number[];
  /** Groups larger than this pass pieces around a ring. */
  readonly ringAbove?: number;
}

interface Piece {
  readonly rank: number;
  /** In the result. */
  readonly offset: number;
  readonly length: number;
}

/**
 * Every rank's vector, end to end in rank order, on every rank. Nothing is added: a ring is allowed, and used in groups
 * of more than 8.
 *
 * @shape shard [lengths[rank]] -> [sum of lengths]
 * @throws {CollectiveError} E_ARGUMENT when the shard has another length than announced, E_PEER_LOST, E_PEER_TIMEOUT,
 *   E_GENERATION_CHANGED, E_FRAME_REFUSED.
 * @source none: ours
 */
export function allGather(shard: Float32Array, group: ProcessGroup, options: AllGatherOptions): Promise<Float32Array> {
  const { lengths } = options;
  if (lengths.length !== group.worldSize || lengths[group.rank] !== shard.length) {
    throw new CollectiveError(
      "E_ARGUMENT",
      `allGather: lengths are [${lengths}] and shard has ${shard.length} elements; rank ${group.rank} of ${group.worldSize} must have ` +
        "as many as lengths say.",
      { lengths, length: shard.length, rank: group.rank },
    );
  }
  const pieces = piecesOf(lengths, options.maxFrameBytes ?? DEFAULT_FRAME_BYTES);
  const result = new Float32Array(lengths.reduce((sum, length) => sum + length, 0));
  result.set(
    shard,
    lengths.slice(0, group.rank).reduce((sum, length) => sum + length, 0),
  );
  const isRing = group.worldSize > (options.ringAbove ?? DEFAULT_RING_ABOVE);
  const next = (group.rank + 1) % group.worldSize;
  const previous = (group.rank + group.worldSize - 1) % group.worldSize;
  const sourceOf = (piece: Piece): number => (isRing ? previous : piece.rank);
  const isHere = pieces.map((piece) => piece.rank === group.rank);
  const place = nextPlace(group);

  const findDebt = (rank?: number): Debt | undefined => {
    const at = pieces.findIndex((piece, i) => !isHere[i] && (rank === undefined || sourceOf(piece) === rank));
    return at < 0 ? undefined : { rank: sourceOf(pieces[at]!), bucket: at, numBuckets: pieces.length };
  };
  const pending = new PendingCollective<Float32Array>(group, {
    where: "allGather",
    place,
    deadlineMs: options.deadlineMs,
    signal: options.signal,
    findDebt,
    onFrame: (rank, { header, payload }) => {
      const piece = pieces[header.block];
      const isExpected =
        header.kind === "gatheredShard" && piece !== undefined && !isHere[header.block] && rank === sourceOf(piece);
      if (!isExpected || header.elementCount !== piece.length) {
        throw frameRefusedError(
          pending.place,
          { rank, workerId: group.members[rank]! },
          `piece ${header.block} unasked`,
        );
      }
      bytesOf(result).set(payload, 4 * piece.offset);
      isHere[header.block] = true;
      if (isRing && next !== piece.rank) send(header.block, next);
      finish();
    },
  });
  const send = (number: number, to: number): void => {
    const { rank, offset, length } = pieces[number]!;
    const header = {
      ...headerAt(place, "gatheredShard", group.rank),
      shard: rank,
      block: number,
      elementOffset: offset,
      elementCount: length,
    };
    pending.send(to, { header, payload: bytesOf(result.subarray(offset, offset + length)) });
  };
  const finish = (): void => {
    if (!isHere.includes(false)) pending.flushed().then(() => pending.resolve(result));
  };
  pending.open();
  for (const [number, piece] of pieces.entries()) {
    if (piece.rank !== group.rank || group.worldSize === 1) continue;
    if (isRing) send(number, next);
    else for (let i = 1; i < group.worldSize; i++) send(number, (group.rank + i) % group.worldSize);
  }
  finish();
  return pending.done;
}

/** Cuts every rank's part into frames. @source none: ours */
export function piecesOf(lengths: readonly number[], maxFrameBytes: number): Piece[] {
  const maxLength = Math.max(1, Math.floor((maxFrameBytes - BULK_HEADER_BYTES) / 4));
  const pieces: Piece[] = [];
  let offset = 0;
  for (const [rank, length] of lengths.entries()) {
    for (let at = 0; at < length; at += maxLength) {
      pieces.push({ rank, offset: offset + at, length: Math.min(maxLength, length - at) });
    }
    offset += length;
  }
  return pieces;
}
