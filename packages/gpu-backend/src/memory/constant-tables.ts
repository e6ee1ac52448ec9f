/** @file Small tables in device memory that depend on geometry alone, kept by content. */
import type { GpuBuffer } from "./buffer-pool.js";

/** More tables than this are not kept for one process: geometries that change all the time would fill the device. */
const maxTables = 512;

export interface TableMemory {
  upload(words: Int32Array | Float32Array): GpuBuffer;
  release(buffer: GpuBuffer): void;
}

export class ConstantTables {
  readonly #memory: TableMemory;
  readonly #buffers = new Map<string, GpuBuffer>();

  constructor(memory: TableMemory) {
    this.#memory = memory;
  }

  bufferOf(words: Int32Array | Float32Array): GpuBuffer {
    const key = `${words instanceof Float32Array ? "f" : "i"}${words.join()}`;
    const known = this.#buffers.get(key);
    if (known !== undefined) return known;
    if (this.#buffers.size >= maxTables) this.#forget();
    const buffer = this.#memory.upload(words);
    this.#buffers.set(key, buffer);
    return buffer;
  }

  #forget(): void {
    for (const buffer of this.#buffers.values()) this.#memory.release(buffer);
    this.#buffers.clear();
  }
}
