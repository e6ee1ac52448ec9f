/**
 * @file The computing side of one worker, synchronous: builds a job, computes nodes of a step, applies updates, evaluates, saves.
 * On the socket's thread in tests (inline-engine.ts), on a thread of its own in a worker (node/compute-thread.ts).
 *
 * Invariants: the model changes only in `applyStep`; the sums of a step's nodes stay until it is applied or another step begins, so
 * that a new attempt computes only what is missing.
 */
import {
  applyStatistics,
  assignGradientsFrom,
  type Bucket,
  BucketTracker,
  bucketsOf,
  type CpuBackend,
  NodeStack,
  type NodeSum,
  type OutOfMemoryError,
  type Tensor,
  VectorPool,
} from "@lockstep/core";
import { TrainingError } from "../errors.js";
import { bucketBytesOf } from "../job/base-config.js";
import { numMicroBatchesOf } from "../job/parse-config.js";
import { buildTraining, type Training, type TrainingSource } from "./build-training.js";
import type {
  AppliedStep,
  ComputedNodes,
  ComputeRequest,
  EngineInfo,
  ExportedState,
  MicroBatchSum,
  NodeRange,
  PreparedEngine,
  ReadyBucket,
} from "./compute-engine.js";
import { assertPlanFits, memoryFullError, memoryPlan } from "./memory-plan.js";
import { evalMicroBatch, trainMicroBatch } from "./micro-batch.js";
import { probeTwice } from "./probe.js";
import { exportTraining, importCheckpoint, importWeights } from "./state-files.js";
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
}

interface HeldNode {
  readonly sum: NodeSum;
  readonly losses: readonly MicroBatchSum[];
}

export interface ComputeHooks {
  readonly onBucket: (bucket: ReadyBucket) => void;
  /** Asked before every micro-batch. */
  readonly shouldStop: () => boolean;
}

interface Built {
  readonly training: Training;
  readonly pool: VectorPool;
  readonly buckets: readonly Bucket[];
  /** The vector that the exchange fills. */
  readonly reduced: Tensor;
}

export class TrainingEngine {
  readonly #options: TrainingEngineOptions;
  readonly #held = new Map<string, HeldNode>();
  #built: Built | undefined;
  #step = 0;

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
    const { nowMs, job } = this.#options;
    const startedMs = nowMs();
    this.#assertNextStep(request.step);
    this.#keepOnly(request.nodes);
    const losses: MicroBatchSum[] = [];
    let isComplete = true;
    for (const node of request.nodes) {
      const held = this.#held.get(keyOf(node));
      if (held !== undefined) this.#announce(node, held.sum, hooks);
      const done = held ?? this.#computeNode(request.step, node, hooks);
      if (done === undefined) {
        isComplete = false;
        break;
      }
      losses.push(...done.losses);
    }
    const numTokens = job.unit === "tokens" ? losses.reduce((sum, [, , weight]) => sum + weight, 0) : null;
    return { losses, numTokens, computeMs: nowMs() - startedMs, isComplete };
  }

  applyStep(step: number): AppliedStep {
    const { training, pool, reduced } = this.#need();
    const startedMs = this.#options.nowMs();
    this.#assertNextStep(step);
    assignGradientsFrom(pool, reduced, training);
    applyStatistics(training.statistics, reduced, training.layout);
    const { gradNorm, learningRate } = applyUpdate(training, step - 1);
    this.#dropHeld();
    this.#step = step;
    training.source.job.callbacks?.afterStep?.({ step, learningRate, gradNorm }, training.model);
    const stateHash = trainingStateHash(training, step);
    return { stateHash, gradNorm, learningRate, applyMs: this.#options.nowMs() - startedMs };
  }

  evaluate({ lo, hi }: NodeRange, shouldStop: () => boolean = () => false): readonly MicroBatchSum[] {
    const { training } = this.#need();
    const losses: MicroBatchSum[] = [];
    training.model.eval();
    try {
      for (let m = lo; m < hi && !shouldStop(); m++) {
        losses.push(evalMicroBatch(training, { step: this.#step, microBatch: m, workerId: this.#options.workerId }));
      }
    } finally {
      training.model.train();
    }
    return losses;
  }

  exportState(): ExportedState {
    return exportTraining(this.#need().training, this.#step, this.#options.sha256);
  }

  /** The built job, for whoever uses its model. */
  get training(): Training {
    return this.#need().training;
  }

  /** Most flat vectors in use at once so far, the reduced one included. */
  get peakVectors(): number {
    return this.#need().pool.peakUsed;
  }

  dispose(): void {
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
    const { probe, activationBytes } = probeTwice(training, {
      workerId,
      memory: () => backend.memory(),
      restore: () => this.#restore(training),
    });
    const plan = memoryPlan({ ...needs, activationBytes });
    assertPlanFits(plan);
    this.#built = { training, pool, buckets, reduced: pool.acquire() };
    return { info: this.#info(this.#built), probe, plan };
  }

  #grid(): { numMicroBatches: number; maxBytes: number } {
    return { numMicroBatches: numMicroBatchesOf(this.#options.config), maxBytes: this.#options.maxBytes };
  }

  #computeNode(step: number, node: NodeRange, hooks: ComputeHooks): HeldNode | undefined {
    const { training, pool, buckets } = this.#need();
    const { backend, workerId } = this.#options;
    const stack = new NodeStack(pool, training.layout, node);
    const losses: MicroBatchSum[] = [];
    let tracker: BucketTracker | undefined;
    for (let m = node.lo; m < node.hi; m++) {
      if (hooks.shouldStop()) {
        stack.abandon();
        return undefined;
      }
      const place = { step, microBatch: m, workerId };
      const isLast = m === node.hi - 1;
      losses.push(
        trainMicroBatch(training, place, {
          stack,
          ...(isLast && {
            onParameter: (index, { vector, weight }) => {
              tracker ??= new BucketTracker(training.layout, buckets, ({ index: bucket }) => {
                hooks.onBucket({ node, weight, address: addressOf(backend, vector), bucket });
              });
              tracker.complete(index);
            },
          }),
        }),
      );
    }
    const held = { sum: stack.complete(), losses };
    this.#held.set(keyOf(node), held);
    return held;
  }

  /** All buckets of a node that an earlier attempt left. */
  #announce(node: NodeRange, sum: NodeSum, hooks: ComputeHooks): void {
    const address = addressOf(this.#options.backend, sum.vector);
    for (const { index } of this.#need().buckets) {
      hooks.onBucket({ node, weight: sum.weight, address, bucket: index });
    }
  }

  #restore(training: Training): void {
    const { restore, initFrom } = this.#options;
    if (initFrom !== undefined) importWeights(training, initFrom);
    if (restore === undefined) return;
    importCheckpoint(training, restore);
    this.#step = restore.step;
  }

  #info({ training, reduced }: Built): EngineInfo {
    const { backend, config } = this.#options;
    const { layout, numMicroBatches, evalGrid } = training;
    return {
      numericClass: backend.numericClass,
      layoutHash: layoutHash(training),
      gradientFloats: layout.length,
      parameters: layout.parameters.map(({ name, offset, length }) => ({ name, offset, length })),
      numMicroBatches,
      numEvalMicroBatches: evalGrid.length,
      samplesPerStep: config.globalBatchSize,
      reducedAddress: addressOf(backend, reduced),
      step: this.#step,
      stateHash: trainingStateHash(training, this.#step),
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

  #keepOnly(nodes: readonly NodeRange[]): void {
    const wanted = new Set(nodes.map(keyOf));
    for (const [key, { sum }] of this.#held) {
      if (wanted.has(key)) continue;
      this.#need().pool.release(sum.vector);
      this.#held.delete(key);
    }
  }

  #dropHeld(): void {
    this.#keepOnly([]);
  }

  #need(): Built {
    if (this.#built !== undefined) return this.#built;
    throw new TrainingError("engine: it was used before prepare(); call prepare() first.", {}, "E_STATE");
  }
}

function keyOf({ lo, hi }: NodeRange): string {
  return `${lo}-${hi}`;
}

function addressOf(backend: CpuBackend, vector: Tensor): number {
  return backend.addressOf(vector);
}
