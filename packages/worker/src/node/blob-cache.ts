/**
 * @file Blobs on this machine's disk, by sha256, so that a worker that joins again fetches nothing twice. Bounded: the oldest files go.
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

export class BlobCache {
  readonly #dir: string;
  readonly #maxBytes: number;
  /** Blobs of this run: never removed. */
  readonly #used = new Set<string>();

  constructor({ dir, maxBytes = 8 * 2 ** 30 }: BlobCacheOptions) {
    this.#dir = dir;
    this.#maxBytes = maxBytes;
  }

  /**
   * Path of a file with the blob's bytes, fetched if it is not there or not intact.
   *
   * @throws {TrainingError} E_BLOB when the fetched bytes do not have the sha256.
   */
  async pathOf(ref: BlobRef, fetch: (ref: BlobRef) => Promise<Uint8Array>): Promise<string> {
    const path = join(this.#dir, ref.sha256);
    this.#used.add(ref.sha256);
    if (await isIntact(path, ref)) {
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
    await mkdir(this.#dir, { recursive: true });
    const partial = `${path}.${randomBytes(4).toString("hex")}.part`;
    await writeFile(partial, bytes);
    await rename(partial, path);
    await this.#trim();
    return path;
  }

  async #trim(): Promise<void> {
    const entries = [];
    for (const name of await readdir(this.#dir)) {
      const path = join(this.#dir, name);
      const { size, mtimeMs } = await stat(path).catch(() => ({ size: 0, mtimeMs: 0 }));
      entries.push({ name, path, size, mtimeMs });
    }
    let total = entries.reduce((sum, { size }) => sum + size, 0);
    for (const { name, path, size } of entries.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
      if (total <= this.#maxBytes) return;
      if (this.#used.has(name)) continue;
      await rm(path, { force: true });
      total -= size;
    }
  }
}

async function isIntact(path: string, ref: BlobRef): Promise<boolean> {
  const bytes = await readFile(path).catch(() => undefined);
  return bytes !== undefined && bytes.byteLength === ref.byteLength && sha256Of(bytes) === ref.sha256;
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
