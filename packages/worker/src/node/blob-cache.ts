/**
 * @file Blobs on this machine's disk, by sha256, so that a worker that joins again fetches nothing twice. Bounded: the oldest files go.
 *
 * Several processes may share the folder. What one of them has read of it is old at once, so a file is looked at again before it goes,
 * and the folder is read again whenever this process has added a sixteenth of the bound: by so much each of the others may exceed it.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BlobRef } from "@lockstep/protocol";
import { TrainingError } from "../errors.js";

export interface BlobCacheOptions {
  /** Folder of the cache; made if missing. */
  readonly dir: string;
  /** Most bytes kept between runs. Default 8 GiB. */
  readonly maxBytes?: number;
}

interface Entry {
  readonly name: string;
  readonly size: number;
  readonly mtimeMs: number;
}

/** The folder as it was read, and what this process has done since. */
interface Seen {
  /** What may go, the oldest first. */
  readonly oldest: Entry[];
  totalBytes: number;
  addedBytes: number;
}

export class BlobCache {
  readonly #dir: string;
  readonly #maxBytes: number;
  /** Blobs of this run: never removed. */
  readonly #used = new Set<string>();
  readonly #underWay = new Map<string, Promise<string>>();
  #seen: Seen | undefined;
  #written: Promise<void> = Promise.resolve();

  constructor({ dir, maxBytes = 8 * 2 ** 30 }: BlobCacheOptions) {
    this.#dir = dir;
    this.#maxBytes = maxBytes;
  }

  /**
   * Path of a file with the blob's bytes, fetched if it is not there or not intact. Several may be asked for at once.
   *
   * @throws {TrainingError} E_BLOB when the fetched bytes do not have the sha256.
   */
  pathOf(ref: BlobRef, fetch: (ref: BlobRef) => Promise<Uint8Array>): Promise<string> {
    const known = this.#underWay.get(ref.sha256);
    if (known !== undefined) return known;
    const path = this.#find(ref, fetch).finally(() => this.#underWay.delete(ref.sha256));
    this.#underWay.set(ref.sha256, path);
    return path;
  }

  async #find(ref: BlobRef, fetch: (ref: BlobRef) => Promise<Uint8Array>): Promise<string> {
    const path = join(this.#dir, ref.sha256);
    this.#used.add(ref.sha256);
    const kept = await readFile(path).catch(() => undefined);
    if (kept?.byteLength === ref.byteLength && sha256Of(kept) === ref.sha256) {
      const now = new Date();
      await utimes(path, now, now);
      return path;
    }
    const bytes = await fetch(ref);
    const found = sha256Of(bytes);
    if (found !== ref.sha256) {
      throw new TrainingError(
        `blob: the coordinator sent ${bytes.byteLength} bytes with sha256 ${found}; they must have ${ref.sha256}. Join again.`,
        { expected: ref.sha256, found },
        "E_BLOB",
      );
    }
    // One after the other, so that what is counted is what lies there.
    const written = this.#written.then(() => this.#write(path, bytes, kept?.byteLength ?? 0));
    this.#written = written.catch(() => {});
    await written;
    return path;
  }

  /** @param replaced bytes of the file that lies there. */
  async #write(path: string, bytes: Uint8Array, replaced: number): Promise<void> {
    await mkdir(this.#dir, { recursive: true });
    const partial = `${path}.${randomBytes(4).toString("hex")}.part`;
    await writeFile(partial, bytes);
    await rename(partial, path);
    await this.#trim(bytes.byteLength, replaced);
  }

  async #trim(added: number, replaced: number): Promise<void> {
    let seen = this.#seen;
    if (seen === undefined || seen.addedBytes + added > this.#maxBytes / 16) {
      seen = await this.#read();
      this.#seen = seen;
    } else {
      seen.addedBytes += added;
      seen.totalBytes += added - replaced;
    }
    while (seen.totalBytes > this.#maxBytes) {
      const entry = seen.oldest.shift();
      if (entry === undefined) return;
      if (this.#used.has(entry.name)) continue;
      const now = await this.#stat(entry.name);
      seen.totalBytes += (now?.size ?? 0) - entry.size;
      if (now === undefined) continue;
      if (now.mtimeMs > entry.mtimeMs) {
        // Another process uses it: it is younger than it was.
        const place = seen.oldest.findIndex(({ mtimeMs }) => mtimeMs > now.mtimeMs);
        seen.oldest.splice(place < 0 ? seen.oldest.length : place, 0, now);
        continue;
      }
      await rm(join(this.#dir, entry.name), { force: true });
      seen.totalBytes -= now.size;
    }
  }

  async #read(): Promise<Seen> {
    const names = await readdir(this.#dir);
    const entries: Entry[] = [];
    for (const name of names) {
      const entry = await this.#stat(name);
      if (entry !== undefined) entries.push(entry);
    }
    return {
      oldest: entries.filter(({ name }) => !this.#used.has(name)).sort((a, b) => a.mtimeMs - b.mtimeMs),
      totalBytes: entries.reduce((sum, { size }) => sum + size, 0),
      addedBytes: 0,
    };
  }

  /** Undefined when another process has taken it away. */
  async #stat(name: string): Promise<Entry | undefined> {
    const found = await stat(join(this.#dir, name)).catch(() => undefined);
    return found && { name, size: found.size, mtimeMs: found.mtimeMs };
  }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
