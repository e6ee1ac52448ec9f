/**
 * @file The CPU backend: tensors in one WebAssembly memory, kernels in WebAssembly SIMD emitted at run time.
 *
 * Invariants: the bits of a result depend on shapes, inputs and the numeric class, never on threads or machine (L1).
 * Not here: threads (core/node makes a ThreadTeam and passes it in), what kernels compute (cpu/kernels).
 */
import type { Backend, DeviceBuffer, MemoryFigures, TensorView } from "../backend/backend.js";
import type { KernelTable } from "../backend/kernel-table.js";
import { isContiguous, numElements, stridedOffsets } from "../backend/strided.js";
import { BackendError, StateError } from "../errors.js";
import type { ElementwiseProgram } from "../expr/program.js";
import { type DTypeArray, hostArray } from "../tensor/dtype.js";
import { Arena } from "./arena.js";
import { ElementwiseRunner } from "./elementwise/elementwise-runner.js";
import type { CpuNumericClass, Kernel, KernelHost } from "./kernel.js";
import { createKernelTable, structuralKernels } from "./kernel-table.js";
import { Launcher, type PublishedKernel, type ThreadTeam } from "./launcher.js";
import { withEpilogue } from "./matmul-epilogue.js";
import { firstBufferAddress, maxPages, pageBytes, tablesAddress } from "./memory-layout.js";
import { buildModule } from "./module-builder.js";
import { requireNumericClass } from "./numeric-class.js";
import { piTable } from "./vector-math/pi-table.js";

export interface CpuBackendOptions {
  /** Default "strict". */
  readonly numeric?: CpuNumericClass;
  /** This constructor knows one thread only: `createNodeCpuBackend` of core/node takes more. */
  readonly threads?: 1;
  /** Memory to live in, made by `createCpuMemory`; taken over as a whole. */
  readonly memory?: WebAssembly.Memory;
  /** Most bytes the memory may grow to; default 4 GiB. */
  readonly maxBytes?: number;
  /** Splits launches into pieces of at most so many items, which changes no bit: for tests. Default: as is fastest. */
  readonly maxGrain?: number;
}

interface Words {
  readonly f32: Float32Array;
  readonly i32: Int32Array;
  readonly f64: Float64Array;
}

function wordsOf(memory: WebAssembly.Memory): Words {
  const { buffer } = memory;
  return { f32: new Float32Array(buffer), i32: new Int32Array(buffer), f64: new Float64Array(buffer) };
}

class CpuBuffer implements DeviceBuffer {
  readonly address: number;
  readonly byteLength: number;
  isFreed = false;
  constructor(address: number, byteLength: number) {
    this.address = address;
    this.byteLength = byteLength;
  }
}

/** A memory that a CPU backend can live in and grow to 4 GiB. Shared ones can be seen by other threads. */
export function createCpuMemory(options: { readonly shared: boolean }): WebAssembly.Memory {
  const initial = firstBufferAddress / pageBytes + 1;
  return new WebAssembly.Memory({ initial, maximum: maxPages, shared: options.shared });
}

export class CpuBackend implements Backend {
  readonly name = "cpu";
  readonly numericClass: CpuNumericClass;
  readonly kernels: KernelTable;
  readonly memoryLimits: { readonly initialPages: number; readonly maximumPages: number; readonly shared: boolean };
  readonly #arena: Arena;
  readonly #launcher: Launcher;
  readonly #team: ThreadTeam | undefined;
  readonly #elementwise: ElementwiseRunner;
  readonly #structural: ReadonlyMap<string, PublishedKernel>;
  #words: Words;

  constructor(options: CpuBackendOptions & { readonly memory: WebAssembly.Memory }, team?: ThreadTeam) {
    this.numericClass = options.numeric ?? "strict";
    requireNumericClass(this.numericClass);
    this.memoryLimits = { initialPages: 1, maximumPages: maxPages, shared: isShared(options.memory) };
    this.#arena = new Arena(options.memory, { maxBytes: options.maxBytes ?? maxPages * pageBytes });
    this.#words = wordsOf(options.memory);
    this.#words.f64.set(piTable(), tablesAddress / 8);
    this.#team = team;
    this.#launcher = new Launcher(this.#arena, team, options.maxGrain);
    this.#structural = this.#launcher.publish(buildModule(structuralKernels(), this.numericClass, this.memoryLimits));
    const host = this.#host();
    this.kernels = withEpilogue(createKernelTable(host), (program, input, out) =>
      this.elementwise(program, [input], [], [out]),
    );
    this.#elementwise = new ElementwiseRunner({
      host,
      launcher: this.#launcher,
      memoryLimits: this.memoryLimits,
      copy: (src, dst) => this.kernels.copy(src, dst),
      allocate: (bytes) => this.allocate(bytes),
      free: (buffer) => this.free(buffer),
    });
  }

  /** The memory all buffers are in; shared when there are several threads or when it was given so. */
  get wasmMemory(): WebAssembly.Memory {
    return this.#arena.memory;
  }
  get numThreads(): number {
    return this.#launcher.numThreads;
  }

  allocate(byteLength: number): DeviceBuffer {
    return new CpuBuffer(this.#arena.allocate(byteLength), byteLength);
  }

  free(buffer: DeviceBuffer): void {
    const own = asCpuBuffer(buffer);
    if (own.isFreed) throw new StateError(`free: the buffer at byte ${own.address} was freed before; free it once.`);
    own.isFreed = true;
    this.#arena.free(own.address);
  }

  /** Byte address in `wasmMemory` of the first element of a view. */
  addressOf(view: TensorView): number {
    const buffer = asCpuBuffer(view.buffer);
    if (buffer.isFreed) {
      throw new StateError(
        `addressOf: the buffer at byte ${buffer.address} was freed; use tensors before they are disposed.`,
      );
    }
    return buffer.address + view.offset * 4;
  }

  write(buffer: DeviceBuffer, offset: number, source: DTypeArray): void {
    const start = asCpuBuffer(buffer).address / 4 + offset;
    const { f32, i32 } = this.#views();
    if (source instanceof Float32Array) f32.set(source, start);
    else i32.set(source, start);
  }

  async read(view: TensorView): Promise<DTypeArray> {
    return this.readSync(view);
  }

  readSync(view: TensorView): DTypeArray {
    const words = view.dtype === "f32" ? this.#views().f32 : this.#views().i32;
    const start = this.addressOf(view) / 4;
    const length = numElements(view.shape);
    if (isContiguous(view)) {
      const row = words.subarray(start, start + length);
      return view.dtype === "f32" || view.dtype === "i32" ? row.slice() : Uint8Array.from(row);
    }
    const out = hostArray(view.dtype, length);
    let i = 0;
    for (const offset of stridedOffsets(view.shape, view.strides)) out[i++] = words[start + offset] ?? 0;
    return out;
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
    return this.#arena.figures();
  }

  dispose(): void {
    this.#team?.dispose();
  }

  #views(): Words {
    const { buffer } = this.#arena.memory;
    if (this.#words.f32.buffer !== buffer) this.#words = wordsOf(this.#arena.memory);
    return this.#words;
  }

  #host(): KernelHost {
    return {
      numericClass: this.numericClass,
      addressOf: (view) => this.addressOf(view),
      launch: (kernel, args, options) => this.#launcher.launch(this.#published(kernel), kernel.args, args, options),
      withTemporary: (byteLength, use) => {
        const address = this.#arena.allocate(byteLength);
        try {
          return use(address);
        } finally {
          this.#arena.free(address);
        }
      },
      words: () => this.#views(),
    };
  }

  #published(kernel: Kernel): PublishedKernel {
    const published = this.#structural.get(kernel.name);
    if (!published) {
      throw new BackendError(
        `launch: kernel "${kernel.name}" is not in the structural module; it must be listed in its room's \`kernels\`.`,
        { kernel: kernel.name },
      );
    }
    return published;
  }
}

/**
 * A CPU backend on the calling thread alone, in Node and in a browser.
 *
 * @throws {BackendError} E_NUMERIC_CLASS when `numeric: "fused"` and this engine cannot be it, with the reason.
 */
export function createCpuBackend(options: CpuBackendOptions = {}): CpuBackend {
  return new CpuBackend({ ...options, memory: options.memory ?? createCpuMemory({ shared: false }) });
}

function asCpuBuffer(buffer: DeviceBuffer): CpuBuffer {
  if (buffer instanceof CpuBuffer) return buffer;
  throw new BackendError(
    "cpu: a buffer of another backend was passed in; every tensor of an op must live on one backend.",
  );
}

function isShared(memory: WebAssembly.Memory): boolean {
  return typeof SharedArrayBuffer !== "undefined" && (memory.buffer as unknown) instanceof SharedArrayBuffer;
}
