/**
 * @file A ComputeEngine on a thread of its own: the thread of the sockets never waits for a kernel. Both threads see one memory;
 * messages carry addresses only.
 */
import { Worker } from "node:worker_threads";
import { createCpuMemory } from "@lockstep/core";
import type {
  AppliedStep,
  ComputedNodes,
  ComputeEngine,
  ComputeProgress,
  ComputeRequest,
  EvaluatedMicroBatch,
  ExportedState,
  ImportedState,
  NodeRange,
  PreparedEngine,
  ReadyBucket,
} from "../engine/compute-engine.js";
import { errorFromReport, TrainingError } from "../errors.js";
import type { EngineSpec } from "./engine-spec.js";
import { exportOnOtherThread } from "./snapshot-thread.js";
import type { CallName, ReplyMessage, ThreadCalls, ThreadData } from "./thread-calls.js";

interface CallListeners {
  readonly onBucket?: (bucket: ReadyBucket) => void;
  readonly onProgress?: (progress: ComputeProgress) => void;
}

interface PendingCall extends CallListeners {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

export interface ThreadEngineOptions {
  readonly spec: EngineSpec;
  /** Module of the thread; the built one beside this file unless a test runs from source. */
  readonly entry?: URL;
  readonly execArgv?: readonly string[];
}

export class ThreadEngine implements ComputeEngine {
  readonly memory: WebAssembly.Memory;
  readonly #thread: Worker;
  readonly #abortedCall: Int32Array;
  readonly #pending = new Map<number, PendingCall>();
  #lastCall = 0;
  #closedBy: Error | undefined;

  constructor({ spec, entry, execArgv }: ThreadEngineOptions) {
    this.memory = createCpuMemory({ shared: true });
    const abortWord = new SharedArrayBuffer(4);
    this.#abortedCall = new Int32Array(abortWord);
    const data: ThreadData = { spec, memory: this.memory, abortWord };
    this.#thread = new Worker(entry ?? new URL("./compute-thread.js", import.meta.url), {
      workerData: data,
      ...(execArgv === undefined ? {} : { execArgv: [...execArgv] }),
    });
    this.#thread.on("message", (message: ReplyMessage) => this.#receive(message));
    this.#thread.on("error", (error) => this.#close(error));
    this.#thread.on("exit", (code) => this.#close(this.#exitError(code)));
  }

  prepare(): Promise<PreparedEngine> {
    return this.#call("prepare", undefined);
  }
  computeNodes(
    request: ComputeRequest,
    onBucket: (bucket: ReadyBucket) => void,
    onProgress: (progress: ComputeProgress) => void = () => {},
  ): Promise<ComputedNodes> {
    return this.#call("computeNodes", request, { listeners: { onBucket, onProgress } });
  }
  abort(): void {
    Atomics.store(this.#abortedCall, 0, this.#lastCall);
  }
  applyStep(step: number): Promise<AppliedStep> {
    return this.#call("applyStep", step);
  }
  evaluate(range: NodeRange): Promise<readonly EvaluatedMicroBatch[]> {
    return this.#call("evaluate", range);
  }
  async exportState(): Promise<ExportedState> {
    return exportOnOtherThread(await this.#call("exportState", undefined));
  }
  importState({ step, files }: ImportedState): Promise<{ step: number; stateHash: string }> {
    const owned = files.map(({ name, bytes }) => ({ name, bytes: owningItsBuffer(bytes) }));
    const transfer = [...new Set(owned.map(({ bytes }) => bytes.buffer))];
    return this.#call("importState", { step, files: owned }, { transfer });
  }

  /** Ends the thread at once, whatever it computes. */
  async dispose(): Promise<void> {
    if (this.#closedBy !== undefined) return;
    this.#closedBy = new TrainingError("engine: it was disposed; make a new one.", {}, "E_DISPOSED");
    await this.#thread.terminate();
    for (const { reject } of this.#pending.values()) reject(this.#closedBy);
    this.#pending.clear();
  }

  #call<Name extends CallName>(
    name: Name,
    argument: ThreadCalls[Name]["argument"],
    options: { readonly listeners?: CallListeners; readonly transfer?: readonly ArrayBuffer[] } = {},
  ): Promise<ThreadCalls[Name]["result"]> {
    if (this.#closedBy !== undefined) return Promise.reject(this.#closedBy);
    const call = ++this.#lastCall;
    return new Promise((resolve, reject) => {
      this.#pending.set(call, { resolve, reject, ...options.listeners });
      this.#thread.postMessage({ call, name, argument }, options.transfer ?? []);
    });
  }

  #receive(message: ReplyMessage): void {
    const pending = this.#pending.get(message.call);
    if (pending === undefined) return;
    if (message.kind === "bucket") {
      pending.onBucket?.(message.bucket);
      return;
    }
    if (message.kind === "progress") {
      pending.onProgress?.(message.progress);
      return;
    }
    this.#pending.delete(message.call);
    if (message.kind === "result") pending.resolve(message.value as never);
    else pending.reject(errorFromReport(message.error));
  }

  #close(error: Error): void {
    this.#closedBy ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#closedBy);
    this.#pending.clear();
  }

  #exitError(code: number): Error {
    return new TrainingError(
      `engine: the compute thread ended with status ${code}; it must live as long as the worker. See the log above it.`,
      { status: code },
      "E_COMPUTE_THREAD",
    );
  }
}

/** The bytes, copied unless they are all of a buffer of their own: only then can it be handed to another thread. */
function owningItsBuffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength) return new Uint8Array(buffer);
  return new Uint8Array(bytes); // not slice(): a Buffer's is a view
}
