/**
 * @file The WebGPU backend: tensors in GPU buffers, kernels in WGSL, launches recorded and submitted together.
 *
 * Invariants: the order of additions depends on shapes alone, so that one adapter gives the same bits every time; what arrives late (errors,
 * a lost device) is thrown by the next call that looks. Reading is asynchronous and sees the numbers as they are at the call.
 */
import type { Backend, DeviceBuffer, DTypeArray, ElementwiseProgram, TensorView } from "@lockstep/core";
import {
  contiguousStrides,
  hostArray,
  isContiguous,
  type KernelTable,
  type MemoryFigures,
  numElements,
} from "@lockstep/core/backend";
import { type AdapterDescription, type DeviceOptions, type OpenedDevice, openDevice } from "./device/open-device.js";
import { ElementwiseRunner } from "./elementwise/elementwise-runner.js";
import { createKernelTable } from "./kernel-table.js";
import type { KernelHost } from "./launch/kernel.js";
import { Launcher, type LauncherFigures } from "./launch/launcher.js";
import { asGpuBuffer, BufferPool, type GpuBuffer } from "./memory/buffer-pool.js";
import { ConstantTables } from "./memory/constant-tables.js";
import { Readback } from "./memory/readback.js";

export interface WebGpuBackendOptions extends DeviceOptions {
  /** Most bytes to take from the device. Default: the device's own limit. */
  readonly maxBytes?: number;
  /** Most bytes of one tensor. Default: what the adapter binds at a time, which it is at most. */
  readonly maxBindingBytes?: number;
}

type MemoryOptions = Pick<WebGpuBackendOptions, "maxBytes" | "maxBindingBytes">;

export class WebGpuBackend implements Backend {
  readonly name = "webgpu";
  readonly numericClass: `webgpu:${string}`;
  readonly kernels: KernelTable;
  readonly adapter: AdapterDescription;
  readonly features: ReadonlySet<string>;
  readonly limits: GPUSupportedLimits;
  readonly #device: GPUDevice;
  readonly #launcher: Launcher;
  readonly #pool: BufferPool;
  readonly #readback: Readback;
  readonly #elementwise: ElementwiseRunner;

  constructor({ device, adapter, features, limits }: OpenedDevice, options: MemoryOptions = {}) {
    this.#device = device;
    this.adapter = adapter;
    this.features = features;
    this.limits = limits;
    this.numericClass = `webgpu:${adapter.vendor || "unknown"}/${adapter.architecture || adapter.device || "unknown"}`;
    this.#launcher = new Launcher(device);
    const { maxBytes, maxBindingBytes } = options;
    const most = {
      ...(maxBytes !== undefined && { maxBytes }),
      ...(maxBindingBytes !== undefined && { maxBindingBytes }),
    };
    this.#pool = new BufferPool(device, { ...most, beforeDestroy: () => this.#launcher.forgetBindGroups() });
    this.#readback = new Readback(device, this.#launcher);
    const host = this.#host();
    this.#elementwise = new ElementwiseRunner(host);
    this.kernels = createKernelTable(host);
  }

  allocate(byteLength: number): DeviceBuffer {
    return this.#pool.allocate(byteLength);
  }

  free(buffer: DeviceBuffer): void {
    this.#pool.free(asGpuBuffer(buffer));
  }

  write(buffer: DeviceBuffer, offset: number, source: DTypeArray): void {
    const words = source instanceof Uint8Array ? Int32Array.from(source) : source;
    if (words.length === 0) return;
    this.#launcher.assertWell();
    // The queue would write before what is recorded but not yet submitted.
    this.#launcher.submit();
    this.#device.queue.writeBuffer(asGpuBuffer(buffer).handle, offset * 4, words as Float32Array<ArrayBuffer>);
  }

  async read(view: TensorView): Promise<DTypeArray> {
    const length = numElements(view.shape);
    if (length === 0) return hostArray(view.dtype, 0);
    if (isContiguous(view)) return this.#readback.read(asGpuBuffer(view.buffer), { view, length });
    const packed = this.#pool.allocate(length * 4);
    const strides = contiguousStrides(view.shape);
    const { shape, dtype } = view;
    this.kernels.copy(view, { buffer: packed, offset: 0, shape, strides, dtype });
    const result = this.#readback.read(packed, { view: { dtype: view.dtype, offset: 0 }, length });
    this.#pool.free(packed);
    return result;
  }

  elementwise(
    program: ElementwiseProgram,
    inputs: readonly TensorView[],
    scalars: readonly number[],
    outputs: readonly TensorView[],
  ): void {
    this.#elementwise.run(program, inputs, scalars, outputs);
  }

  memory(): MemoryFigures {
    return this.#pool.figures();
  }

  /** Launches, submits and pipelines so far. */
  figures(): LauncherFigures {
    return this.#launcher.figures();
  }

  /** Waits until everything recorded has run. @throws {BackendError} E_DEVICE, E_DEVICE_LOST. */
  async finish(): Promise<void> {
    this.#launcher.submit();
    await this.#device.queue.onSubmittedWorkDone();
    this.#launcher.assertWell();
  }

  dispose(): void {
    this.#launcher.submit();
    this.#device.destroy();
  }

  #host(): KernelHost {
    const view = (buffer: GpuBuffer, shape: readonly number[], dtype: "f32" | "i32"): TensorView => {
      return { buffer, offset: 0, shape, strides: contiguousStrides(shape), dtype };
    };
    const tables = new ConstantTables({
      upload: (words) => {
        const buffer = this.#pool.allocate(words.byteLength);
        this.write(buffer, 0, words);
        return buffer;
      },
      release: (buffer) => this.#pool.free(buffer),
    });
    return {
      launch: (kernel, operands, params, options) => {
        const operandOf = (name: string) => {
          const { buffer, offset } = operands[name]!;
          return { buffer: asGpuBuffer(buffer), offset };
        };
        this.#launcher.launch(kernel, operandOf, params, options);
      },
      withTemporary: (shape, dtype, use) => {
        const buffer = this.#pool.allocate(numElements(shape) * 4);
        try {
          return use(view(buffer, shape, dtype));
        } finally {
          this.#pool.free(buffer);
        }
      },
      constantWords: (words) => view(tables.bufferOf(Int32Array.from(words)), [words.length], "i32"),
      constantFloats: (values) => view(tables.bufferOf(Float32Array.from(values)), [values.length], "f32"),
      limits: this.limits,
      features: this.features,
    };
  }
}

/**
 * A backend on an adapter of `gpu`: `navigator.gpu` in a browser, `loadWebGpu()` of `@lockstep/gpu-backend/node` in Node.
 *
 * @throws {BackendError} E_NO_ADAPTER with what to do; E_DEVICE when the device gives wrong numbers in a self-check.
 */
export async function createWebGpuBackend(gpu: GPU, options: WebGpuBackendOptions = {}): Promise<WebGpuBackend> {
  const opened = await openDevice(gpu, options);
  const backend = new WebGpuBackend(opened, options);
  await backend.finish();
  return backend;
}
