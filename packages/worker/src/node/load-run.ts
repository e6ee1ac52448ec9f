/** @file A finished run as something to use: its model with the weights of a checkpoint, its tokenizer, its evaluation. */
import { type CpuBackend, metrics, type nn, noGrad, scope, treeSum, withBackend } from "@lockstep/core";
import { createNodeCpuBackend } from "@lockstep/core/node";
import type { Tokenizer } from "@lockstep/data";
import { buildTraining } from "../engine/build-training.js";
import { type ExplainOptions, explainRun, type RunExplanation } from "../engine/explain-run.js";
import { evalMicroBatch } from "../engine/micro-batch.js";
import { importUpdateState, importWeights, modelFile, optimizerFile } from "../engine/state-files.js";
import { TrainingError } from "../errors.js";
import type { AnyJob, JobData } from "../job/define-job.js";
import { type ParsedConfig, parseJobConfig } from "../job/parse-config.js";
import { jobFilesOnDisk } from "./engine-spec.js";
import { loadJobBundle } from "./job-loader.js";
import { readCheckpointFiles, readRunDirectory } from "./run-directory.js";

export interface LoadRunOptions {
  /** Address of a room of this installation. */
  readonly resolveRoom: (specifier: string) => string;
  /** Folder for the module file. Default: the run directory's `job`. */
  readonly tempDir: string;
  /** Folder of a checkpoint; default the last one of the run. */
  readonly checkpoint?: string;
  /** Configuration keys to change, as `--set` gives them. */
  readonly set?: Readonly<Record<string, unknown>>;
  /** Default: the run's. */
  readonly numeric?: "strict" | "fused";
  readonly threads?: number;
}

export interface LoadedRun {
  readonly job: AnyJob;
  readonly config: ParsedConfig;
  readonly seed: number;
  readonly data: JobData<unknown>;
  readonly model: nn.Module;
  readonly tokenizer: Tokenizer | undefined;
  readonly backend: CpuBackend;
  /** Step of the checkpoint. */
  readonly step: number;
  /** Calls `fn` on the run's backend without recording gradients; frees what it creates and does not return. */
  run<T>(fn: () => T): T;
  /** Mean loss and metrics over the evaluation data, as a run computes it. @throws {TrainingError} E_NO_EVAL_DATA when the job has none. */
  evaluate(): {
    readonly evalLoss: number;
    /** Values of the job's metrics, by name. */
    readonly metrics: Readonly<Record<string, number>>;
    readonly numMicroBatches: number;
  };
  /** What the model does with the evaluation data. Undefined when the job offers no `explain` or nothing to explain, or has no such data. @throws {JobError} E_JOB_EXPLAIN */
  explain(options?: ExplainOptions): RunExplanation | undefined;
  dispose(): void;
}

/** Loads a run directory. @throws {TrainingError} E_RUN_DIRECTORY, E_CHECKPOINT; what the job throws. */
export async function loadRunForInference(runDir: string, options: LoadRunOptions): Promise<LoadedRun> {
  const run = readRunDirectory(runDir);
  const checkpoint = readCheckpointFiles(runDir, options.checkpoint);
  const job = await loadJobBundle(run.bundle, options);
  const config = parseJobConfig(job, { ...run.config, ...options.set });
  const backend = createNodeCpuBackend({ numeric: options.numeric ?? run.numeric, threads: options.threads ?? 1 });
  const training = buildTraining({ job, config, seed: run.seed, files: jobFilesOnDisk(run.files), backend });
  const weights = checkpoint.files.get(modelFile);
  if (weights === undefined) {
    throw new TrainingError(
      `checkpoint: ${checkpoint.dir} has no ${modelFile}; it must have one. Use another checkpoint.`,
      { dir: checkpoint.dir },
      "E_CHECKPOINT",
    );
  }
  importWeights(training, weights, modelFile);
  const updateState = checkpoint.files.get(optimizerFile);
  if (training.average !== undefined && updateState !== undefined) {
    importUpdateState(training, updateState);
    training.average.swap();
  }
  training.model.eval();
  return {
    job,
    config,
    seed: run.seed,
    data: training.data,
    model: training.model,
    tokenizer: training.data.tokenizer,
    backend,
    step: checkpoint.step,
    run: (fn) => withBackend(backend, () => noGrad(() => scope(fn))),
    evaluate: () => {
      const numMicroBatches = training.evalGrid.length;
      if (numMicroBatches === 0) {
        throw new TrainingError(
          `evaluate: job "${job.name}" gives no eval data; data(config, files) must return { eval }. Add it to the job.`,
          { job: job.name },
          "E_NO_EVAL_DATA",
        );
      }
      const sums = training.evalGrid.map((_, m) => evalMicroBatch(training, { microBatch: m }));
      const evalLoss = treeSum(sums.map(([, sum]) => sum)) / treeSum(sums.map(([, , weight]) => weight));
      const states = sums.flatMap(([, , , state]) => (state === undefined ? [] : [state]));
      return { evalLoss, metrics: metrics.valuesOfStates(training.metrics, states), numMicroBatches };
    },
    explain: (options) => explainRun(training, options),
    dispose: () => backend.dispose(),
  };
}
