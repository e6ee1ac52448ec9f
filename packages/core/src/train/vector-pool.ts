/** @file Flat f32 vectors of one length in a backend's memory, reused from step to step. */
import type { Backend, DeviceBuffer, TensorView } from "../backend/backend.js";

export class VectorPool {
  readonly backend: Backend;
  /** Elements of each vector. */
  readonly length: number;
  private readonly free: DeviceBuffer[] = [];
  private readonly used = new Set<DeviceBuffer>();
  private peak = 0;

  constructor(backend: Backend, length: number) {
    this.backend = backend;
    this.length = length;
  }

  /** A vector with undefined contents, allocated only if none is free. */
  acquire(): DeviceBuffer {
    const vector = this.free.pop() ?? this.backend.allocate(this.length * 4);
    this.used.add(vector);
    this.peak = Math.max(this.peak, this.used.size);
    return vector;
  }

  release(vector: DeviceBuffer): void {
    if (this.used.delete(vector)) this.free.push(vector);
  }

  /** Gives every vector back at once. */
  releaseAll(): void {
    for (const vector of [...this.used]) this.release(vector);
  }

  /** Elements [offset, offset + length) of a vector. */
  window(vector: DeviceBuffer, offset: number, length: number): TensorView {
    return { buffer: vector, offset, shape: [length], strides: [1], dtype: "f32" };
  }

  get numUsed(): number {
    return this.used.size;
  }

  /** Most vectors in use at once so far. */
  get peakUsed(): number {
    return this.peak;
  }

  /** Vectors allocated, in use or free. */
  get numAllocated(): number {
    return this.used.size + this.free.length;
  }

  dispose(): void {
    for (const vector of [...this.used, ...this.free]) this.backend.free(vector);
    this.used.clear();
    this.free.length = 0;
  }
}
