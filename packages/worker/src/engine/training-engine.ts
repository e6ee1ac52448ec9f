/**
 * @file The computing side of one worker, synchronous: builds a job, computes nodes of a step, applies updates, evaluates, saves.
 * On the socket's thread in tests (inline-engine.ts), on a thread of its own in a worker (node/compute-thread.ts).
 *
 * Invariants: the model changes only in `applyStep` and `importState`; the sums of a step's nodes stay until it is applied or another step begins, so
 * that a new attempt computes only what is missing (step-nodes.ts).
 */
import {
  applyStatistics,
  assertFiniteVector,
  assignGradientsFrom,
  bucketsOf,
  type CpuBackend,
  divideByWeight,
  type OutOfMemoryError,
  type Tensor,
  VectorPool,
} from "@lockstep/core";
import { TrainingError } from "../errors.js";
import { bucketBytesOf } from "../job/base-config.js";
import { numMicroBatchesOf } from "../job/parse-config.js";
import { AloneSteps } from "./alone-steps.js";
import { buildTraining, type Training, type TrainingSource } from "./build-training.js";
import type {
  AppliedStep,
  ComputedNodes,
  ComputeRequest,
  EngineInfo,
  EngineNotice,
  EvaluatedMicroBatch,
  ExportedState,
  ImportedState,
  MicroBatchSum,
  NodeRange,
  PreparedEngine,
} from "./compute-engine.js";
import { storesHalves } from "./loss-scaling.js";
import { assertPlanFits, memoryFullError, memoryPlan } from "./memory-plan.js";
import { evalMicroBatch, evaluating } from "./micro-batch.js";
import { type AttachedDevice, type MicroBatchDevice, probeDevice } from "./micro-batch-device.js";
import { probeTwice } from "./probe.js";
import {
  exportedStateOf,
  hashSnapshot,
  importCheckpoint,
  importWeights,
  keepState,
  type StateSnapshot,
  takeSnapshot,
} from "./state-files.js";
import { type ComputeHooks, StepNodes } from "./step-nodes.js";
import { applyUpdate, layoutHash, memoryNeedsOf, trainingStateHash } from "./training-state.js";

export interface TrainingEngineOptions extends Omit<TrainingSource, "backend"> {
  readonly backend: CpuBackend;
  readonly workerId: string;
  readonly nowMs: () => number;
  readonly sha256: (parts: readonly Uint8Array[]) => string;
  readonly maxBytes: number;
  /** Checkpoint to continue from: its step and its files by name. */
  readonly restore?: { readonly step: number; readonly files: ReadonlyMap<string, Uint8Array> };
  /** Safetensors bytes whose weights replace the fresh ones. */
  readonly initFrom?: Uint8Array;
  /** Computes the micro-batches of training; disposed with the engine. Default: the backend does. */
  readonly device?: MicroBatchDevice;
  /** While this worker is alone, the device takes the steps, too. Default false: updates are the CPU's. */
  readonly updatesOnDevice?: boolean;
}

interface Built {
  readonly training: Training;
  readonly pool: VectorPool;
  readonly nodes: StepNodes;
  /** The vector that the exchange fills. */
  readonly reduced: Tensor;
  /** Takes steps on the device, where it may. */
  readonly alone: AloneSteps | undefined;
}

export class TrainingEngine {
  readonly #options: TrainingEngineOptions;
  #built: Built | undefined;
  #step = 0;
  #stateHash = "";
  readonly #notices: EngineNotice[] = [];

  constructor(options: TrainingEngineOptions) {
    this.#options = options;
  }

  prepare(): PreparedEngine {
    const options = this.#options;
    let known: Partial<Training> = {};
    try {
      const training = buildTraining(options, (model) => {
        known = { model };
      });
      known = training;
      return this.#prepare(training);
    } catch (error) {
      if ((error as Partial<OutOfMemoryError>).code !== "E_OUT_OF_MEMORY") throw error;
      throw memoryFullError(memoryPlan(memoryNeedsOf(known, this.#grid())), error as OutOfMemoryError);
    }
  }

  computeNodes(request: ComputeRequest, hooks: ComputeHooks): ComputedNodes {
    const { nowMs, job, device } = this.#options;
    const startedMs = nowMs();
    this.#assertNextStep(request.step);
    const { losses, ...rest } = this.#compute(request, hooks);
    const numTokens = job.unit === "tokens" ? losses.reduce((sum, [, , weight]) => sum + weight, 0) : null;
    const notices = [...this.#notices.splice(0), ...(device?.takeNotices() ?? [])];
    const computed = { losses, ...rest, numTokens, computeMs: nowMs() - startedMs };
    return notices.length === 0 ? computed : { ...computed, notices };
  }

  #compute(
    request: ComputeRequest,
    hooks: ComputeHooks,
  ): Pick<ComputedNodes, "losses" | "overflows" | "isComplete" | "gradientHash"> {
    const { nodes, alone, training } = this.#need();
    const [root] = request.nodes;
    const isRoot = request.nodes.length === 1 && root!.lo === 0 && root!.hi === training.numMicroBatches;
    if (alone === undefined || request.isAlone !== true || !isRoot) {
      alone?.leave();
      return nodes.compute(request, hooks);
    }
    nodes.drop();
    const { losses, gradientHash } = alone.compute(request.step, hooks);
    return gradientHash === undefined ? { losses, isComplete: false } : { losses, gradientHash, isComplete: true };
  }

  applyStep(step: number): AppliedStep {
    const { training, pool, nodes, reduced, alone } = this.#need();
    const startedMs = this.#options.nowMs();
    this.#assertNextStep(step);
    if (alone?.holds(step)) {
      const applied = alone.apply(step);
      this.#step = step;
      this.#stateHash = applied.stateHash;
      return { ...applied, applyMs: this.#options.nowMs() - startedMs };
    }
    alone?.leave();
    assignGradientsFrom(pool, reduced, training);
    applyStatistics(training.statistics, reduced, training.layout);
    const { gradNorm, learningRate } = applyUpdate(training, step - 1);
    nodes.drop();
    this.#step = step;
    training.source.job.callbacks?.afterStep?.({ step, learningRate, gradNorm }, training.model);
    const stateHash = trainingStateHash(training, step);
    this.#stateHash = stateHash;
    this.#moved();
    return { stateHash, gradNorm, learningRate, applyMs: this.#options.nowMs() - startedMs };
  }

  /** The next whole step of a run that is this engine's alone: what an exchange would divide is divided here, to the same bits (L5). */
  stepAlone(): AppliedStep & { readonly losses: readonly MicroBatchSum[] } {
    const { training, pool, nodes, reduced } = this.#need();
    const step = this.#step + 1;
    const { losses } = this.computeNodes(
      { step, nodes: [{ lo: 0, hi: training.numMicroBatches }] },
      { onBucket: () => {}, shouldStop: () => false },
    );
    const { vector, weight } = nodes.root();
    const { length } = training.layout;
    const out = pool.window(reduced, 0, length);
    divideByWeight(pool.backend, { sum: pool.window(vector, 0, length), out }, weight);
    assertFiniteVector(pool.backend, out, { layout: training.layout, step });
    return { ...this.applyStep(step), losses };
  }

  evaluate({ lo, hi }: NodeRange, shouldStop: () => boolean = () => false): readonly EvaluatedMicroBatch[] {
    const { training, alone } = this.#need();
    alone?.comeHome();
    const losses: EvaluatedMicroBatch[] = [];
    evaluating(training, () => {
      for (let m = lo; m < hi && !shouldStop(); m++) {
        losses.push(evalMicroBatch(training, { step: this.#step, microBatch: m, workerId: this.#options.workerId }));
      }
    });
    return losses;
  }

  exportState(): ExportedState {
    const { sha256 } = this.#options;
    const snapshot = this.takeSnapshot();
    return exportedStateOf(snapshot, hashSnapshot(snapshot, sha256), sha256);
  }

  /** The first half of `exportState`, the only one that needs this thread. */
  takeSnapshot(): StateSnapshot {
    const { backend } = this.#options;
    const { training, alone } = this.#need();
    alone?.comeHome();
    const state = { step: this.#step, stateHash: this.#stateHash };
    return takeSnapshot(training, state, (tensor) => {
      const Words = tensor.dtype === "f32" ? Float32Array : Int32Array;
      const words = new Words(backend.wasmMemory.buffer, backend.addressOf(tensor), tensor.size);
      return tensor.dtype === "u8" || tensor.dtype === "bool" ? Uint8Array.from(words) : words;
    });
  }

  importState({ step, files }: ImportedState): { step: number; stateHash: string } {
    const { training, nodes } = this.#need();
    const putBack = keepState(training);
    try {
      this.#stateHash = importCheckpoint(training, { step, files: new Map(files.map((f) => [f.name, f.bytes])) });
    } catch (error) {
      putBack();
      throw error;
    }
    this.#step = step;
    this.#moved();
    nodes.drop();
    return { step, stateHash: this.#stateHash };
  }

  /** The built job, for whoever uses its model. */
  get training(): Training {
    const { training, alone } = this.#need();
    alone?.comeHome();
    return training;
  }

  /** Most flat vectors in use at once so far, the reduced one included. */
  get peakVectors(): number {
    return this.#need().pool.peakUsed;
  }

  dispose(): void {
    this.#options.device?.dispose();
    this.#built?.pool.dispose();
    this.#options.backend.dispose();
  }

  #prepare(training: Training): PreparedEngine {
    const { backend, config, workerId } = this.#options;
    const { layout } = training;
    const needs = memoryNeedsOf(training, this.#grid());
    assertPlanFits(memoryPlan(needs));
    const pool = new VectorPool(backend, layout.length);
    const buckets = bucketsOf(layout.length, bucketBytesOf(config, layout.length));
    const device = this.#attach(training, pool);
    const compute = device && ((built: Training) => probeDevice(device, built));
    const { probe, activationBytes } = probeTwice(training, () => backend.memory(), compute);
    this.#restore(training);
    device?.device.invalidate();
    this.#stateHash = trainingStateHash(training, this.#step);
    const plan = memoryPlan({ ...needs, activationBytes });
    assertPlanFits(plan);
    const nodes = new StepNodes({ training, pool, buckets, backend, workerId, device });
    const alone = this.#aloneSteps(training, device);
    this.#built = { training, pool, nodes, reduced: pool.acquire(), alone };
    return { info: this.#info(this.#built), probe, plan };
  }

  #attach(training: Training, pool: VectorPool): AttachedDevice | undefined {
    const { backend, device } = this.#options;
    if (device === undefined) return undefined;
    const landing = pool.acquire();
    device.attach({ backend, training });
    return { device, landing, backend };
  }

  /** CPU memory holds another state than the device. */
  #moved(): void {
    this.#options.device?.invalidate();
    this.#built?.alone?.moveTo(this.#step);
  }

  #aloneSteps(training: Training, attached: AttachedDevice | undefined): AloneSteps | undefined {
    const { updatesOnDevice, workerId } = this.#options;
    if (updatesOnDevice !== true || attached === undefined) return undefined;
    const { updater } = attached.device;
    const reason = reasonAgainst(training, attached.device);
    const onNotice = (notice: EngineNotice): void => void this.#notices.push(notice);
    if (updater !== undefined && reason === undefined) {
      return new AloneSteps({ attached, updater, training, workerId, onNotice }, this.#step);
    }
    const message = `updates stay on the CPU, though they were wanted on the device: ${reason ?? "it takes none"}`;
    onNotice({ microBatch: 0, code: "CPU_UPDATES", message });
    return undefined;
  }

  #grid(): { numMicroBatches: number; maxBytes: number } {
    return { numMicroBatches: numMicroBatchesOf(this.#options.config), maxBytes: this.#options.maxBytes };
  }

  #restore(training: Training): void {
    const { restore, initFrom } = this.#options;
    if (initFrom !== undefined) {
      importWeights(training, initFrom);
      training.average?.reset();
    }
    if (restore === undefined) return;
    importCheckpoint(training, restore);
    this.#step = restore.step;
  }

  #info({ training, reduced, alone }: Built): EngineInfo {
    const { backend, config } = this.#options;
    const { layout, numMicroBatches, evalGrid } = training;
    return {
      numericClass: this.#options.device?.numericClass ?? backend.numericClass,
      layoutHash: layoutHash(training),
      gradientFloats: layout.length,
      parameters: layout.parameters.map(({ name, offset, length }) => ({ name, offset, length })),
      updatesOnDevice: alone !== undefined,
      numMicroBatches,
      numEvalMicroBatches: evalGrid.length,
      samplesPerStep: config.globalBatchSize,
      reducedAddress: addressOf(backend, reduced),
      step: this.#step,
      stateHash: this.#stateHash,
    };
  }

  #assertNextStep(step: number): void {
    if (step === this.#step + 1) return;
    throw new TrainingError(
      `engine: step ${step} was asked for and the model holds state ${this.#step}; the next step must be ${this.#step + 1}. Resume from a checkpoint.`,
      { step, state: this.#step },
      "E_STEP_ORDER",
    );
  }

  #need(): Built {
    if (this.#built !== undefined) return this.#built;
    throw new TrainingError("engine: it was used before prepare(); call prepare() first.", {}, "E_STATE");
  }
}

function reasonAgainst(training: Training, device: MicroBatchDevice): string | undefined {
  return storesHalves(device) ? "weights in 16 bits lose small updates" : reasonAgainstUpdates(training);
}

/** Why steps of a job cannot be taken on a device. */
export function reasonAgainstUpdates({ plateau, source }: Training): string | undefined {
  if (plateau !== undefined) return "the job's schedule follows the held-out loss";
  if (source.job.callbacks?.afterStep !== undefined) return "the job's afterStep looks at the model after every step";
  return undefined;
}

function addressOf(backend: CpuBackend, vector: Tensor): number {
  return backend.addressOf(vector);
}
