/** @file A model that can be fitted, evaluated and asked: what `compile` returns. */
import {
  type CpuBackend,
  encodeSafetensors,
  keep,
  metrics,
  microBatchScope,
  type nn,
  noGrad,
  seedScope,
  type Tensor,
  tensor,
  treeSum,
  untracked,
  withBackend,
} from "@lockstep/core";
import { evalMicroBatches } from "@lockstep/data";
import { type AnyJob, importWeights, modelTensors, parseJobConfig } from "@lockstep/worker";
import type { EpochLog, FitPlan } from "./callbacks/callback.js";
import { columnDataset } from "./column-dataset.js";
import {
  assertArrays,
  type Columns,
  columnsOf,
  encodeColumns,
  type Inputs,
  type SampleArrays,
  sliceColumns,
} from "./columns.js";
import { type FitDefinition, lossFunctionOf, type ModelInputs, targetDtypeOf } from "./definition.js";
import { EpochBook } from "./epoch-book.js";
import { FitError } from "./fit-error.js";
import { forwardOf, jobOf, networkOf } from "./fit-job.js";
import { measure, measuredMetrics } from "./fit-metrics.js";
import { assertBatchSize, type FitOptions, type FitSizes, sizesOf } from "./fit-options.js";
import type { FitPorts } from "./fit-ports.js";
import { runLocally } from "./local-run.js";
import { assertTargetRange } from "./target-range.js";
import { assertClassesAreThere, sampleWeights, weightedLoss } from "./weighted-loss.js";

/** What a fit was. */
export interface History {
  readonly epochs: readonly EpochLog[];
  /** Steps made. */
  readonly step: number;
  /** Why a callback ended it early. */
  readonly stopReason: string | undefined;
  /** Of the weights after the last step, as runs state it; undefined where there is nothing to hash with. */
  readonly paramsSha256: string | undefined;
}

/** The mean loss, and the metrics by name. */
export interface Evaluation {
  readonly loss: number;
  readonly [metric: string]: number;
}

export interface BatchOptions {
  /** Samples computed at a time. Default 32. */
  readonly batchSize?: number;
}

interface Inference<M> {
  readonly backend: CpuBackend;
  readonly model: M;
}

export class CompiledModel<I extends ModelInputs = Tensor, M extends nn.Module = nn.Module> {
  /** What a run trains: give it to nobody but the launcher. */
  readonly job: AnyJob;
  readonly #definition: FitDefinition<I, M>;
  readonly #ports: FitPorts;
  #weights: Uint8Array | undefined;
  #inference: Inference<M> | undefined;
  #isFitting = false;

  constructor(definition: FitDefinition<I, M>, ports: FitPorts) {
    this.#definition = definition;
    this.#ports = ports;
    this.job = jobOf(definition);
  }

  /**
   * Trains on arrays, from the present weights on, with a fresh optimizer. In this process, or with `workers` processes under a
   * coordinator: the same bits (L1). An epoch is ceil(samples / batchSize) steps; batches run across its border and are never short.
   *
   * @throws {FitError} E_FIT_DATA, E_FIT_OPTION, E_FIT_CLASS_WEIGHT, E_FIT_MODULE, E_FIT_WORKERS, E_FIT_BUSY: nothing was trained.
   *   E_FIT_RUN when a run with workers failed. What the model or the engine throws in this process.
   */
  async fit(samples: SampleArrays, options: FitOptions = {}): Promise<History> {
    if (this.#isFitting) {
      throw new FitError(
        "E_FIT_BUSY",
        "fit: this model is being fitted; it must be one fit at a time. Await the first.",
      );
    }
    assertArrays("fit", samples);
    const sizes = sizesOf(options);
    const { train, held } = this.#split(samples, options);
    const bytes = encodeColumns(held === undefined ? { train } : { train, eval: held });
    const stepsPerEpoch = Math.ceil(train.size / sizes.batchSize);
    const plan: FitPlan = {
      name: this.job.name,
      epochs: sizes.epochs,
      stepsPerEpoch,
      totalSteps: sizes.epochs * stepsPerEpoch,
      numSamples: train.size,
      numEvalSamples: held?.size ?? 0,
      numWorkers: options.workers ?? 0,
    };
    this.#isFitting = true;
    try {
      return await this.#run(plan, { bytes, sizes, options });
    } finally {
      this.#isFitting = false;
    }
  }

  /**
   * Mean loss of samples and the metrics of the definition, with dropout off and running statistics used.
   *
   * @throws {FitError} E_FIT_DATA
   */
  async evaluate(samples: SampleArrays, { batchSize = 32 }: BatchOptions = {}): Promise<Evaluation> {
    assertBatchSize("evaluate", batchSize);
    const given = columnsOf("evaluate", samples, targetDtypeOf(this.#definition as unknown as FitDefinition));
    const columns = this.#checked({ evaluate: given }).evaluate!;
    const { targets } = columns;
    if (targets === undefined) {
      throw new FitError("E_FIT_DATA", "evaluate: there is no y; it must be given, one target a sample.");
    }
    const loss = lossFunctionOf(this.#definition as unknown as FitDefinition);
    const weights = sampleWeights(targets, columns.sampleWeight, {});
    const sums: number[] = [];
    const counts: number[] = [];
    const measured = measuredMetrics(this.#definition.metrics);
    const made = Object.fromEntries(Object.entries(measured).map(([name, { metric }]) => [name, metric()]));
    this.#eachBatch(columns, batchSize, (outputs, { y, indices }) => {
      const own = weights && indices.map((index) => weights[index]!);
      const { sum, weight } = weightedLoss(loss, outputs, { targets: y!, weights: own });
      measure(measured, made, { outputs, targets: y! });
      sums.push(sum.itemSync());
      counts.push(weight);
    });
    return { loss: treeSum(sums) / treeSum(counts), ...metrics.namedValues(made) };
  }

  /**
   * Outputs of samples, joined: the caller disposes of the tensor.
   *
   * @shape x [N, ...] -> [N, ...]
   * @throws {FitError} E_FIT_DATA
   */
  async predict(x: Inputs, { batchSize = 32 }: BatchOptions = {}): Promise<Tensor> {
    assertBatchSize("predict", batchSize);
    const columns = columnsOf("predict", { x }, "f32");
    const parts: Float32Array[] = [];
    let rowShape: readonly number[] = [];
    this.#eachBatch(columns, batchSize, (outputs) => {
      rowShape = outputs.shape.slice(1);
      parts.push(Float32Array.from(outputs.dataSync()));
    });
    const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    const { backend } = this.#loaded();
    return withBackend(backend, () => untracked(() => keep(tensor(all, { shape: [columns.size, ...rowShape] }))));
  }

  /** The network with the present weights, in evaluation mode. A fit does not train this object; ask again afterwards. */
  get network(): M {
    return this.#loaded().model;
  }

  /** The present weights: a safetensors file. Initial ones before the first fit. */
  saveWeights(): Uint8Array {
    if (this.#weights === undefined) {
      const tensors = modelTensors(this.#loaded());
      this.#weights = encodeSafetensors(
        tensors.map(([name, value]) => [name, { dtype: value.dtype, shape: value.shape, data: value.dataSync() }]),
      );
    }
    return this.#weights.slice();
  }

  /** @throws {FormatError} E_FORMAT; {TrainingError} E_CHECKPOINT when they are another network's. */
  loadWeights(bytes: Uint8Array): void {
    importWeights(this.#loaded(), bytes, "loadWeights");
    this.#weights = bytes.slice();
  }

  /** Gives the memory of evaluate and predict back. The model can still be used. */
  dispose(): void {
    this.#inference?.backend.dispose();
    this.#inference = undefined;
  }

  async #run(
    plan: FitPlan,
    given: { readonly bytes: Uint8Array; readonly sizes: FitSizes; readonly options: FitOptions },
  ): Promise<History> {
    const { bytes, sizes, options } = given;
    const { callbacks = [], verbose = true, workers } = options;
    const progress = verbose ? this.#ports.progress?.() : undefined;
    const all = progress === undefined ? callbacks : [progress, ...callbacks];
    const overrides = {
      globalBatchSize: sizes.batchSize,
      microBatchSize: sizes.microBatchSize,
      totalSteps: plan.totalSteps,
      stepsPerEpoch: plan.stepsPerEpoch,
      evalIntervalSteps: plan.stepsPerEpoch,
      checkpointIntervalSteps: all.some(({ needsWeights }) => needsWeights) ? plan.stepsPerEpoch : 0,
      classWeight: { ...options.classWeight },
    };
    const config = parseJobConfig(this.job, overrides);
    const launch = workers === undefined ? undefined : this.#launcher();
    const book = new EpochBook(plan, all, this.#ports.nowMs ?? (() => 0));
    const start = { samples: bytes, initFrom: this.#weights, seed: sizes.seed };
    let result: { step: number; weights: Uint8Array; paramsSha256: string | undefined };
    if (launch === undefined) {
      result = await runLocally(this.#ports, {
        job: this.job,
        config,
        stepsPerEpoch: plan.stepsPerEpoch,
        book,
        ...start,
      });
    } else {
      const { module, exportName = "default" } = this.#definition;
      const run = await launch({
        ...{ module: module!, exportName, name: this.job.name, config: overrides, workers: workers!, out: options.out },
        ...start,
        onStep: (report) => book.noteStep(report),
        onNotice: (text) => book.notice(text),
        judge: ({ step, evaluation, weights }) => book.endEpoch(step, evaluation, weights),
      });
      result = run;
      if (book.stopReason === undefined) await book.endEpoch(run.step, run.evaluation, async () => run.weights);
    }
    this.#take(book.end() ?? result.weights);
    const { step, paramsSha256 } = result;
    return { epochs: book.epochs, step, stopReason: book.stopReason, paramsSha256 };
  }

  #launcher(): NonNullable<FitPorts["launch"]> {
    const { launch } = this.#ports;
    if (launch === undefined) {
      throw new FitError(
        "E_FIT_WORKERS",
        'fit: workers is given, and here nothing can start processes; import compile from "lockstep", in Node. Leave workers out to train in this process.',
      );
    }
    if (this.#definition.module === undefined) {
      throw new FitError(
        "E_FIT_MODULE",
        "fit: workers is given, and the model does not say which module defines it; worker processes must import it. Put compile into a module of its own, export the model by default, and pass module: import.meta.url.",
      );
    }
    return (request) => launch.call(this.#ports, request);
  }

  #split(samples: SampleArrays, options: FitOptions): { train: Columns; held: Columns | undefined } {
    const dtype = targetDtypeOf(this.#definition as unknown as FitDefinition);
    const all = columnsOf("fit", samples, dtype);
    if (all.targets === undefined) {
      throw new FitError("E_FIT_DATA", "fit: there is no y; it must be given, one target a sample.");
    }
    const { classWeight = {} } = options;
    sampleWeights(all.targets, all.sampleWeight, classWeight);
    assertClassesAreThere(all.targets, classWeight);
    const { validationData, validationSplit } = options;
    if (validationData !== undefined) {
      const held = columnsOf("fit: validationData", validationData, dtype);
      if (held.targets === undefined) {
        throw new FitError("E_FIT_DATA", "fit: validationData has no y; it must be given, one target a sample.");
      }
      const checked = this.#checked({ fit: all, "fit: validationData": held });
      return { train: checked.fit!, held: checked["fit: validationData"] };
    }
    const train = this.#checked({ fit: all }).fit!;
    if (validationSplit === undefined) return { train, held: undefined };
    const numHeld = Math.floor(all.size * validationSplit);
    if (numHeld === 0) {
      const text = `fit: validationSplit is ${validationSplit} and there are ${all.size} samples; at least one must be held out. Raise it, or leave it out.`;
      throw new FitError("E_FIT_OPTION", text, { option: "validationSplit", value: validationSplit });
    }
    const numTrain = all.size - numHeld;
    return { train: sliceColumns(train, 0, numTrain), held: sliceColumns(train, numTrain, all.size) };
  }

  /**
   * The parts as the network's outputs want them: labels that no output stands for are refused by their row, not by a place in a
   * micro-batch in the middle of a fit; one number a sample stands beside one output a sample.
   */
  #checked(parts: Readonly<Record<string, Columns>>): Readonly<Record<string, Columns>> {
    const { loss } = this.#definition;
    const outputShape = this.#outputShape(sliceColumns(Object.values(parts)[0]!, 0, 1));
    const numOutputs = outputShape?.at(-1);
    const isOneNumber = typeof loss === "string" && loss !== "crossEntropy" && outputShape?.join() === "1";
    const checked = Object.entries(parts).map(([where, columns]) => {
      const { targets } = columns;
      if (targets === undefined) return [where, columns] as const;
      assertTargetRange(where, loss, { targets, numOutputs });
      const isFlat = isOneNumber && targets.shape.length === 0;
      return [where, isFlat ? { ...columns, targets: { data: targets.data, shape: [1] } } : columns] as const;
    });
    return Object.fromEntries(checked);
  }

  /** Of one sample. Undefined where the network does not take samples as they are: what trains it says why, or changes them first (augment). */
  #outputShape(sample: Columns): readonly number[] | undefined {
    const wasLoaded = this.#inference !== undefined;
    let shape: readonly number[] | undefined;
    try {
      this.#eachBatch({ ...sample, targets: undefined }, 1, (outputs) => {
        shape = outputs.shape.slice(1);
      });
    } catch (error) {
      if (error instanceof FitError) throw error;
    } finally {
      if (!wasLoaded) this.dispose();
    }
    return shape;
  }

  #eachBatch(
    columns: Columns,
    batchSize: number,
    use: (outputs: Tensor, batch: { readonly y: Tensor | undefined; readonly indices: readonly number[] }) => void,
  ): void {
    const { backend, model } = this.#loaded();
    const dataset = columnDataset(columns);
    evalMicroBatches(columns.size, batchSize).forEach((samples, m) => {
      withBackend(backend, () =>
        noGrad(() =>
          microBatchScope({ seed: 0, step: 0, m }, () => {
            const { inputs, targets } = dataset.batch(samples);
            const outputs = forwardOf(this.#definition, model, inputs as I);
            use(outputs, { y: targets, indices: samples.map(({ index }) => index) });
          }),
        ),
      );
    });
  }

  #take(weights: Uint8Array): void {
    this.#weights = weights.slice();
    if (this.#inference !== undefined) importWeights(this.#inference, this.#weights);
  }

  #loaded(): Inference<M> {
    if (this.#inference !== undefined) return this.#inference;
    const backend = this.#ports.createBackend();
    const model = withBackend(backend, () => untracked(() => seedScope(0, () => keep(networkOf(this.#definition)))));
    if (this.#weights !== undefined) importWeights({ model }, this.#weights);
    model.eval();
    this.#inference = { backend, model };
    return this.#inference;
  }
}
