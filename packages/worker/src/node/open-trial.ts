/** @file Steps of a job on this machine, without a run: for profiles. Nothing is kept of them. */
import { type Backend, CpuBackend, dropGradient, microBatchScope, withBackend } from "@lockstep/core";
import { buildTraining, type Training } from "../engine/build-training.js";
import { backwardInto, lossOf } from "../engine/micro-batch.js";
import { TrainingEngine } from "../engine/training-engine.js";
import { TrainingError } from "../errors.js";
import { parseJobConfig } from "../job/parse-config.js";
import { jobFilesOnDisk, maxWasmBytes, sha256 } from "./engine-spec.js";
import { importJob, writeJobModule } from "./job-loader.js";
import { readRunDirectory } from "./run-directory.js";

/** Told where a step is. Spans nest. */
export interface TrialSpans {
  begin(name: string): void;
  end(): void;
}

export interface TrialOptions {
  /** A run directory: `job.mjs`, `config.json`, `files/<sha256>`. */
  readonly runDir: string;
  readonly resolveRoom: (specifier: string) => string;
  readonly tempDir: string;
  /** Where the steps are computed; disposed with the trial. */
  readonly backend: Backend;
  readonly nowMs: () => number;
  readonly spans: TrialSpans;
}

export interface Trial {
  readonly numMicroBatches: number;
  /** What a step does, in words. */
  readonly stepIs: string;
  /** Computes the next step. Resolves when the backend has done everything. */
  step(): Promise<void>;
  dispose(): void;
}

/**
 * Builds a job. On a CPU backend a step is a whole one, as a worker that is alone takes it; on others it is forward and backward of every
 * micro-batch, as a worker with a device has it computed.
 *
 * @throws what the job's own functions throw; {TrainingError} E_MEMORY_PLAN on the CPU when it does not fit.
 */
export async function openTrial(options: TrialOptions): Promise<Trial> {
  const run = readRunDirectory(options.runDir);
  const job = await importJob(await writeJobModule(run.bundle, options));
  const { backend, nowMs } = options;
  const source = { job, config: parseJobConfig(job, run.config), seed: run.seed, files: jobFilesOnDisk(run.files) };
  if (!(backend instanceof CpuBackend)) return deviceTrial(buildTraining({ ...source, backend }), options);
  const own = { workerId: "trial", nowMs, sha256, maxBytes: maxWasmBytes };
  const engine = new TrainingEngine({ ...source, ...own, backend });
  engine.prepare();
  return cpuTrial(engine, options.spans);
}

function cpuTrial(engine: TrainingEngine, spans: TrialSpans): Trial {
  let step = 0;
  return {
    numMicroBatches: engine.training.numMicroBatches,
    stepIs: "forward and backward of its micro-batches, their sums, the update and the hash of the state",
    step: async () => {
      spans.begin(`step ${++step}`);
      try {
        engine.stepAlone();
      } finally {
        spans.end();
      }
    },
    dispose: () => engine.dispose(),
  };
}

function deviceTrial(training: Training, { backend, spans }: TrialOptions): Trial {
  let stepIndex = 0;
  return {
    numMicroBatches: training.numMicroBatches,
    stepIs: "forward and backward of its micro-batches; sums and the update are not in it",
    step: async () => {
      const index = stepIndex++;
      spans.begin(`step ${index + 1}`);
      try {
        for (let m = 0; m < training.numMicroBatches; m++) {
          spans.begin(`micro-batch ${m}`);
          try {
            await microBatch({ training, backend, spans }, { stepIndex: index, m });
          } finally {
            spans.end();
          }
        }
      } finally {
        spans.end();
      }
    },
    dispose: () => backend.dispose(),
  };
}

/** Forward and backward, and a wait for the loss, which comes after everything. */
async function microBatch(
  { training, backend, spans }: Pick<TrialOptions, "backend" | "spans"> & { readonly training: Training },
  { stepIndex, m }: { readonly stepIndex: number; readonly m: number },
): Promise<void> {
  const { source, parameters, statistics, sampler } = training;
  const within = <T>(name: string, fn: () => T): T => {
    spans.begin(name);
    try {
      return fn();
    } finally {
      spans.end();
    }
  };
  const loss = withBackend(backend, () =>
    microBatchScope({ seed: source.seed, step: stepIndex, m }, () => {
      const { sum } = within("forward", () => lossOf(training, sampler.microBatch(stepIndex, m), "train"));
      within("backward", () => {
        for (const emitter of statistics) emitter.takeStatistics()?.dispose();
        backwardInto(sum, parameters, (index) => dropGradient(parameters[index]!));
      });
      return { value: sum.data() };
    }),
  );
  spans.begin("wait");
  try {
    const [value = Number.NaN] = await loss.value;
    if (Number.isFinite(value)) return;
    throw new TrainingError(
      `profile: the loss of micro-batch ${m} of step ${stepIndex + 1} is ${value}; it must be finite. Try the job with \`lockstep run\` first.`,
      { step: stepIndex + 1, microBatch: m, loss: String(value) },
      "E_NOT_FINITE",
    );
  } finally {
    spans.end();
  }
}
