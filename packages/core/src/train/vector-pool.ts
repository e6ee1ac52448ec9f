/** @file Flat f32 vectors of one length in a backend's memory, reused from step to step. */
import type { Backend, TensorView } from "../backend/backend.js";
import { untracked } from "../tensor/scope.js";
import { contiguousStrides } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";

export class VectorPool {
  readonly backend: Backend;
  /** Elements of each vector. */
  readonly length: number;
  private readonly free: Tensor[] = [];
  private readonly used = new Set<Tensor>();
  private peak = 0;

  constructor(backend: Backend, length: number) {
    this.backend = backend;
    this.length = length;
  }

  /** A vector with undefined contents, allocated only if none is free. */
  acquire(): Tensor {
    const vector = this.free.pop() ?? untracked(() => Tensor.allocate(this.backend, [this.length], "f32", "exact"));
    this.used.add(vector);
    this.peak = Math.max(this.peak, this.used.size);
    return vector;
  }

  release(vector: Tensor): void {
    if (this.used.delete(vector)) this.free.push(vector);
  }

  /** The elements that a parameter's gradient has in a vector, as a tensor of its shape outside of scopes. The vector stays the pool's. */
  gradientIn(vector: Tensor, parameter: { readonly offset: number; readonly shape: readonly number[] }): Tensor {
    const { offset, shape } = parameter;
    return vector.alias({ offset, shape, strides: contiguousStrides(shape) });
  }

  /** Gives every vector back at once. */
  releaseAll(): void {
    for (const vector of [...this.used]) this.release(vector);
  }

  /** Elements [offset, offset + length) of a vector. */
  window(vector: Tensor, offset: number, length: number): TensorView {
    return { buffer: vector.buffer, offset, shape: [length], strides: [1], dtype: "f32" };
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
    for (const vector of [...this.used, ...this.free]) vector.dispose();
    this.used.clear();
    this.free.length = 0;
  }
}
