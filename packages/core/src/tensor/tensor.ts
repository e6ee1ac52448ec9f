/**
 * @file The tensor: a strided window on counted memory, and its place in the autograd tape.
 *
 * A handle never changes shape, strides or dtype. The numbers change only through in-place writers (optimizers, state dicts), which
 * raise the storage's version. A Tensor is a TensorView: kernels take it as it is. Arithmetic methods are added by
 * ops/tensor-methods.ts, so that this file imports no op.
 */
import type { Backend, DeviceBuffer, StorageFidelity, TensorView } from "../backend/backend.js";
import { BackendError, ShapeError, StateError } from "../errors.js";
import type { DType, DTypeArray } from "./dtype.js";
import { bytesPerElement } from "./dtype.js";
import { type FormatOptions, formatTensor } from "./format.js";
import { type NestedArray, nestValues } from "./nested-array.js";
import { type Scoped, setScopedClass, track } from "./scope.js";
import { contiguousStrides, formatShape, isContiguousLayout, numElements, type Shape } from "./shape.js";
import { Storage } from "./storage.js";

/** The tape's side of a tensor: the entry that computed it. */
export interface GradSource {
  retain(): void;
  release(): void;
}

export interface Layout {
  readonly offset: number;
  readonly shape: Shape;
  readonly strides: readonly number[];
}

let leakHook: ((message: string) => void) | undefined;
let leakRegistry: FinalizationRegistry<{ text: string; storage: Storage }> | undefined;

/**
 * Calls `hook` when a tensor is garbage collected that nobody disposed. For finding leaks; it frees nothing.
 * Tensors made before the call are not watched. Slow: not for training.
 */
export function setLeakHook(hook: ((message: string) => void) | undefined): void {
  leakHook = hook;
  leakRegistry ??= new FinalizationRegistry(({ text }) => leakHook?.(text));
}

export class Tensor implements TensorView, Scoped {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly dtype: DType;
  /** True: scopes leave it alone. Set by `keep`. */
  isKept = false;
  /** Cotangent accumulated by `backward`. Owned by this tensor, contiguous, outside of scopes. Leaves only. */
  grad: Tensor | undefined = undefined;
  /** Tape entry that computed this tensor; undefined for leaves. */
  gradSource: GradSource | undefined = undefined;
  /** Which output of `gradSource` this is. */
  outputIndex = 0;
  #isDisposed = false;
  #isLeafWithGrad = false;
  readonly #isContiguous: boolean;

  /** Takes over one reference of `storage`. For ops; users call `tensor`, `zeros`, ... */
  constructor(storage: Storage, dtype: DType, layout: Layout) {
    this.storage = storage;
    this.dtype = dtype;
    this.offset = layout.offset;
    this.shape = layout.shape;
    this.strides = layout.strides;
    this.#isContiguous = isContiguousLayout(layout.shape, layout.strides);
    if (leakHook !== undefined) {
      leakRegistry?.register(this, { text: `a tensor ${formatShape(this.shape)} was never disposed`, storage }, this);
    }
  }

  /**
   * A new contiguous tensor with undefined contents, in the current scope.
   *
   * @param fidelity "exact" for f32 that must keep every bit although there are many, such as statistics and optimizer state. Default:
   *   "reducible" for f32.
   */
  static allocate(
    backend: Backend,
    shape: Shape,
    dtype: DType,
    fidelity: StorageFidelity = dtype === "f32" ? "reducible" : "exact",
  ): Tensor {
    const storage = new Storage(backend, numElements(shape) * bytesPerElement[dtype], fidelity);
    const out = new Tensor(storage, dtype, { offset: 0, shape, strides: contiguousStrides(shape) });
    track(out);
    return out;
  }

  /** Another window on the same memory, in the current scope, without a place in the tape. */
  viewAs(layout: Layout): Tensor {
    const out = this.alias(layout);
    track(out);
    return out;
  }

  /** As `viewAs`, outside of scopes: the caller disposes it. */
  alias(layout: Layout = this): Tensor {
    this.assertAlive();
    return new Tensor(this.storage.retain(), this.dtype, layout);
  }

  get backend(): Backend {
    return this.storage.backend;
  }
  get buffer(): DeviceBuffer {
    this.assertAlive();
    return this.storage.buffer;
  }
  /** Number of elements. */
  get size(): number {
    return numElements(this.shape);
  }
  get numDims(): number {
    return this.shape.length;
  }
  get isContiguous(): boolean {
    return this.#isContiguous;
  }
  get isDisposed(): boolean {
    return this.#isDisposed;
  }
  /** True when `backward` of something computed from this tensor reaches it or one of its ancestors. */
  get requiresGrad(): boolean {
    return this.#isLeafWithGrad || this.gradSource !== undefined;
  }
  set requiresGrad(value: boolean) {
    if (this.gradSource !== undefined) {
      throw new StateError(
        "requiresGrad: this tensor was computed by an op; only a leaf can be changed. Call detach() first.",
        {},
        "E_NOT_A_LEAF",
      );
    }
    if (value && this.dtype !== "f32") {
      throw new StateError(`requiresGrad: dtype is ${this.dtype}; only f32 tensors have gradients.`, {
        dtype: this.dtype,
      });
    }
    this.#isLeafWithGrad = value;
  }

  /** The same numbers without a place in the tape. Shares memory. */
  detach(): Tensor {
    return this.viewAs(this);
  }

  /** Reads the elements in row-major order. */
  async data(): Promise<DTypeArray> {
    this.assertAlive();
    return this.backend.read(this);
  }
  /** As `data`, at once. @throws {BackendError} E_BACKEND on a device that cannot read synchronously. */
  dataSync(): DTypeArray {
    this.assertAlive();
    const { backend } = this;
    if (backend.readSync === undefined) {
      throw new BackendError(
        `dataSync: the ${backend.name} backend cannot read at once. Use await data(), item() or toArray().`,
        { backend: backend.name },
      );
    }
    return backend.readSync(this);
  }
  /** The only element. @throws {ShapeError} E_SHAPE when there is not exactly one. */
  async item(): Promise<number> {
    this.#assertOneElement("item");
    return (await this.data())[0]!;
  }
  itemSync(): number {
    this.#assertOneElement("itemSync");
    return this.dataSync()[0]!;
  }
  /** Nested arrays of numbers; a number for a scalar. */
  async toArray(): Promise<NestedArray> {
    return nestValues(await this.data(), this.shape);
  }
  toArraySync(): NestedArray {
    return nestValues(this.dataSync(), this.shape);
  }

  /** Gives the memory back (once all views and tape entries that use it are gone), and the gradient with it. Twice is once. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    if (leakRegistry !== undefined) leakRegistry.unregister(this);
    const source = this.gradSource;
    if (source !== undefined) {
      this.gradSource = undefined;
      source.release();
    }
    if (this.grad !== undefined) {
      this.grad.dispose();
      this.grad = undefined;
    }
    this.storage.release();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Shape, dtype and (on a backend that can read at once) the numbers, summarised as NumPy does. */
  toString(options: FormatOptions = {}): string {
    if (this.#isDisposed) return `Tensor(${formatShape(this.shape)}, ${this.dtype}, disposed)`;
    if (this.backend.readSync === undefined)
      return `Tensor(${formatShape(this.shape)}, ${this.dtype}, ${this.backend.name})`;
    return formatTensor(this.dataSync(), this, options);
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  /** @throws {StateError} E_DISPOSED */
  assertAlive(): void {
    if (this.#isDisposed) {
      throw new StateError(
        `tensor ${formatShape(this.shape)}: it was disposed and cannot be used. Return it from its scope or call keep() on it.`,
        { shape: this.shape },
        "E_DISPOSED",
      );
    }
  }
  #assertOneElement(where: string): void {
    if (this.size !== 1) {
      throw new ShapeError(
        `${where}: the tensor is ${formatShape(this.shape)}; it must have exactly one element. Use data() or toArray().`,
        { shape: this.shape },
      );
    }
  }
}

setScopedClass(Tensor);
