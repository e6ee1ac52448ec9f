/** @file A backend's buffer, counted by the tensors and tape entries that refer to it. */
import type { Backend, DeviceBuffer, StorageFidelity } from "../backend/backend.js";

export class Storage {
  readonly backend: Backend;
  readonly buffer: DeviceBuffer;
  /** Raised by every in-place write, so that the tape notices a saved tensor that was overwritten. */
  version = 0;
  #numOwners = 1;
  readonly #isBorrowed: boolean;

  /** Allocates `byteLength` bytes, or refers to a buffer that somebody else frees. */
  constructor(backend: Backend, byteLength: number, memory: StorageFidelity | DeviceBuffer) {
    this.backend = backend;
    this.#isBorrowed = typeof memory !== "string";
    this.buffer = typeof memory === "string" ? backend.allocate(byteLength, memory) : memory;
  }

  /** True while exactly one tensor refers to the buffer. */
  get isExclusive(): boolean {
    return this.#numOwners === 1 && !this.#isBorrowed;
  }

  retain(): this {
    this.#numOwners++;
    return this;
  }

  release(): void {
    if (--this.#numOwners === 0 && !this.#isBorrowed) this.backend.free(this.buffer);
  }
}
