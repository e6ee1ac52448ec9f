/** @file Does a payload have the hash that its header says? What the network changed must not be added. */
import type { BulkHeader, HashWords } from "@lockstep/protocol";
import { CollectiveError, type CollectivePlace } from "../errors.js";
import { hexOf } from "./hash-hex.js";

export function isSameHash(hash: HashWords, { payloadHash }: BulkHeader): boolean {
  return hash.every((word, i) => word === payloadHash[i]);
}

export interface ChangedPayload {
  readonly rank: number;
  readonly workerId: string;
  /** What was sent, in words. */
  readonly name: string;
  readonly header: BulkHeader;
  readonly hash: HashWords;
  readonly node?: { readonly lo: number; readonly hi: number };
}

export function payloadHashError(place: CollectivePlace, changed: ChangedPayload): CollectiveError {
  const { rank, workerId, name, header, hash, node } = changed;
  const { bucket, shard } = header;
  return new CollectiveError(
    "E_HASH",
    `${place.where}: rank ${rank} (worker "${workerId}") sent ${name} with hash ${hexOf(header.payloadHash)}, but its bytes have ` +
      `${hexOf(hash)}; they must be the same. The step is not applied.`,
    { ...place, rank, workerId, bucket, shard, ...(node === undefined ? {} : { node }) },
  );
}
