/** @file Small tables in device memory that depend on geometry alone, kept by content. */
import type { GpuBuffer } from "./buffer-pool.js";

/** More tables than this are not kept for one process: geometries that change all the time would fill the device. */
const maxTables = 512;

export class ConstantTables {
  readonly #upload: (words: Int32Array | Float32Array) => GpuBuffer;
  readonly #buffers = new Map<string, GpuBuffer>();

  constructor(upload: (words: Int32Array | Float32Array) => GpuBuffer) {
    this.#upload = upload;
  }

  bufferOf(words: Int32Array | Float32Array): GpuBuffer {
    const key = `${words instanceof Float32Array ? "f" : "i"}${words.join()}`;
    const known = this.#buffers.get(key);
    if (known !== undefined) return known;
    if (this.#buffers.size >= maxTables) this.#buffers.clear();
    const buffer = this.#upload(words);
    this.#buffers.set(key, buffer);
    return buffer;
  }
}
