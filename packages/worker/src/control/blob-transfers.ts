/**
 * @file Blobs over the control channel, the worker's side: asks for chunks, sends chunks, a few in flight at a time.
 *
 * Not here: the cache (node/blob-cache.ts). What was received is given out only after its sha256 was checked.
 */
import type { BlobRef, CoordinatorMessage, MessageBody, WorkerMessage } from "@lockstep/protocol";
import { maxBlobChunkBytes } from "@lockstep/protocol";
import { ControlError } from "./control-error.js";

/** Chunks asked for, or sent and not acknowledged, per blob. */
const maxChunksInFlight = 4;
/** Blobs of which the beginning is kept when the channel breaks. */
const maxParts = 2;

interface Fetch {
  readonly ref: BlobRef;
  readonly bytes: Uint8Array<ArrayBuffer>;
  requested: number;
  received: number;
  readonly promise: Promise<Uint8Array<ArrayBuffer>>;
  readonly resolve: (bytes: Uint8Array<ArrayBuffer>) => void;
  readonly reject: (error: Error) => void;
}

interface Put {
  readonly sha256: string;
  readonly bytes: Uint8Array;
  sent: number;
  acknowledged: number;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export interface BlobTransfersOptions {
  readonly send: (message: WorkerMessage) => void;
  readonly sha256: (bytes: Uint8Array) => string;
  readonly chunkBytes?: number;
  /** Outlives this channel: the next one goes on where it broke. */
  readonly parts?: BlobParts;
}

/** What had come of blobs when a channel broke, by sha256. */
export class BlobParts {
  readonly #parts = new Map<string, { readonly bytes: Uint8Array<ArrayBuffer>; readonly received: number }>();

  /** Keeps the newest few only. */
  keep(sha256: string, bytes: Uint8Array<ArrayBuffer>, received: number): void {
    this.#parts.set(sha256, { bytes, received });
    for (const oldest of [...this.#parts.keys()].slice(0, -maxParts)) this.#parts.delete(oldest);
  }

  take({ sha256, byteLength }: BlobRef): { readonly bytes: Uint8Array<ArrayBuffer>; readonly received: number } {
    const part = this.#parts.get(sha256);
    this.#parts.delete(sha256);
    return part?.bytes.byteLength === byteLength ? part : { bytes: new Uint8Array(byteLength), received: 0 };
  }
}

export class BlobTransfers {
  readonly #options: BlobTransfersOptions;
  readonly #chunkBytes: number;
  readonly #fetches = new Map<string, Fetch>();
  readonly #puts = new Map<string, Put>();
  readonly #parts: BlobParts;

  constructor(options: BlobTransfersOptions) {
    this.#options = options;
    this.#chunkBytes = options.chunkBytes ?? maxBlobChunkBytes;
    this.#parts = options.parts ?? new BlobParts();
  }

  /** @throws {ControlError} E_BLOB_MISSING, E_BLOB_HASH, or what closed the channel. */
  fetch(ref: BlobRef): Promise<Uint8Array> {
    const known = this.#fetches.get(ref.sha256);
    if (known !== undefined) return known.promise;
    const { promise, resolve, reject } = deferred<Uint8Array<ArrayBuffer>>();
    const { bytes, received } = this.#parts.take(ref);
    const fetch: Fetch = {
      ref,
      bytes,
      requested: received,
      received,
      promise,
      resolve,
      reject,
    };
    this.#fetches.set(ref.sha256, fetch);
    this.#request(fetch);
    return promise;
  }

  /**
   * Resolves when the coordinator has verified and stored the bytes. They must not change before.
   *
   * @throws {ControlError} E_BLOB_TOO_LARGE, E_BLOB_HASH, or what closed the channel.
   */
  put(bytes: Uint8Array, sha256: string): Promise<void> {
    const known = this.#puts.get(sha256);
    if (known !== undefined) return known.promise;
    const { promise, resolve, reject } = deferred<void>();
    const put: Put = { sha256, bytes, sent: 0, acknowledged: 0, promise, resolve, reject };
    this.#puts.set(sha256, put);
    // One chunk first: its ack says whether the coordinator has the blob already, whole or in part.
    this.#sendChunk(put);
    return promise;
  }

  /** Takes a message of the blob store; tells whether it was one. */
  receive(message: CoordinatorMessage): boolean {
    switch (message.name) {
      case "blobChunk":
        this.#receiveChunk(message.body);
        return true;
      case "blobAck":
        this.#receiveAck(message.body);
        return true;
      case "blobError": {
        const { sha256, code, message: text } = message.body;
        const error = new ControlError(code, text, { sha256 });
        this.#fetches.get(sha256)?.reject(error);
        this.#puts.get(sha256)?.reject(error);
        this.#fetches.delete(sha256);
        this.#puts.delete(sha256);
        return true;
      }
      default:
        return false;
    }
  }

  /** Rejects everything under way: the channel is gone. What has come is kept. */
  fail(error: Error): void {
    for (const { ref, bytes, received } of this.#fetches.values())
      if (received > 0) this.#parts.keep(ref.sha256, bytes, received);
    for (const transfer of [...this.#fetches.values(), ...this.#puts.values()]) transfer.reject(error);
    this.#fetches.clear();
    this.#puts.clear();
  }

  #request(fetch: Fetch): void {
    const { sha256, byteLength } = fetch.ref;
    const limit = fetch.received + maxChunksInFlight * this.#chunkBytes;
    do {
      const maxBytes = Math.max(1, Math.min(this.#chunkBytes, byteLength - fetch.requested));
      this.#options.send({ name: "blobGet", body: { sha256, offset: fetch.requested, maxBytes } });
      fetch.requested += maxBytes;
    } while (fetch.requested < Math.min(byteLength, limit));
  }

  #receiveChunk({ sha256, offset, byteLength, bytes }: MessageBody<"blobChunk">): void {
    const fetch = this.#fetches.get(sha256);
    if (fetch === undefined) return;
    if (byteLength !== fetch.ref.byteLength || offset !== fetch.received || offset + bytes.byteLength > byteLength) {
      this.#fetches.delete(sha256);
      const text = `blob: ${sha256} came as ${bytes.byteLength} bytes at offset ${offset} of ${byteLength}; next must be offset ${fetch.received} of ${fetch.ref.byteLength}. Join again.`;
      fetch.reject(new ControlError("E_BLOB_CHUNK", text, { sha256, offset, byteLength }));
      return;
    }
    fetch.bytes.set(bytes, offset);
    fetch.received += bytes.byteLength;
    if (fetch.received < byteLength) {
      if (fetch.requested < byteLength) this.#request(fetch);
      return;
    }
    this.#fetches.delete(sha256);
    const found = this.#options.sha256(fetch.bytes);
    if (found === sha256) {
      fetch.resolve(fetch.bytes);
      return;
    }
    const text = `blob: the coordinator sent ${byteLength} bytes with sha256 ${found}; they must have ${sha256}. Join again.`;
    fetch.reject(new ControlError("E_BLOB_HASH", text, { expected: sha256, found }));
  }

  #sendChunk(put: Put): void {
    const { sha256, bytes, sent } = put;
    const chunk = bytes.subarray(sent, sent + this.#chunkBytes);
    put.sent += chunk.byteLength;
    this.#options.send({
      name: "blobPut",
      body: { sha256, offset: sent, byteLength: bytes.byteLength, bytes: chunk as Uint8Array<ArrayBuffer> },
    });
  }

  #receiveAck({ sha256, nextOffset, isComplete }: MessageBody<"blobAck">): void {
    const put = this.#puts.get(sha256);
    if (put === undefined) return;
    if (isComplete) {
      this.#puts.delete(sha256);
      put.resolve();
      return;
    }
    put.acknowledged = nextOffset;
    put.sent = Math.max(put.sent, nextOffset);
    while (put.sent < put.bytes.byteLength && put.sent - put.acknowledged < maxChunksInFlight * this.#chunkBytes)
      this.#sendChunk(put);
  }
}

/** Promise.withResolvers, which Node 20 lacks. */
function deferred<Value>() {
  let resolve: (value: Value) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<Value>((accept, refuse) => {
    resolve = accept;
    reject = refuse;
  });
  return { promise, resolve, reject };
}
