/**
 * @file Memory of the CPU backend: buffers in one growing WebAssembly memory.
 *
 * Best fit, lowest address among equals, with coalescing: which block is chosen depends only on what is live, not on how it came
 * about, so a training step that frees what it allocates finds the same addresses in every step and the memory stops growing.
 * Invariants: blocks tile [firstBufferAddress, end); no two neighbouring blocks are free; 64 bytes after the last block are unused.
 */

import type { MemoryFigures } from "../backend/backend.js";
import { OutOfMemoryError, StateError } from "../errors.js";
import { alignment, alignUp, firstBufferAddress, maxPages, pageBytes } from "./memory-layout.js";

interface Block {
  address: number;
  bytes: number;
  isFree: boolean;
  previous: Block | undefined;
  next: Block | undefined;
}

export interface ArenaOptions {
  /** Most bytes the memory may have. */
  readonly maxBytes: number;
}

/** Growth step: at least this many bytes at once, so that a run does not grow page by page. */
const growthBytes = 4 * 1024 * 1024;

export class Arena {
  readonly memory: WebAssembly.Memory;
  readonly #maxBytes: number;
  readonly #live = new Map<number, Block>();
  /** Free blocks by size, each list sorted by address. */
  readonly #bins = new Map<number, Block[]>();
  /** Sizes of non-empty bins, ascending. */
  readonly #sizes: number[] = [];
  #last: Block | undefined;
  #end = firstBufferAddress;
  #usedBytes = 0;
  #peakBytes = 0;

  constructor(memory: WebAssembly.Memory, options: ArenaOptions) {
    this.memory = memory;
    this.#maxBytes = Math.min(options.maxBytes, maxPages * pageBytes);
  }

  /**
   * @returns the byte address of `byteLength` bytes (0 is allowed), 64-byte aligned, padded to a multiple of 64.
   * @throws {OutOfMemoryError} E_OUT_OF_MEMORY
   */
  allocate(byteLength: number): number {
    const bytes = Math.max(alignUp(byteLength), alignment);
    const block = this.#takeFree(bytes) ?? this.#append(bytes, byteLength);
    this.#live.set(block.address, block);
    this.#usedBytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#usedBytes);
    return block.address;
  }

  /** @throws {StateError} E_STATE when nothing is allocated at the address. */
  free(address: number): void {
    const block = this.#live.get(address);
    if (!block)
      throw new StateError(`free: no buffer starts at byte ${address}; a buffer must be freed exactly once.`, {
        address,
      });
    this.#live.delete(address);
    this.#usedBytes -= block.bytes;
    block.isFree = true;
    this.#putFree(this.#absorbNext(this.#absorbIntoPrevious(block)));
  }

  figures(): MemoryFigures {
    return {
      usedBytes: this.#usedBytes,
      peakBytes: this.#peakBytes,
      reservedBytes: this.#end - firstBufferAddress,
      numBuffers: this.#live.size,
    };
  }

  #takeFree(bytes: number): Block | undefined {
    const size = this.#sizes[lowerBound(this.#sizes, bytes)];
    const block = size === undefined ? undefined : this.#bins.get(size)?.[0];
    if (!block) return undefined;
    this.#removeFree(block);
    block.isFree = false;
    if (block.bytes > bytes) this.#split(block, bytes);
    return block;
  }

  #split(block: Block, bytes: number): void {
    const rest: Block = {
      address: block.address + bytes,
      bytes: block.bytes - bytes,
      isFree: true,
      previous: block,
      next: block.next,
    };
    if (block.next) block.next.previous = rest;
    else this.#last = rest;
    block.next = rest;
    block.bytes = bytes;
    this.#putFree(rest);
  }

  /** Takes new bytes at the end, together with a free last block. */
  #append(bytes: number, asked: number): Block {
    const tail = this.#last?.isFree ? this.#last : undefined;
    this.#grow(this.#end + bytes - (tail?.bytes ?? 0), asked);
    if (tail) {
      this.#removeFree(tail);
      this.#end += bytes - tail.bytes;
      tail.bytes = bytes;
      tail.isFree = false;
      return tail;
    }
    const block: Block = { address: this.#end, bytes, isFree: false, previous: this.#last, next: undefined };
    if (this.#last) this.#last.next = block;
    this.#last = block;
    this.#end += bytes;
    return block;
  }

  #grow(end: number, asked: number): void {
    const present = this.memory.buffer.byteLength;
    const needed = end + alignment;
    if (needed <= present) return;
    const target = Math.min(Math.max(needed, present + growthBytes), Math.max(needed, this.#maxBytes));
    const isGrown = target <= this.#maxBytes && this.#growTo(target);
    if (!isGrown && !(needed <= this.#maxBytes && this.#growTo(needed))) throw this.#outOfMemory(asked);
  }

  #growTo(bytes: number): boolean {
    const pages = Math.ceil((bytes - this.memory.buffer.byteLength) / pageBytes);
    try {
      this.memory.grow(pages);
      return true;
    } catch {
      return false;
    }
  }

  #outOfMemory(asked: number): OutOfMemoryError {
    const usedBytes = this.#usedBytes;
    const maxBytes = this.#maxBytes;
    const largestFreeBytes = this.#sizes.at(-1) ?? 0;
    return new OutOfMemoryError(
      `allocate: a buffer of ${asked} bytes was asked for, ${usedBytes} of ${maxBytes} bytes are used and the largest gap has ` +
        `${largestFreeBytes}; all buffers must fit in one memory. Use a smaller microBatchSize or free tensors earlier.`,
      { askedBytes: asked, usedBytes, maxBytes, largestFreeBytes },
    );
  }

  #absorbIntoPrevious(block: Block): Block {
    const previous = block.previous;
    if (!previous?.isFree) return block;
    this.#removeFree(previous);
    this.#unlinkAfter(previous, block);
    return previous;
  }
  #absorbNext(block: Block): Block {
    const next = block.next;
    if (!next?.isFree) return block;
    this.#removeFree(next);
    this.#unlinkAfter(block, next);
    return block;
  }
  #unlinkAfter(left: Block, right: Block): void {
    left.bytes += right.bytes;
    left.next = right.next;
    if (right.next) right.next.previous = left;
    else this.#last = left;
  }

  #putFree(block: Block): void {
    let bin = this.#bins.get(block.bytes);
    if (!bin) {
      bin = [];
      this.#bins.set(block.bytes, bin);
    }
    if (bin.length === 0) this.#sizes.splice(lowerBound(this.#sizes, block.bytes), 0, block.bytes);
    bin.splice(
      lowerBound(bin, block.address, (b) => b.address),
      0,
      block,
    );
  }
  #removeFree(block: Block): void {
    const bin = this.#bins.get(block.bytes) ?? [];
    bin.splice(
      lowerBound(bin, block.address, (b) => b.address),
      1,
    );
    if (bin.length > 0) return;
    this.#bins.delete(block.bytes);
    this.#sizes.splice(lowerBound(this.#sizes, block.bytes), 1);
  }
}

/** First index whose key is at least `key`. */
function lowerBound(list: readonly number[], key: number): number;
function lowerBound<T>(list: readonly T[], key: number, keyOf: (item: T) => number): number;
function lowerBound<T>(list: readonly T[], key: number, keyOf?: (item: T) => number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const item = list[middle] as T;
    if ((keyOf ? keyOf(item) : (item as number)) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
