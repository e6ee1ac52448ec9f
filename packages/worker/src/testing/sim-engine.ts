/**
 * @file A `ComputeEngine` for simulations: the tiny model of sim-model.ts, in virtual time. Calls run in order, like those of a compute
 * thread; `computeNodes` takes time per micro-batch and ends after the one that runs when it is aborted; what was computed is kept for the
 * next request as by the real one.
 */
import { type Bucket, bucketsOf } from "@lockstep/core";
import type {
  AppliedStep,
  ComputedNodes,
  ComputeEngine,
  ComputeProgress,
  ComputeRequest,
  EngineInfo,
  ExportedState,
  ImportedState,
  MicroBatchSum,
  NodeRange,
  PreparedEngine,
  ReadyBucket,
} from "../engine/compute-engine.js";
import { memoryPlan } from "../engine/memory-plan.js";
import { modelFile, optimizerFile, readTrainer, trainerFile } from "../engine/state-files.js";
import { TrainingError } from "../errors.js";
import { bucketBytesOf } from "../job/base-config.js";
import {
  bytesOf,
  initialSimState,
  type SimModel,
  type SimNodeSum,
  type SimState,
  simLearningRate,
  simLoss,
  simMeanGradient,
  simNode,
  simSha256,
  simStateHash,
  simUpdate,
  simWeight,
} from "./sim-model.js";
import { SimNodes } from "./sim-nodes.js";

/** Virtual time, as `collectives` has it. */
export interface SimClock {
  nowMs(): number;
  schedule(delayMs: number, callback: () => void): () => void;
}

/** What a sick worker does to a node it computes: puts NaN in, changes one element a little, multiplies all by 10,000. */
export type SimPoison = "nan" | "wrong" | "huge";

export interface SimEngineOptions extends SimModel {
  readonly clock: SimClock;
  /** Virtual milliseconds of one micro-batch, asked when a node begins or goes on. */
  readonly msPerMicroBatch: number | (() => number);
  /** Virtual milliseconds of the other calls. Default 0. */
  readonly callMs?: {
    readonly prepare?: number;
    readonly apply?: number;
    readonly export?: number;
    readonly import?: number;
  };
  /** As in the job's config: the session cuts the gradient by the same number. Default 32, three buckets. */
  readonly bucketBytes?: number;
  /** Default 2; each takes the time of a training micro-batch. */
  readonly numEvalMicroBatches?: number;
  /** Default `simSha256`. */
  readonly sha256?: (parts: readonly Uint8Array[]) => string;
  /** State to continue from. */
  readonly restore?: ImportedState;
  /** Faults of this worker. */
  readonly poison?: (step: number, lo: number, hi: number) => SimPoison | undefined;
}

export class SimEngine implements ComputeEngine {
  readonly memory: WebAssembly.Memory;
  readonly #options: SimEngineOptions;
  readonly #buckets: readonly Bucket[];
  readonly #state: SimState;
  readonly #reduced: Float32Array;
  readonly #nodes: SimNodes;
  readonly #inexact: number[] = [];
  readonly #computed: [step: number, microBatch: number][] = [];
  #queue: Promise<unknown> = Promise.resolve();
  #lastCall = 0;
  #abortedCall = 0;
  #endEarly: (() => void) | undefined;
  /** Rejects what waits; a promise that all calls race with would keep every one of them. */
  readonly #waiting = new Set<(error: Error) => void>();
  #closedBy: Error | undefined;
  #step = 0;

  constructor(options: SimEngineOptions) {
    this.#options = options;
    const { params, momentum } = initialSimState(options);
    const length = params.length;
    const bucketBytes = options.bucketBytes ?? 32;
    this.#buckets = bucketsOf(length, bucketBytesOf({ bucketBytes }, length));
    const numPages = Math.ceil((4 * length * (3 + options.numMicroBatches)) / 65_536);
    this.memory = new WebAssembly.Memory({ initial: numPages, maximum: numPages });
    const vector = (i: number): Float32Array => new Float32Array(this.memory.buffer, 4 * length * i, length);
    this.#state = { params: vector(0), momentum: vector(1) };
    this.#state.params.set(params);
    this.#state.momentum.set(momentum);
    this.#reduced = vector(2);
    this.#nodes = new SimNodes(this.memory, { firstByte: 12 * length, length });
  }

  /** Micro-batches that this engine computed, in order: one that is here twice was computed twice. */
  get computed(): readonly (readonly [step: number, microBatch: number])[] {
    return this.#computed;
  }

  /** Applied steps whose gradient was not, to the bit, the sum over every micro-batch once. */
  get inexactSteps(): readonly number[] {
    return this.#inexact;
  }

  /** State that the model holds now. */
  get step(): number {
    return this.#step;
  }
  get stateHash(): string {
    return simStateHash(this.#state, this.#step);
  }
  get paramsSha256(): string {
    return this.#sha256([bytesOf(this.#state.params)]);
  }

  prepare(): Promise<PreparedEngine> {
    return this.#after(this.#options.callMs?.prepare, () => {
      const { restore } = this.#options;
      const hash = simStateHash(this.#state, 0);
      if (restore !== undefined) this.#import(restore);
      const tensors = [{ name: "the initial weights", hash }];
      return { info: this.#info(), probe: { hash, tensors }, plan: this.#plan() };
    });
  }

  computeNodes(
    request: ComputeRequest,
    onBucket: (bucket: ReadyBucket) => void,
    onProgress: (progress: ComputeProgress) => void = () => {},
  ): Promise<ComputedNodes> {
    return this.#call(async (call) => {
      this.#assertNextStep(request.step);
      const startedMs = this.#options.clock.nowMs();
      const { step, nodes } = request;
      this.#nodes.keepOnly(nodes, (node) => this.#compute(step, node));
      const finished = (): NodeRange[] => nodes.filter((node) => this.#nodes.find(node) !== undefined);
      const report = (): void => onProgress(this.#nodes.progress(nodes));
      for (const node of finished()) this.#announce(node, onBucket);
      if (finished().length > 0) report();
      for (const node of this.#nodes.missing(nodes)) {
        if (this.#abortedCall >= call) break;
        const before = this.#nodes.numDone(node);
        this.#nodes.setDone(node, before);
        report();
        const now = before + (await this.#spend(node.hi - node.lo - before));
        for (let i = before; i < now; i++) this.#computed.push([step, node.lo + i]);
        this.#nodes.setDone(node, now);
        if (node.lo + now < node.hi) break;
        this.#nodes.finish(node, this.#compute(step, node));
        this.#announce(node, onBucket);
        report();
      }
      const losses = finished().flatMap(({ lo, hi }) => this.#losses(step, lo, hi));
      const computeMs = this.#options.clock.nowMs() - startedMs;
      return { losses, numTokens: null, computeMs, isComplete: finished().length === nodes.length };
    });
  }

  abort(): void {
    this.#abortedCall = this.#lastCall;
    this.#endEarly?.();
  }

  applyStep(step: number): Promise<AppliedStep> {
    return this.#after(this.#options.callMs?.apply, () => {
      this.#assertNextStep(step);
      const expected = simMeanGradient(this.#options, { params: this.#state.params, step });
      if (expected.some((value, i) => !Object.is(value, this.#reduced[i]))) this.#inexact.push(step);
      const gradNorm = simUpdate(this.#state, this.#reduced);
      this.#step = step;
      this.#nodes.drop();
      return {
        stateHash: this.stateHash,
        gradNorm,
        learningRate: simLearningRate,
        applyMs: this.#options.callMs?.apply ?? 0,
      };
    });
  }

  evaluate({ lo, hi }: NodeRange): Promise<readonly MicroBatchSum[]> {
    return this.#call(async (call) => {
      const numDone = this.#abortedCall >= call ? 0 : await this.#spend(hi - lo);
      return this.#losses(0, lo, lo + numDone);
    });
  }

  exportState(): Promise<ExportedState> {
    return this.#call(async () => {
      const { params, momentum } = this.#state;
      const { stateHash, paramsSha256 } = this;
      const trainer = JSON.stringify({ schema: 2, step: this.#step, stateHash, paramsSha256 });
      const state = {
        step: this.#step,
        stateHash,
        paramsSha256,
        files: [
          { name: modelFile, bytes: bytesOf(params).slice() },
          { name: optimizerFile, bytes: bytesOf(momentum).slice() },
          { name: trainerFile, bytes: new TextEncoder().encode(trainer) },
        ].map((file) => ({ ...file, sha256: this.#sha256([file.bytes]) })),
      };
      await this.#wait(this.#options.callMs?.export);
      return state;
    });
  }

  importState(state: ImportedState): Promise<{ step: number; stateHash: string }> {
    return this.#after(this.#options.callMs?.import, () => this.#import(state));
  }

  async dispose(): Promise<void> {
    this.#closedBy ??= new TrainingError("engine: it was disposed; make a new one.", {}, "E_DISPOSED");
    for (const reject of this.#waiting) reject(this.#closedBy);
  }

  /** Runs a call behind those before it. */
  #call<T>(work: (call: number) => Promise<T>): Promise<T> {
    const call = ++this.#lastCall;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.add(reject);
      this.#queue = this.#queue
        .then(() => {
          if (this.#closedBy !== undefined) throw this.#closedBy;
          return work(call);
        })
        .then(resolve, reject)
        .then(() => void this.#waiting.delete(reject));
    });
  }

  #after<T>(ms: number | undefined, work: () => T): Promise<T> {
    return this.#call(async () => {
      await this.#wait(ms);
      return work();
    });
  }

  async #wait(ms = 0): Promise<void> {
    if (ms > 0) await new Promise<void>((resolve) => void this.#options.clock.schedule(ms, resolve));
  }

  /** Lets the time of up to `count` micro-batches pass. @returns how many: fewer when it was aborted, never none of some. */
  async #spend(count: number): Promise<number> {
    const { clock, msPerMicroBatch } = this.#options;
    if (count === 0) return 0;
    const ms = typeof msPerMicroBatch === "number" ? msPerMicroBatch : msPerMicroBatch();
    const startedMs = clock.nowMs();
    let cancel = (): void => {};
    const numDone = await new Promise<number>((resolve) => {
      cancel = clock.schedule(ms * count, () => resolve(count));
      this.#endEarly = () => {
        const running = ms > 0 ? Math.floor((clock.nowMs() - startedMs) / ms) + 1 : count;
        if (running >= count) return; // the last one runs, or time is up
        cancel();
        cancel = clock.schedule(startedMs + ms * running - clock.nowMs(), () => resolve(running));
        this.#endEarly = undefined;
      };
    });
    this.#endEarly = undefined;
    return numDone;
  }

  /** A node's sum as this worker gives it. */
  #compute(step: number, node: NodeRange): SimNodeSum {
    const sum = simNode(this.#options, { params: this.#state.params, step }, node);
    const { vector } = sum;
    const poison = this.#options.poison?.(step, node.lo, node.hi);
    if (poison === "nan") vector[vector.length >> 1] = Number.NaN;
    if (poison === "wrong") vector[vector.length >> 1]! += 0.25;
    if (poison === "huge") for (let i = 0; i < vector.length; i++) vector[i]! *= 10_000;
    return sum;
  }

  #import({ step, files }: ImportedState): { step: number; stateHash: string } {
    const find = (name: string): Uint8Array => {
      const file = files.find((f) => f.name === name);
      return file?.bytes ?? this.#refuse(`it has no ${name}`);
    };
    const [params, momentum] = [find(modelFile), find(optimizerFile)].map((bytes) => {
      if (bytes.byteLength !== this.#reduced.byteLength) this.#refuse(`a file has ${bytes.byteLength} bytes`);
      return new Float32Array(new Uint8Array(bytes).buffer);
    }) as [Float32Array, Float32Array];
    const trainer = readTrainer(find(trainerFile));
    const stateHash = simStateHash({ params, momentum }, step);
    const isSame = trainer.step === step && trainer.stateHash === stateHash;
    if (!isSame || trainer.paramsSha256 !== this.#sha256([bytesOf(params)]))
      this.#refuse(`state ${step} has hash ${stateHash}, the file says state ${trainer.step}, ${trainer.stateHash}`);
    this.#state.params.set(params);
    this.#state.momentum.set(momentum);
    this.#step = step;
    this.#nodes.drop();
    return { step, stateHash };
  }

  #refuse(what: string): never {
    throw new TrainingError(`checkpoint: ${what}; it must be of the same simulated model.`, {}, "E_CHECKPOINT");
  }

  #announce(node: NodeRange, onBucket: (bucket: ReadyBucket) => void): void {
    const { address, weight } = this.#nodes.find(node)!;
    for (const { index } of this.#buckets) onBucket({ node, weight, address, bucket: index });
  }

  #losses(step: number, lo: number, hi: number): MicroBatchSum[] {
    const place = { params: this.#state.params, step };
    return Array.from({ length: hi - lo }, (_, i) => {
      const m = lo + i;
      return [m, simLoss(this.#options, place, m), simWeight(step, m)];
    });
  }

  #sha256(parts: readonly Uint8Array[]): string {
    return (this.#options.sha256 ?? simSha256)(parts);
  }

  #info(): EngineInfo {
    const { numMicroBatches, numEvalMicroBatches = 2 } = this.#options;
    const { length } = this.#reduced;
    return {
      numericClass: "strict",
      layoutHash: simSha256([bytesOf(Uint32Array.of(length))]).slice(0, 32),
      gradientFloats: length,
      parameters: [{ name: "weight", offset: 0, length }],
      updatesOnDevice: false,
      numMicroBatches,
      numEvalMicroBatches,
      samplesPerStep: numMicroBatches,
      reducedAddress: this.#reduced.byteOffset,
      step: this.#step,
      stateHash: this.stateHash,
    };
  }

  #plan() {
    const { byteLength } = this.#reduced;
    return memoryPlan({
      parameterBytes: byteLength,
      bufferBytes: 0,
      optimizerBytes: byteLength,
      vectorBytes: byteLength,
      numMicroBatches: this.#options.numMicroBatches,
      activationBytes: 0,
      maxBytes: this.memory.buffer.byteLength,
    });
  }

  #assertNextStep(step: number): void {
    if (step === this.#step + 1) return;
    throw new TrainingError(
      `engine: step ${step} was asked for and the model holds state ${this.#step}; the next step must be ${this.#step + 1}.`,
      { step, state: this.#step },
      "E_STEP_ORDER",
    );
  }
}
