import { createHash } from "node:crypto";
import type { MessageBody, WorkerMessage } from "@lockstep/protocol";
import { expect, test } from "vitest";
import { BlobParts, BlobTransfers } from "./blob-transfers.js";

const sha256Of = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
const ref = { sha256: sha256Of(bytes), byteLength: 100 };

/** One channel after the other to a coordinator that answers when told to. */
function channel(parts: BlobParts) {
  const asked: MessageBody<"blobGet">[] = [];
  const transfers = new BlobTransfers({
    send: (message: WorkerMessage) => {
      if (message.name === "blobGet") asked.push(message.body);
    },
    sha256: sha256Of,
    chunkBytes: 10,
    parts,
  });
  /** Answers `count` requests. */
  const answer = (count: number, source = bytes) => {
    for (let i = 0; i < count; i++) {
      const { sha256, offset, maxBytes } = asked.shift()!;
      const chunk = source.slice(offset, offset + maxBytes);
      transfers.receive({ name: "blobChunk", body: { sha256, offset, byteLength: 100, bytes: chunk } });
    }
  };
  return { transfers, asked, answer };
}

test("a fetch goes on over the next channel where the last one broke", async () => {
  const parts = new BlobParts();
  const first = channel(parts);
  const broken = first.transfers.fetch(ref);
  first.answer(6);
  first.transfers.fail(new Error("the channel is gone"));
  await expect(broken).rejects.toThrow("the channel is gone");
  const second = channel(parts);
  const whole = second.transfers.fetch(ref);
  expect(second.asked.map(({ offset }) => offset)).toEqual([60, 70, 80, 90]);
  second.answer(4);
  expect(await whole).toEqual(bytes);
});

test("a beginning that was wrong is found by the hash, and the next fetch begins anew", async () => {
  const parts = new BlobParts();
  const first = channel(parts);
  const broken = first.transfers.fetch(ref);
  first.answer(3, new Uint8Array(100));
  first.transfers.fail(new Error("the channel is gone"));
  await expect(broken).rejects.toThrow("gone");
  const second = channel(parts);
  const wrong = second.transfers.fetch(ref);
  second.answer(7);
  await expect(wrong).rejects.toMatchObject({ code: "E_BLOB_HASH" });
  const again = second.transfers.fetch(ref);
  expect(second.asked[0]!.offset).toBe(0);
  second.answer(10);
  expect(await again).toEqual(bytes);
});

test("the beginnings of a few blobs are kept and no more", () => {
  const parts = new BlobParts();
  for (let i = 1; i <= 9; i++) parts.keep(`sha-${i}`, new Uint8Array(5), i);
  const received = (i: number) => parts.take({ sha256: `sha-${i}`, byteLength: 5 }).received;
  expect([7, 8, 9].map(received)).toEqual([0, 8, 9]);
});
