/**
 * @file A MicroBatchDevice on a thread of its own, for the compute thread: reading from a GPU is asynchronous, and the engine is not. The
 * device's thread writes gradients into the shared memory; this side sleeps in Atomics.wait between them.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import type { CpuBackend } from "@lockstep/core";
import type { Training } from "../engine/build-training.js";
import type { EngineNotice } from "../engine/compute-engine.js";
import type {
  DeviceListener,
  DeviceSource,
  DeviceStep,
  DeviceUpdater,
  MicroBatchDevice,
} from "../engine/micro-batch-device.js";
import { restoreUpdateCounters, stateTensors, updateCounters } from "../engine/training-state.js";
import { errorFromReport, TrainingError } from "../errors.js";
import type { DeviceAnswer, DeviceRequest, DeviceThreadData, TrainRequest } from "./device-calls.js";
import type { EngineSpec } from "./engine-spec.js";

/** Longest wait for one answer: the compilation of every kernel of a large model on a slow driver lies within it. */
const answerLimitMs = 600_000;

export class ThreadDevice implements MicroBatchDevice {
  readonly numericClass: `webgpu:${string}`;
  readonly #thread: Worker;
  readonly #port: MessagePort;
  readonly #posted: Int32Array;
  #backend: CpuBackend | undefined;
  #training: Training | undefined;
  #isStale = true;
  readonly #notices: EngineNotice[] = [];
  /** The latest. */
  #microBatch = 0;

  private constructor(
    thread: Worker,
    port: MessagePort,
    started: { posted: Int32Array; numericClass: `webgpu:${string}` },
  ) {
    this.#thread = thread;
    this.#port = port;
    this.#posted = started.posted;
    this.numericClass = started.numericClass;
  }

  /** @throws what the device's module throws, such as E_NO_ADAPTER; {TrainingError} E_COMPUTE_THREAD when the thread ends. */
  static async start(spec: EngineSpec, memory: WebAssembly.Memory): Promise<ThreadDevice> {
    const { port1, port2 } = new MessageChannel();
    const posted = new SharedArrayBuffer(4);
    const data: DeviceThreadData = { spec, memory, port: port2, posted };
    const entry = new URL(spec.device?.entry ?? "./device-thread.js", import.meta.url);
    const thread = new Worker(entry, { workerData: data, transferList: [port2] });
    const answer = await new Promise<DeviceAnswer>((resolve, reject) => {
      port1.once("message", resolve);
      thread.once("error", reject);
      thread.once("exit", (code) => reject(endedError(code)));
    });
    if (answer.kind !== "started") {
      await thread.terminate();
      throw answer.kind === "error" ? errorFromReport(answer.error) : endedError(0);
    }
    port1.unref();
    thread.unref();
    return new ThreadDevice(thread, port1, { posted: new Int32Array(posted), numericClass: answer.numericClass });
  }

  attach({ backend, training }: DeviceSource): void {
    this.#backend = backend;
    this.#training = training;
    const tensors = stateTensors(training).map((tensor) => {
      return { address: backend.addressOf(tensor), length: tensor.size };
    });
    this.#send({ kind: "attach", tensors });
    this.#receive((answer) => answer.kind === "attached");
  }

  invalidate(): void {
    this.#isStale = true;
  }

  train({ target, ...step }: DeviceStep, listener: DeviceListener): void {
    this.#train({ ...step, address: this.#backend!.addressOf(target), keeps: false }, listener);
  }

  readonly updater: DeviceUpdater = {
    push: () => {
      this.#isStale = false;
      this.#send({ kind: "push", counters: updateCounters(this.#training!) });
      this.#receive((answer) => answer.kind === "pushed");
    },
    train: (step, onLoss) => this.#train({ ...step, address: 0, keeps: true }, { onLoss, onEntry: () => {} }),
    reduce: (weight) => this.#ask({ kind: "reduce", weight }, "reduced").result,
    update: (stepIndex) => this.#ask({ kind: "update", stepIndex }, "updated").result,
    fetch: () => {
      const { counters } = this.#ask({ kind: "fetch" }, "fetched");
      restoreUpdateCounters(this.#training!, counters);
    },
  };

  #train(
    {
      stepIndex,
      microBatch,
      node,
      lossScale = 1,
      address,
      keeps,
    }: Omit<DeviceStep, "target"> & Pick<TrainRequest, "address" | "keeps">,
    listener: DeviceListener,
  ): void {
    this.#microBatch = microBatch;
    const isStale = this.#isStale;
    this.#send({ kind: "train", stepIndex, microBatch, node, address, keeps, lossScale, isStale });
    this.#isStale = false;
    this.#receive((answer) => {
      if (answer.kind === "loss") listener.onLoss(answer.loss, answer.weight);
      else if (answer.kind === "entry") listener.onEntry(answer.index, answer.isThere);
      return answer.kind === "trained";
    });
  }

  take(subtrees: Parameters<MicroBatchDevice["take"]>[0]): void {
    const wanted = subtrees.map(({ node, target }) => ({ node, address: this.#backend!.addressOf(target) }));
    this.#send({ kind: "take", subtrees: wanted });
    this.#receive((answer) => answer.kind === "taken");
  }

  takeNotices(): readonly EngineNotice[] {
    return this.#notices.splice(0);
  }

  dispose(): void {
    this.#send({ kind: "close" });
    this.#port.close();
    void this.#thread.terminate();
  }

  #ask<Kind extends DeviceAnswer["kind"]>(request: DeviceRequest, kind: Kind): Extract<DeviceAnswer, { kind: Kind }> {
    let found: DeviceAnswer | undefined;
    this.#send(request);
    this.#receive((answer) => {
      found = answer;
      return answer.kind === kind;
    });
    return found as Extract<DeviceAnswer, { kind: Kind }>;
  }

  #send(request: DeviceRequest): void {
    this.#port.postMessage(request);
  }

  /** Takes answers until `isLast`. What a listener throws is thrown once the device has told all, so that the next request finds it idle. */
  #receive(isLast: (answer: DeviceAnswer) => boolean): void {
    let failure: unknown;
    for (;;) {
      const answer = this.#next();
      if (answer.kind === "error") throw failure ?? errorFromReport(answer.error);
      try {
        if (answer.kind === "notice") {
          const { code, message } = answer;
          this.#notices.push({ microBatch: this.#microBatch, code, message });
        } else if (failure === undefined ? isLast(answer) : answer.kind === "trained") break;
      } catch (error) {
        failure = error;
      }
    }
    if (failure !== undefined) throw failure;
  }

  #next(): DeviceAnswer {
    for (;;) {
      const seen = Atomics.load(this.#posted, 0);
      const received = receiveMessageOnPort(this.#port) as { message: DeviceAnswer } | undefined;
      if (received !== undefined) return received.message;
      if (Atomics.wait(this.#posted, 0, seen, answerLimitMs) === "timed-out") {
        throw new TrainingError(
          `device: no answer came for ${answerLimitMs / 1000} s; a micro-batch must take less. Lower microBatchSize, or train on the CPU (--backend cpu).`,
          { limitMs: answerLimitMs },
          "E_DEVICE_TIMEOUT",
        );
      }
    }
  }
}

function endedError(code: number): TrainingError {
  return new TrainingError(
    `device: its thread ended with status ${code}; it must live as long as the worker. See the log above it.`,
    { status: code },
    "E_COMPUTE_THREAD",
  );
}
