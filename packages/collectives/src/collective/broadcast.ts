import { CollectiveError } from "../errors.js";
import { DEFAULT_FRAME_BYTES } from "../exchange/exchange-options.js";
import { frameRefusedError, PendingCollective } from "../group/pending-collective.js";
import type { ProcessGroup } from "../group/process-group.js";
import { bytesOf } from "../transport/transport.js";
import { piecesOf } from "./all-gather.js";
import { type CollectiveOptions, headerAt, nextPlace } from "./collective-options.js";

export interface BroadcastOptions extends CollectiveOptions {
  /** Rank whose vector everyone gets. */
  readonly root: number;
}

/**
 * Writes the root's vector over every other rank's.
 *
 * @shape vector [n], the same n on every rank, written in place except on the root
 * @throws {CollectiveError} E_ARGUMENT when root is no rank, E_PEER_LOST, E_PEER_TIMEOUT, E_GENERATION_CHANGED,
 *   E_FRAME_REFUSED when the root's vector has another length.
 * @source none: ours
 */
export function broadcast(vector: Float32Array, group: ProcessGroup, options: BroadcastOptions): Promise<void> {
  const { root } = options;
  if (!(Number.isInteger(root) && root >= 0 && root < group.worldSize)) {
    throw new CollectiveError("E_ARGUMENT", `broadcast: root is ${root}; it must be a rank below ${group.worldSize}.`, {
      root,
      worldSize: group.worldSize,
    });
  }
  const pieces = piecesOf([vector.length], options.maxFrameBytes ?? DEFAULT_FRAME_BYTES);
  const isHere = pieces.map(() => group.rank === root);
  const place = nextPlace(group);
  const finish = (): void => {
    if (!isHere.includes(false)) pending.flushed().then(() => pending.resolve());
  };
  const pending = new PendingCollective<void>(group, {
    where: "broadcast",
    place,
    deadlineMs: options.deadlineMs,
    signal: options.signal,
    findDebt: (rank) => {
      const at = isHere.indexOf(false);
      return at < 0 || (rank !== undefined && rank !== root)
        ? undefined
        : { rank: root, bucket: at, numBuckets: pieces.length };
    },
    onFrame: (rank, { header, payload }) => {
      const piece = pieces[header.block];
      const isExpected =
        header.kind === "broadcastChunk" && rank === root && piece !== undefined && !isHere[header.block];
      if (!isExpected || header.elementCount !== piece.length || header.elementOffset !== piece.offset) {
        const sender = { rank, workerId: group.members[rank]! };
        throw frameRefusedError(
          pending.place,
          sender,
          `chunk ${header.block} of ${header.elementCount} elements unasked`,
        );
      }
      bytesOf(vector).set(payload, 4 * piece.offset);
      isHere[header.block] = true;
      finish();
    },
  });
  pending.open();
  for (const [number, { offset, length }] of pieces.entries()) {
    if (group.rank !== root) break;
    const header = {
      ...headerAt(place, "broadcastChunk", group.rank),
      block: number,
      elementOffset: offset,
      elementCount: length,
    };
    const payload = bytesOf(vector.subarray(offset, offset + length));
    for (let i = 1; i < group.worldSize; i++) pending.send((root + i) % group.worldSize, { header, payload });
  }
  finish();
  return pending.done;
}
