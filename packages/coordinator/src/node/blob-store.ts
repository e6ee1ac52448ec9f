/**
 * @file Opaque blobs by sha256, on disk: what the job reads goes out in chunks, checkpoints come in. It never looks inside.
 *
 * Bounded: a blob has at most `maxBlobBytes`, what is coming in at most `maxIncomingBytes` together. An incoming blob is a `.part`
 * file of the worker that sends it until its last chunk came and its sha256 was checked. When its connection breaks the part waits
 * for the worker to come back and go on where it was; then it goes.
 */
import { createHash, type Hash } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { MessageBody } from "@lockstep/protocol";
import { CoordinatorError } from "./coordinator-error.js";
import type { Clock } from "./server-sockets.js";

type Handle = Awaited<ReturnType<typeof open>>;

export interface BlobStoreOptions {
  /** Folder for incoming blobs. */
  readonly incomingDir: string;
  /** Default 16 GiB. */
  readonly maxBlobBytes?: number;
  /** Default 64 GiB. */
  readonly maxIncomingBytes?: number;
  /** How long a part waits for its worker to come back. Without it, not at all. */
  readonly keepParts?: { readonly forMs: number; readonly clock: Pick<Clock, "schedule"> };
}

/** Files that are kept open between two chunks. */
const maxOpenReaders = 64;

/** A connection that sends blobs. Parts belong to its worker, and outlive it. */
export interface BlobSender {
  readonly workerId: string | undefined;
}

interface Stored {
  readonly path: string;
  readonly byteLength: number;
}

interface Reader {
  readonly file: Promise<Handle>;
  numReads: number;
}

interface Incoming {
  readonly path: string;
  readonly byteLength: number;
  readonly file: Promise<Handle>;
  readonly hash: Hash;
  /** The connection that sends it now. */
  sender: BlobSender;
  /** Of its end, while its worker is away. */
  cancelDrop: () => void;
  offset: number;
}

export class BlobStore {
  readonly #incomingDir: string;
  readonly #maxBlobBytes: number;
  readonly #maxIncomingBytes: number;
  readonly #keepParts: BlobStoreOptions["keepParts"];
  /** Sends what is not sent by a worker. */
  readonly #self: BlobSender = { workerId: undefined };
  readonly #stored = new Map<string, Stored>();
  /** By the worker that sends, then by sha256. */
  readonly #incoming = new Map<string, Map<string, Incoming>>();
  readonly #left = new WeakSet<BlobSender>();
  /** The one that was used last comes last. */
  readonly #readers = new Map<string, Reader>();
  #incomingBytes = 0;
  #numBegun = 0;

  constructor({ incomingDir, maxBlobBytes = 2 ** 34, maxIncomingBytes = 2 ** 36, keepParts }: BlobStoreOptions) {
    this.#incomingDir = incomingDir;
    this.#maxBlobBytes = maxBlobBytes;
    this.#maxIncomingBytes = maxIncomingBytes;
    this.#keepParts = keepParts;
  }

  /** Offers a file that lies on disk already, in place of one of the same bytes that came in. */
  addFile(sha256: string, path: string, byteLength: number): void {
    void this.release([sha256]).catch(() => {});
    this.#stored.set(sha256, { path, byteLength });
  }

  /** Path of a complete blob. */
  findPath(sha256: string): string | undefined {
    return this.#stored.get(sha256)?.path;
  }

  /** @throws {CoordinatorError} E_BLOB_MISSING, E_BLOB_RANGE. */
  async read({ sha256, offset, maxBytes }: MessageBody<"blobGet">): Promise<MessageBody<"blobChunk">> {
    const blob = this.#stored.get(sha256);
    if (blob === undefined) {
      const text = `blob: ${sha256} is not here; it must be one that the welcome names.`;
      throw new CoordinatorError("E_BLOB_MISSING", text, { sha256 });
    }
    if (offset > blob.byteLength) {
      const text = `blob: ${sha256} was asked for at offset ${offset}; it has ${blob.byteLength} bytes.`;
      throw new CoordinatorError("E_BLOB_RANGE", text, { sha256, offset, byteLength: blob.byteLength });
    }
    const bytes = new Uint8Array(Math.min(maxBytes, blob.byteLength - offset));
    const bytesRead = await this.#readFrom(sha256, blob.path, { bytes, offset });
    if (bytesRead !== bytes.byteLength) {
      const text = `blob: ${blob.path} has ${offset + bytesRead} bytes now; it had ${blob.byteLength} when the run began. Start the run again.`;
      throw new CoordinatorError("E_BLOB_CHANGED", text, { sha256, path: blob.path });
    }
    return { sha256, offset, byteLength: blob.byteLength, bytes };
  }

  /**
   * Takes the next chunk of what a worker sends. A worker that begins anew, on this connection or on a later one, learns where to
   * go on.
   *
   * @throws {CoordinatorError} E_BLOB_TOO_LARGE, E_BLOB_CHUNK, E_BLOB_HASH.
   */
  async put(put: MessageBody<"blobPut">, sender: BlobSender = this.#self): Promise<MessageBody<"blobAck">> {
    const { sha256, offset, byteLength, bytes } = put;
    if (this.#stored.has(sha256)) return { sha256, nextOffset: byteLength, isComplete: true };
    const blob = this.#goOn(sha256, sender) ?? this.#begin(put, sender);
    if (offset === 0 && blob.offset > 0) return { sha256, nextOffset: blob.offset, isComplete: false };
    if (offset !== blob.offset || byteLength !== blob.byteLength || offset + bytes.byteLength > byteLength) {
      const text = `blob: ${sha256} came with ${bytes.byteLength} bytes at offset ${offset} of ${byteLength}; next must be offset ${blob.offset} of ${blob.byteLength}.`;
      throw new CoordinatorError("E_BLOB_CHUNK", text, { sha256, offset, expected: blob.offset });
    }
    blob.offset += bytes.byteLength;
    blob.hash.update(bytes);
    try {
      const { bytesWritten } = await (await blob.file).write(bytes, 0, bytes.byteLength, offset);
      if (bytesWritten !== bytes.byteLength)
        throw new Error(`${blob.path} took ${bytesWritten} of ${bytes.byteLength} bytes; the disk may be full`);
    } catch (error) {
      // What the disk did not take must not count as come in.
      await this.#drop(sha256, keyOf(sender));
      throw error;
    }
    if (blob.offset < byteLength) return { sha256, nextOffset: blob.offset, isComplete: false };
    await this.#complete(sha256, keyOf(sender));
    return { sha256, nextOffset: byteLength, isComplete: true };
  }

  /** A connection is gone: nothing more is taken from it, and what it had begun to send waits for its worker, or goes. */
  async leave(sender: BlobSender): Promise<void> {
    this.#left.add(sender);
    const key = keyOf(sender);
    const parts = [...(this.#incoming.get(key) ?? [])].filter(([, blob]) => blob.sender === sender);
    if (this.#keepParts === undefined) {
      await Promise.all(parts.map(([sha256]) => this.#drop(sha256, key)));
      return;
    }
    const { forMs, clock } = this.#keepParts;
    for (const [sha256, blob] of parts)
      blob.cancelDrop = clock.schedule(forMs, () => void this.#drop(sha256, key).catch(() => {}));
  }

  /** Removes blobs that came in and are kept elsewhere now. What was offered by `addFile` stays. */
  async release(sha256s: readonly string[]): Promise<void> {
    for (const sha256 of sha256s) {
      const blob = this.#stored.get(sha256);
      if (blob?.path !== join(this.#incomingDir, sha256)) continue;
      this.#stored.delete(sha256);
      this.#incomingBytes -= blob.byteLength;
      const reader = this.#readers.get(sha256);
      this.#readers.delete(sha256);
      await closeQuietly(reader?.file);
      await rm(blob.path, { force: true });
    }
  }

  async dispose(): Promise<void> {
    for (const [key, parts] of [...this.#incoming])
      for (const sha256 of [...parts.keys()]) await this.#drop(sha256, key);
    for (const { file } of this.#readers.values()) await closeQuietly(file);
    this.#readers.clear();
    await rm(this.#incomingDir, { recursive: true, force: true });
  }

  /** Without a wait between the look-up and the entry: two chunks at once begin one blob. */
  #begin({ sha256, offset, byteLength }: MessageBody<"blobPut">, sender: BlobSender): Incoming {
    const total = this.#incomingBytes + byteLength;
    if (byteLength > this.#maxBlobBytes || total > this.#maxIncomingBytes) {
      const text = `blob: ${sha256} has ${byteLength} bytes; one may have ${this.#maxBlobBytes} (maxBlobBytes), all that came in ${this.#maxIncomingBytes} (maxIncomingBytes).`;
      throw new CoordinatorError("E_BLOB_TOO_LARGE", text, { sha256, byteLength });
    }
    if (offset !== 0 || this.#left.has(sender)) {
      const text = `blob: ${sha256} begins at offset ${offset}; a new blob must begin at 0, and come from a worker that is here.`;
      throw new CoordinatorError("E_BLOB_CHUNK", text, { sha256, offset, expected: 0 });
    }
    this.#incomingBytes = total;
    const path = join(this.#incomingDir, `${sha256}.${this.#numBegun++}.part`);
    const file = mkdir(this.#incomingDir, { recursive: true }).then(() => open(path, "w"));
    // Told where it is awaited; a drop in between must not end the process.
    file.catch(() => {});
    const hash = createHash("sha256");
    const blob: Incoming = { path, byteLength, file, hash, sender, cancelDrop: () => {}, offset: 0 };
    const key = keyOf(sender);
    const ofWorker = this.#incoming.get(key) ?? new Map<string, Incoming>();
    this.#incoming.set(key, ofWorker.set(sha256, blob));
    return blob;
  }

  /** The part that a worker has sent so far; a later connection takes it over. */
  #goOn(sha256: string, sender: BlobSender): Incoming | undefined {
    const blob = this.#incoming.get(keyOf(sender))?.get(sha256);
    if (blob === undefined || blob.sender === sender || this.#left.has(sender)) return blob;
    blob.cancelDrop();
    blob.sender = sender;
    return blob;
  }

  async #complete(sha256: string, key: string): Promise<void> {
    const blob = this.#forget(sha256, key);
    // Dropped while its last chunk was written: the worker is gone and hears nothing.
    if (blob === undefined) return;
    const found = blob.hash.digest("hex");
    if (found !== sha256) {
      await this.#discard(blob);
      const text = `blob: ${blob.byteLength} bytes came with sha256 ${found}; they must have ${sha256}. Send them again.`;
      throw new CoordinatorError("E_BLOB_HASH", text, { expected: sha256, found });
    }
    const path = join(this.#incomingDir, sha256);
    try {
      const file = await blob.file;
      await file.sync();
      await file.close();
      await rename(blob.path, path);
    } catch (error) {
      await this.#discard(blob);
      throw error;
    }
    // Another peer may have sent the same bytes meanwhile; they count once.
    if (this.#stored.has(sha256)) this.#incomingBytes -= blob.byteLength;
    this.#stored.set(sha256, { path, byteLength: blob.byteLength });
  }

  async #drop(sha256: string, key: string): Promise<void> {
    const blob = this.#forget(sha256, key);
    if (blob !== undefined) await this.#discard(blob);
  }

  /** Takes an entry out; whoever gets it answers for its file and its bytes. */
  #forget(sha256: string, key: string): Incoming | undefined {
    const ofWorker = this.#incoming.get(key);
    const blob = ofWorker?.get(sha256);
    ofWorker?.delete(sha256);
    if (ofWorker?.size === 0) this.#incoming.delete(key);
    blob?.cancelDrop();
    return blob;
  }

  async #discard(blob: Incoming): Promise<void> {
    this.#incomingBytes -= blob.byteLength;
    await closeQuietly(blob.file);
    await rm(blob.path, { force: true });
  }

  async #readFrom(
    sha256: string,
    path: string,
    { bytes, offset }: { readonly bytes: Uint8Array; readonly offset: number },
  ): Promise<number> {
    const reader = this.#readers.get(sha256) ?? { file: open(path, "r"), numReads: 0 };
    this.#readers.delete(sha256);
    this.#readers.set(sha256, reader);
    reader.numReads++;
    try {
      const { bytesRead } = await (await reader.file).read(bytes, 0, bytes.byteLength, offset);
      return bytesRead;
    } catch (error) {
      if (this.#readers.get(sha256) === reader) this.#readers.delete(sha256);
      await closeQuietly(reader.file).catch(() => {});
      throw error;
    } finally {
      reader.numReads--;
      await this.#closeReaders();
    }
  }

  /** The ones that nobody has read from for longest go. */
  async #closeReaders(): Promise<void> {
    for (const [sha256, { file, numReads }] of this.#readers) {
      if (this.#readers.size <= maxOpenReaders) return;
      if (numReads > 0) continue;
      this.#readers.delete(sha256);
      await closeQuietly(file);
    }
  }
}

function keyOf({ workerId }: BlobSender): string {
  return workerId ?? "";
}

/** A file that could not be opened needs no closing; who opened it was told. */
async function closeQuietly(file: Promise<Handle> | undefined): Promise<void> {
  const handle = await file?.catch(() => undefined);
  await handle?.close();
}
