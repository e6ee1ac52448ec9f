/**
 * @file GPU buffers, counted and used again.
 *
 * A freed buffer may be handed out at once: what was recorded before its reuse runs before it, for a queue keeps its order. Contents are
 * undefined after allocation.
 */
import { BackendError, type DeviceBuffer, type MemoryFigures, OutOfMemoryError, StateError } from "@lockstep/core";
import type { HostWords } from "./host-words.js";

const granularity = 256;
const usage = 0x80 | 0x4 | 0x8; // STORAGE | COPY_SRC | COPY_DST

let numMade = 0;

/** A buffer of this backend. `id` is unique in the process: caches of bind groups name buffers by it. */
export class GpuBuffer implements DeviceBuffer {
  readonly id = numMade++;
  readonly handle: GPUBuffer;
  /** Bytes that its elements take. */
  byteLength: number;
  /** Its elements are binary16, two bytes each; else words of 32 bits. */
  isHalf = false;
  isFreed = false;
  /** How often it was handed out: a use of its memory is known by buffer and number. */
  allocation = 0;
  /** Integers that the host wrote into all of it. */
  host: HostWords | undefined;
  /** Belongs to a recorded step, to which `free` leaves it. */
  isPinned = false;

  constructor(handle: GPUBuffer, byteLength: number) {
    this.handle = handle;
    this.byteLength = byteLength;
  }
}

export interface BufferPoolOptions {
  /** Most bytes to take from the device. Default: no cap but the device's own. */
  readonly maxBytes?: number;
  /** Most bytes of one buffer. Default: what the device binds at a time, which it is at most. */
  readonly maxBindingBytes?: number;
  /** Called with a buffer that is about to be destroyed: nothing recorded may refer to it any more. */
  readonly beforeDestroy: (buffer: GpuBuffer) => void;
}

export class BufferPool {
  readonly #device: GPUDevice;
  readonly #options: BufferPoolOptions;
  readonly #freeBySize = new Map<number, GpuBuffer[]>();
  #usedBytes = 0;
  #peakBytes = 0;
  #reservedBytes = 0;
  #numBuffers = 0;

  constructor(device: GPUDevice, options: BufferPoolOptions) {
    this.#device = device;
    this.#options = options;
  }

  /** @throws {OutOfMemoryError} E_OUT_OF_MEMORY past the cap or past what one binding can hold. */
  allocate(byteLength: number, isHalf = false): GpuBuffer {
    const size = Math.max(granularity, Math.ceil(byteLength / granularity) * granularity);
    this.#assertFits(byteLength, size);
    const buffer = this.#freeBySize.get(size)?.pop() ?? this.#create(size);
    this.use(buffer, byteLength);
    buffer.isHalf = isHalf;
    this.#usedBytes += byteLength;
    this.#peakBytes = Math.max(this.#peakBytes, this.#usedBytes);
    this.#numBuffers++;
    return buffer;
  }

  /** Hands a buffer out: its contents are a new use of it. */
  use(buffer: GpuBuffer, byteLength: number): GpuBuffer {
    buffer.byteLength = byteLength;
    buffer.isFreed = false;
    buffer.allocation++;
    buffer.host = undefined;
    return buffer;
  }

  /** A buffer for a recorded step: `free` ends a use of it and leaves it to its owner, who gives it back by `unpin`. */
  pin(byteLength: number, isHalf = false): GpuBuffer {
    const buffer = this.allocate(byteLength, isHalf);
    buffer.isPinned = true;
    buffer.isFreed = true;
    return buffer;
  }

  /** The owner's use ends; one that it handed out goes on until it is freed. */
  unpin(buffer: GpuBuffer): void {
    buffer.isPinned = false;
    if (!buffer.isFreed) return;
    buffer.isFreed = false;
    this.free(buffer);
  }

  free(buffer: GpuBuffer): void {
    if (buffer.isFreed) throw new StateError(`free: buffer ${buffer.id} was freed before; free it once.`);
    buffer.isFreed = true;
    if (buffer.isPinned) return;
    this.#usedBytes -= buffer.byteLength;
    this.#numBuffers--;
    const size = buffer.handle.size;
    const list = this.#freeBySize.get(size);
    if (list === undefined) this.#freeBySize.set(size, [buffer]);
    else list.push(buffer);
  }

  figures(): MemoryFigures {
    return {
      usedBytes: this.#usedBytes,
      peakBytes: this.#peakBytes,
      reservedBytes: this.#reservedBytes,
      numBuffers: this.#numBuffers,
    };
  }

  /** Gives what is not in use back to the device. */
  trim(): void {
    for (const list of this.#freeBySize.values()) {
      for (const buffer of list) {
        this.#options.beforeDestroy(buffer);
        this.#reservedBytes -= buffer.handle.size;
        buffer.handle.destroy();
      }
    }
    this.#freeBySize.clear();
  }

  #create(size: number): GpuBuffer {
    const { maxBytes } = this.#options;
    if (maxBytes !== undefined && this.#reservedBytes + size > maxBytes) this.trim();
    const handle = this.#device.createBuffer({ size, usage, label: `a tensor of ${size} bytes` });
    this.#reservedBytes += size;
    return new GpuBuffer(handle, size);
  }

  #assertFits(byteLength: number, size: number): void {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.limits;
    const { maxBindingBytes = Number.POSITIVE_INFINITY } = this.#options;
    const limit = Math.min(maxBufferSize, maxStorageBufferBindingSize, maxBindingBytes);
    if (size > limit) {
      throw new OutOfMemoryError(
        `webgpu: one tensor of ${byteLength} bytes was asked for, and this adapter binds at most ${limit} bytes at a time. Use smaller micro-batches, split the tensor, or, where it holds logits, take losses.linearCrossEntropy.`,
        { byteLength, limit },
      );
    }
    const { maxBytes } = this.#options;
    if (maxBytes !== undefined && this.#usedBytes + size > maxBytes) {
      throw new OutOfMemoryError(
        `webgpu: ${byteLength} bytes were asked for, ${this.#usedBytes} are in use and ${maxBytes} is the cap (maxBytes). Use smaller micro-batches, checkpoint activations, or raise the cap.`,
        { byteLength, usedBytes: this.#usedBytes, maxBytes },
      );
    }
  }
}

/** @throws {BackendError} E_BACKEND for a buffer of another backend; {StateError} when it was freed. */
export function asGpuBuffer(buffer: DeviceBuffer): GpuBuffer {
  if (!(buffer instanceof GpuBuffer)) {
    throw new BackendError(
      "webgpu: a buffer of another backend was passed in; every tensor of an op must live on one backend.",
    );
  }
  if (buffer.isFreed) {
    throw new StateError(`webgpu: buffer ${buffer.id} was freed; use tensors before they are disposed.`);
  }
  return buffer;
}
