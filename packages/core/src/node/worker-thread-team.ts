/**
 * @file Helper threads on worker_threads, woken and answered by Atomics. The thread that makes the team is its thread 0.
 * Helpers never keep the process alive.
 */
import { Worker } from "node:worker_threads";
import { controlWords } from "../cpu/control-words.js";
import type { PublishedKernel, ThreadTeam } from "../cpu/launcher.js";
import { argsAddress, argsBlockBytes, argsBytes, controlAddress, directoryAddress } from "../cpu/memory-layout.js";
import { BackendError } from "../errors.js";
import { type ThreadProgramData, threadProgram } from "./thread-program.js";

export interface WorkerThreadTeamOptions {
  readonly memory: WebAssembly.Memory;
  readonly numThreads: number;
  /** How often a thread looks for work, or for the end of it, before it sleeps. 0 when threads outnumber cores. */
  readonly numSpins: number;
  readonly v8Flag: string | undefined;
}

/** Longest sleep of the caller before it looks again: no wake-up can be lost for longer. */
const waitMs = 50;
/** A piece of a launch takes milliseconds; a helper that is still at it after this many sleeps (a minute) is gone. */
const maxWaits = 1_200;

export class WorkerThreadTeam implements ThreadTeam {
  readonly numThreads: number;
  readonly #memory: WebAssembly.Memory;
  readonly #control: Int32Array;
  readonly #numSpins: number;
  readonly #workers: readonly Worker[];
  #isDisposed = false;

  constructor({ memory, numThreads, numSpins, v8Flag }: WorkerThreadTeamOptions) {
    this.numThreads = numThreads;
    this.#memory = memory;
    this.#numSpins = numSpins;
    this.#control = new Int32Array(memory.buffer, controlAddress, 1000);
    this.#workers = Array.from({ length: numThreads - 1 }, (_, i) => {
      const thread = i + 1;
      const workerData: ThreadProgramData = {
        memory,
        thread,
        words: controlWords,
        controlWord: controlAddress / 4,
        directoryWord: directoryAddress / 4,
        argsAddress: argsAddress + thread * argsBlockBytes,
        argsBytes,
        numSpins,
        v8Flag,
      };
      const worker = new Worker(threadProgram, {
        eval: true,
        workerData,
        execArgv: [],
        name: `lockstep-cpu-${thread}`,
      });
      worker.unref();
      return worker;
    });
  }

  run(kernel: PublishedKernel, numItems: number, chunk: number): void {
    if (this.#isDisposed) {
      kernel.run(0, numItems, argsAddress);
      return;
    }
    const control = this.#control;
    control[controlWords.kernelId] = kernel.id;
    control[controlWords.numItems] = numItems;
    control[controlWords.chunk] = chunk;
    Atomics.store(control, controlWords.nextItem, 0);
    Atomics.store(control, controlWords.isOpen, 1);
    Atomics.add(control, controlWords.generation, 1);
    if (Atomics.load(control, controlWords.numSleeping) > 0) Atomics.notify(control, controlWords.generation);
    try {
      this.#takePart(kernel, numItems, chunk);
    } finally {
      Atomics.store(control, controlWords.isOpen, 0);
      this.#awaitHelpers();
    }
    this.#assertNoFailure();
  }

  /** Items that each thread has computed so far (modulo 2^32): for tests and profiles. */
  itemsOfThreads(): number[] {
    return Array.from(
      { length: this.numThreads },
      (_, t) => Atomics.load(this.#control, controlWords.numItemsOf + t) >>> 0,
    );
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    Atomics.store(this.#control, controlWords.isStopped, 1);
    Atomics.add(this.#control, controlWords.generation, 1);
    Atomics.notify(this.#control, controlWords.generation);
    for (const worker of this.#workers) void worker.terminate();
  }

  #takePart(kernel: PublishedKernel, numItems: number, chunk: number): void {
    const control = this.#control;
    for (;;) {
      const begin = Atomics.add(control, controlWords.nextItem, chunk);
      if (begin >= numItems) return;
      const end = Math.min(begin + chunk, numItems);
      kernel.run(begin, end, argsAddress);
      Atomics.add(control, controlWords.numItemsOf, end - begin);
    }
  }

  #awaitHelpers(): void {
    const control = this.#control;
    for (let spins = 0; spins < this.#numSpins; spins++) {
      if (Atomics.load(control, controlWords.numActive) === 0) return;
    }
    Atomics.store(control, controlWords.isCallerWaiting, 1);
    for (let waits = 0; ; ) {
      const numActive = Atomics.load(control, controlWords.numActive);
      if (numActive === 0) break;
      if (Atomics.wait(control, controlWords.numActive, numActive, waitMs) === "timed-out") waits += 1;
      if (waits > maxWaits) throw this.#lost(numActive);
    }
    Atomics.store(control, controlWords.isCallerWaiting, 0);
  }

  #lost(numActive: number): BackendError {
    this.dispose();
    const waitedMs = maxWaits * waitMs;
    return new BackendError(
      `launch: ${numActive} of ${this.numThreads} threads did not finish within ${waitedMs} ms; helper threads must not be stopped ` +
        "from outside. The result is not complete: start this process again.",
      { numActive, numThreads: this.numThreads, waitedMs },
    );
  }

  /** What a helper wrote of its error. */
  #textOf(thread: number): string {
    const block = new Uint8Array(this.#memory.buffer, argsAddress + thread * argsBlockBytes, argsBytes).slice();
    const end = block.indexOf(0);
    return new TextDecoder().decode(block.subarray(0, end < 0 ? argsBytes : end));
  }

  #assertNoFailure(): void {
    const failed = Atomics.exchange(this.#control, controlWords.failedThread, 0);
    if (failed === 0) return;
    const cause = this.#textOf(failed - 1);
    throw new BackendError(
      `launch: a kernel threw in helper thread ${failed - 1} of ${this.numThreads}; kernels must not trap. Report it with the op that ran: ${cause}`,
      { thread: failed - 1, numThreads: this.numThreads, cause },
    );
  }
}
