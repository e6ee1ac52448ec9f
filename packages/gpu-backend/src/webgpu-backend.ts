/**
 * @file The WebGPU backend: tensors in GPU buffers, kernels in WGSL, launches recorded and submitted together.
 *
 * Invariants: the order of additions depends on shapes alone, so that one adapter gives the same bits every time; what arrives late (errors,
 * a lost device) is thrown by the next call that looks. Reading is asynchronous and sees the numbers as they are at the call.
 */
import {
  type Backend,
  BackendError,
  type DeviceBuffer,
  type DTypeArray,
  type ElementwiseProgram,
  type ElementwiseRun,
  type LateResults,
  type StorageFidelity,
  type TensorView,
} from "@lockstep/core";
import {
  contiguousStrides,
  hostArray,
  isContiguous,
  type KernelTable,
  type MemoryFigures,
  numElements,
  type StepRunnerOptions,
} from "@lockstep/core/backend";
import { adapterName } from "./device/adapter-name.js";
import { checkSubgroups } from "./device/check-subgroups.js";
import { assertHalvesWork } from "./device/half-check.js";
import {
  type AdapterDescription,
  type DeviceOptions,
  numericClassOf,
  type OpenedDevice,
  openDevice,
} from "./device/open-device.js";
import { selfCheck } from "./device/self-check.js";
import { ElementwiseRunner } from "./elementwise/elementwise-runner.js";
import { ElementwiseRuns } from "./elementwise/elementwise-runs.js";
import { createKernelTable } from "./kernel-table.js";
import { createLateResults } from "./late-results.js";
import type { KernelHost } from "./launch/kernel.js";
import type { LaunchWatcher } from "./launch/launch-watcher.js";
import { Launcher, type LauncherFigures } from "./launch/launcher.js";
import { asGpuBuffer, BufferPool, type GpuBuffer } from "./memory/buffer-pool.js";
import { ConstantTables } from "./memory/constant-tables.js";
import { halvesOf } from "./memory/half-floats.js";
import { hostWordsOf, noteCopy, noteWrite } from "./memory/host-words.js";
import { Readback } from "./memory/readback.js";
import { type InputAllocations, WebGpuStepRunner } from "./replay/webgpu-step-runner.js";
import { defaultChoices, type KernelChoices } from "./tuning/kernel-choices.js";
import { type TuningOptions, tuneTiles } from "./tuning/tune.js";

export interface WebGpuBackendOptions extends DeviceOptions {
  /** Most bytes to take from the device. Default: the device's own limit. */
  readonly maxBytes?: number;
  /** Most bytes of one tensor. Default: what the adapter binds at a time, which it is at most. */
  readonly maxBindingBytes?: number;
  /** Told of what the adapter has and is not used, and why: one line each. */
  readonly onNotice?: (line: string) => void;
  /** Where measured choices of kernels are kept. Without it nothing is measured. */
  readonly tuning?: TuningOptions;
  /** Default true. False for devices that compute nothing, such as Dawn's null backend. */
  readonly selfCheck?: boolean;
  /**
   * "f16": f32 tensors of at least `minHalfElements` elements lie in memory as binary16, and kernels compute with them in f32 (docs/webgpu.md).
   * Needs the adapter's "shader-f16". Default "f32".
   */
  readonly storage?: FloatStorage;
  /** Smaller f32 tensors keep 32 bits: losses, biases and statistics cost nothing and gain from them. Default 1,024. */
  readonly minHalfElements?: number;
}

/** How f32 tensors lie in memory. */
export type FloatStorage = "f32" | "f16";

type MemoryOptions = Pick<WebGpuBackendOptions, "maxBytes" | "maxBindingBytes" | "storage" | "minHalfElements">;

const defaultMinHalfElements = 1_024;

export class WebGpuBackend implements Backend {
  readonly name = "webgpu";
  readonly numericClass: `webgpu:${string}`;
  readonly kernels: KernelTable;
  readonly adapter: AdapterDescription;
  readonly features: ReadonlySet<string>;
  readonly limits: GPUSupportedLimits;
  readonly #choices = defaultChoices();
  readonly #device: GPUDevice;
  readonly #launcher: Launcher;
  readonly #pool: BufferPool;
  readonly #readback: Readback;
  readonly #elementwise: ElementwiseRunner;
  readonly #elementwiseRuns: ElementwiseRuns;
  readonly late: LateResults;
  #watcher: LaunchWatcher | undefined;
  #inputs: InputAllocations | undefined;
  /** Elements from which on an f32 tensor is stored in 16 bits. */
  readonly #halfFrom: number;

  constructor({ device, adapter, features, limits }: OpenedDevice, options: MemoryOptions = {}) {
    this.#device = device;
    this.adapter = adapter;
    this.features = features;
    this.limits = limits;
    this.numericClass = numericClassOf(adapter, options.storage);
    this.#halfFrom =
      options.storage === "f16" ? (options.minHalfElements ?? defaultMinHalfElements) : Number.POSITIVE_INFINITY;
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
    this.#elementwiseRuns = new ElementwiseRuns(host, this.#elementwise);
    const kernels = createKernelTable(host);
    const copy: KernelTable["copy"] = (src, dst) => {
      kernels.copy(src, dst);
      noteCopy(src, dst);
    };
    this.kernels = { ...kernels, copy };
    this.late = createLateResults({ host, kernels: this.kernels, read: (view) => this.read(view) });
  }

  allocate(byteLength: number, fidelity: StorageFidelity = "exact"): DeviceBuffer {
    const isHalf = fidelity === "reducible" && byteLength >= 4 * this.#halfFrom;
    return this.#allocate(isHalf ? byteLength / 2 : byteLength, isHalf);
  }

  free(buffer: DeviceBuffer): void {
    this.#pool.free(asGpuBuffer(buffer));
  }

  write(buffer: DeviceBuffer, offset: number, source: DTypeArray): void {
    const words = source instanceof Uint8Array ? Int32Array.from(source) : source;
    if (words.length === 0) return;
    const target = asGpuBuffer(buffer);
    noteWrite(target, offset, source);
    if (target.isHalf) this.#writeHalves(target, offset, words as Float32Array);
    else this.#put(target, 4 * offset, words);
  }

  /** A queue writes whole words of four bytes; what begins or ends inside of one goes through a kernel. */
  #writeHalves(target: GpuBuffer, offset: number, source: Float32Array): void {
    const { length } = source;
    const isLast = 2 * (offset + length) === target.byteLength;
    if (offset % 2 === 0 && (length % 2 === 0 || isLast)) {
      this.#put(target, 2 * offset, halvesOf(source));
      return;
    }
    const words = this.#allocate(length * 4);
    this.#put(words, 0, source);
    const view = { shape: [length], strides: [1], dtype: "f32" } as const;
    this.kernels.copy({ ...view, buffer: words, offset: 0 }, { ...view, buffer: target, offset });
    this.#pool.free(words);
  }

  /** Puts bytes where they belong, and writes it down. */
  #put(target: GpuBuffer, byteOffset: number, source: Float32Array | Int32Array | Uint16Array): void {
    this.#launcher.recorder?.wrote(target, byteOffset, source);
    this.#upload(target, byteOffset, source);
  }

  hostValue(view: TensorView, of: (values: DTypeArray) => number): number | undefined {
    const values = hostWordsOf(view);
    if (values === undefined) return undefined;
    const result = of(values);
    this.#launcher.recorder?.asked(view, of, result);
    return result;
  }

  createStepRunner(options: StepRunnerOptions = {}): WebGpuStepRunner {
    const withInputs = <T>(allocations: InputAllocations, fn: () => T): T => {
      this.#inputs = allocations;
      try {
        return fn();
      } finally {
        this.#inputs = undefined;
      }
    };
    return new WebGpuStepRunner(
      { device: this.#device, launcher: this.#launcher, pool: this.#pool, withInputs },
      options,
    );
  }

  async read(view: TensorView): Promise<DTypeArray> {
    this.#launcher.recorder?.refuse("its loss reads values");
    const length = numElements(view.shape);
    if (length === 0) return hostArray(view.dtype, 0);
    if (isContiguous(view)) return this.#readback.read(asGpuBuffer(view.buffer), { view, length });
    const packed = this.#allocate(length * 4);
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

  elementwiseRuns(program: ElementwiseProgram, scalars: readonly number[], runs: readonly ElementwiseRun[]): void {
    this.#elementwiseRuns.run(program, scalars, runs);
  }

  memory(): MemoryFigures {
    return this.#pool.figures();
  }

  /** Launches, submits and pipelines so far. */
  figures(): LauncherFigures {
    return this.#launcher.figures();
  }

  /** The device itself, for whoever measures it. */
  get device(): GPUDevice {
    return this.#device;
  }

  /** Tells `watcher` of every launch, until another is given or none. */
  watchLaunches(watcher: LaunchWatcher | undefined): void {
    this.#watcher = watcher;
    this.#launcher.timing = watcher;
  }

  /** What was chosen for this adapter. */
  get choices(): Readonly<KernelChoices> {
    return this.#choices;
  }

  /** What kernels do from now on where the same bits can be had in several ways. */
  choose(choices: Partial<KernelChoices>): void {
    Object.assign(this.#choices, choices);
  }

  /** Hands everything recorded to the device. */
  submit(): void {
    this.#launcher.submit();
  }

  /** Gives memory that is not in use back to the device. */
  trim(): void {
    this.#pool.trim();
  }

  /** Waits until everything recorded has run. @throws {BackendError} E_DEVICE, E_DEVICE_LOST. */
  async finish(): Promise<void> {
    this.#launcher.submit();
    await this.#device.queue.onSubmittedWorkDone();
    await this.#launcher.compiled();
    this.#launcher.assertWell();
  }

  dispose(): void {
    this.#launcher.submit();
    this.#device.destroy();
  }

  /** In the host part of a step the memory of the recorded one is offered. */
  #allocate(byteLength: number, isHalf = false): GpuBuffer {
    const inputs = this.#inputs;
    if (inputs === undefined) {
      const buffer = this.#pool.allocate(byteLength, isHalf);
      this.#launcher.recorder?.allocated(buffer);
      return buffer;
    }
    const next = inputs.offered[inputs.made.length];
    const isFit = next?.byteLength === byteLength && next.isHalf === isHalf && next.isFreed;
    const buffer = isFit ? this.#pool.use(next, byteLength) : this.#pool.allocate(byteLength, isHalf);
    inputs.made.push(buffer);
    return buffer;
  }

  #upload(target: GpuBuffer, byteOffset: number, source: Float32Array | Int32Array | Uint16Array): void {
    this.#launcher.assertWell();
    // The queue would write before what is recorded but not yet submitted.
    this.#launcher.submit();
    this.#device.queue.writeBuffer(target.handle, byteOffset, source as Float32Array<ArrayBuffer>);
  }

  #host(): KernelHost {
    const view = (buffer: GpuBuffer, shape: readonly number[], dtype: "f32" | "i32"): TensorView => {
      return { buffer, offset: 0, shape, strides: contiguousStrides(shape), dtype };
    };
    const tables = new ConstantTables({
      upload: (words) => {
        const buffer = this.#pool.allocate(words.byteLength);
        this.#upload(buffer, 0, words);
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
        this.#watcher?.beginLaunch(kernel, operands, options);
        this.#launcher.launch(kernel, operandOf, params, options);
        this.#watcher?.endLaunch();
      },
      withTemporary: (shape, dtype, use) => {
        const buffer = this.#allocate(numElements(shape) * 4);
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
      choices: this.#choices,
    };
  }
}

/**
 * A backend on an adapter of `gpu`: `navigator.gpu` in a browser, `loadWebGpu()` of `@lockstep/gpu-backend/node` in Node.
 *
 * @throws {BackendError} E_NO_ADAPTER with what to do; E_DEVICE, E_SHADER when the device fails its self-check; for the storage "f16" E_NO_F16
 *   where the adapter has no "shader-f16".
 */
export async function createWebGpuBackend(gpu: GPU, options: WebGpuBackendOptions = {}): Promise<WebGpuBackend> {
  const opened = await openDevice(gpu, options);
  const { onNotice, tuning, storage } = options;
  try {
    const isChecked = options.selfCheck !== false;
    const features = isChecked ? await selfCheck(opened, onNotice && { onNotice }) : opened.features;
    if (storage === "f16" && !features.has("shader-f16")) throw noHalvesError(opened.adapter);
    const backend = new WebGpuBackend({ ...opened, features }, options);
    if (!isChecked) return backend;
    if (storage === "f16") await assertHalvesWork(backend);
    const subgroups = await checkSubgroups({ ...opened, features });
    if (subgroups.reason !== undefined) onNotice?.(subgroups.reason);
    backend.choose({ subgroupSize: subgroups.size });
    if (tuning !== undefined) await tuneTiles(backend, opened.device, tuning);
    return backend;
  } catch (error) {
    opened.device.destroy();
    throw error;
  }
}

function noHalvesError(adapter: AdapterDescription): BackendError {
  return new BackendError(
    `webgpu: the adapter "${adapterName(adapter)}" has no shader-f16; storage in 16 bits needs it. Use the storage "f32" (--precision f32), or another adapter or driver.`,
    { adapter },
    "E_NO_F16",
  );
}
