/**
 * @file Runs kernels: publishes modules to all threads, writes args blocks, splits items.
 *
 * Not here: how threads are woken (ThreadTeam, made by core/node), what kernels compute.
 */
import { BackendError } from "../errors.js";
import type { Arena } from "./arena.js";
import type { ArgTypes, ArgValues, LaunchOptions } from "./kernel.js";
import { argsAddress, argsBlockBytes, directoryAddress, maxModules } from "./memory-layout.js";
import type { BuiltModule } from "./module-builder.js";

export type KernelFunction = (begin: number, end: number, args: number) => void;

/** Functions of one module that every thread can run; thread t reads args block t. */
export interface PublishedKernel {
  /** moduleIndex * 1,024 + index of the function. */
  readonly id: number;
  readonly run: KernelFunction;
}

/** Threads that share the memory. The calling thread is number 0 and takes part. */
export interface ThreadTeam {
  readonly numThreads: number;
  /** Computes items 0..numItems in pieces of `chunk` on all threads; returns when all are done. */
  run(kernel: PublishedKernel, numItems: number, chunk: number): void;
  dispose(): void;
}

/** Pieces a thread: several, so that a thread that lags behind leaves work to the others. */
const piecesPerThread = 4;

export class Launcher {
  readonly numThreads: number;
  readonly #arena: Arena;
  readonly #team: ThreadTeam | undefined;
  readonly #maxGrain: number;
  #numModules = 0;
  #scratchAddress = 0;
  #scratchBytes = 0;
  #i32: Int32Array;
  #f32: Float32Array;

  /** @param maxGrain  where finite, launches are split down to it, however little work that is: for tests of the splitting. */
  constructor(arena: Arena, team: ThreadTeam | undefined, maxGrain: number = Number.POSITIVE_INFINITY) {
    this.#arena = arena;
    this.#team = team;
    this.#maxGrain = maxGrain;
    this.numThreads = team?.numThreads ?? 1;
    this.#i32 = new Int32Array(arena.memory.buffer, 0, directoryAddress / 4 + 2 * maxModules);
    this.#f32 = new Float32Array(arena.memory.buffer, 0, directoryAddress / 4);
  }

  /** Compiles a module here and makes its bytes known to the other threads, which compile it when they first need it. */
  publish(module: BuiltModule): ReadonlyMap<string, PublishedKernel> {
    const moduleIndex = this.#numModules;
    if (moduleIndex >= maxModules) {
      throw new BackendError(
        `publish: ${moduleIndex} modules are loaded; at most ${maxModules} fit. Create fewer different element-wise programs.`,
        { moduleIndex, maxModules },
      );
    }
    this.#numModules += 1;
    const { memory } = this.#arena;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(module.bytes), { env: { memory } });
    if (this.#team) this.#store(moduleIndex, module.bytes);
    const kernels = new Map<string, PublishedKernel>();
    for (const [name, index] of module.indexOf) {
      kernels.set(name, { id: moduleIndex * 1_024 + index, run: instance.exports[name] as KernelFunction });
    }
    return kernels;
  }

  #store(moduleIndex: number, bytes: Uint8Array): void {
    const address = this.#arena.allocate(bytes.byteLength);
    new Uint8Array(this.#arena.memory.buffer).set(bytes, address);
    const entry = directoryAddress / 4 + 2 * moduleIndex;
    this.#words();
    this.#i32[entry] = address;
    this.#i32[entry + 1] = bytes.byteLength;
  }

  launch<A extends ArgTypes>(kernel: PublishedKernel, types: A, values: ArgValues<A>, options: LaunchOptions): void {
    this.#reserveScratch(options.scratchBytes ?? 0);
    this.#words();
    let word = argsAddress / 4 + 1;
    for (const name in types) {
      if (types[name] === "f32") this.#f32[word] = values[name];
      else this.#i32[word] = values[name];
      word += 1;
    }
    for (const value of options.words ?? []) this.#i32[word++] = value;
    this.#start(kernel, word, options);
  }

  /** As `launch`, with raw words: i32 first, then f32. */
  launchWords(
    kernel: PublishedKernel,
    integers: readonly number[],
    floats: readonly number[],
    options: LaunchOptions,
  ): void {
    this.#reserveScratch(options.scratchBytes ?? 0);
    this.#words();
    let word = argsAddress / 4 + 1;
    for (const value of integers) this.#i32[word++] = value;
    for (const value of floats) this.#f32[word++] = value;
    this.#start(kernel, word, options);
  }

  #start(kernel: PublishedKernel, endWord: number, options: LaunchOptions): void {
    const { numItems } = options;
    if (numItems <= 0) return;
    const grain = Number.isFinite(options.grain) ? Math.min(options.grain, this.#maxGrain) : options.grain;
    const first = argsAddress / 4;
    this.#i32[first] = this.#scratchAddress;
    if (!this.#team || numItems <= grain) {
      kernel.run(0, numItems, argsAddress);
      return;
    }
    for (let thread = 1; thread < this.numThreads; thread++) {
      const block = first + (thread * argsBlockBytes) / 4;
      this.#i32.copyWithin(block, first, endWord);
      this.#i32[block] = this.#scratchAddress + thread * this.#scratchBytes;
    }
    const chunk = Math.max(grain, Math.ceil(numItems / (this.numThreads * piecesPerThread)), 1);
    this.#team.run(kernel, numItems, chunk);
  }

  #reserveScratch(bytes: number): void {
    if (bytes <= this.#scratchBytes) return;
    if (this.#scratchBytes > 0) this.#arena.free(this.#scratchAddress);
    this.#scratchBytes = Math.ceil(bytes / 4_096) * 4_096;
    this.#scratchAddress = this.#arena.allocate(this.#scratchBytes * this.numThreads);
  }

  /** A memory that is not shared gives a new buffer when it grows. */
  #words(): void {
    const { buffer } = this.#arena.memory;
    if (this.#i32.byteLength !== 0) return;
    this.#i32 = new Int32Array(buffer, 0, directoryAddress / 4 + 2 * maxModules);
    this.#f32 = new Float32Array(buffer, 0, directoryAddress / 4);
  }
}
