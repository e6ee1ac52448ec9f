/** @file Steps of a job on this machine, without a run: for profiles. Nothing is kept of them. */
import { assertFiniteLoss, type Backend, CpuBackend } from "@lockstep/core";
import { buildTraining, type TrainingSource } from "../engine/build-training.js";
import { DeviceMirror } from "../engine/device-mirror.js";
import { reasonAgainstUpdates, TrainingEngine } from "../engine/training-engine.js";
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
  /** Whether a backend that is not the CPU's takes the optimizer's steps as well. Default false. */
  readonly updatesOnDevice?: boolean;
}

export interface Trial {
  readonly numMicroBatches: number;
  /** What a step does, in words. */
  readonly stepIs: string;
  /** Computes the next step, op by op. Resolves when the backend has done everything. */
  step(): Promise<void>;
  /** As `step`, replayed where that is possible: it is after two micro-batches. Absent on a CPU backend. */
  readonly replayedStep?: () => Promise<void>;
  /** Why steps cannot be replayed, once it is known. */
  readonly notReplayed: () => string | undefined;
  dispose(): void;
}

/**
 * Builds a job. On a CPU backend a step is a whole one, as a worker that is alone takes it; on others it is what a worker has its device do:
 * the sum of all micro-batches' gradients, and its reading.
 *
 * @throws what the job's own functions throw; {TrainingError} E_MEMORY_PLAN on the CPU when it does not fit. Steps throw {NotFiniteError}
 *   E_NOT_FINITE for a loss that is not finite.
 */
export async function openTrial(options: TrialOptions): Promise<Trial> {
  const run = readRunDirectory(options.runDir);
  const job = await importJob(await writeJobModule(run.bundle, options));
  const { backend, nowMs } = options;
  const source = { job, config: parseJobConfig(job, run.config), seed: run.seed, files: jobFilesOnDisk(run.files) };
  if (!(backend instanceof CpuBackend)) return deviceTrial({ ...source, backend }, options);
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
      within(spans, `step ${++step}`, () => engine.stepAlone());
    },
    notReplayed: () => undefined,
    dispose: () => engine.dispose(),
  };
}

function deviceTrial(source: TrainingSource, { spans, updatesOnDevice: isWanted = false }: TrialOptions): Trial {
  const { backend, job } = source;
  // What a mirror does beside the loss is the backward pass.
  const loss: typeof job.loss = (model, batch) => within(spans, "forward", () => job.loss(model, batch));
  const training = buildTraining({ ...source, job: { ...job, loss } });
  const against = isWanted ? reasonAgainstUpdates(training) : undefined;
  const updatesOnDevice = isWanted && against === undefined;
  const because = against === undefined ? "" : `, because ${against}`;
  let reason: string | undefined;
  const eager = new DeviceMirror(backend, training, { noRecord: true });
  const replaying = new DeviceMirror(backend, training, {
    onNotice: (line) => {
      reason ??= line;
    },
  });
  let stepIndex = 0;
  const stepOf = (mirror: DeviceMirror) => (): Promise<void> =>
    deviceStep(mirror, { spans, updatesOnDevice, stepIndex: stepIndex++ });
  return {
    numMicroBatches: training.numMicroBatches,
    stepIs: `forward and backward of its micro-batches, their sum, ${updatesOnDevice ? "the update and the hashes of gradient and state" : `its reading; the update is the CPU's and not in it${because}`}`,
    step: stepOf(eager),
    replayedStep: stepOf(replaying),
    notReplayed: () => reason,
    dispose: () => {
      replaying.dispose();
      eager.dispose();
    },
  };
}

interface DeviceStep {
  readonly spans: TrialSpans;
  readonly updatesOnDevice: boolean;
  readonly stepIndex: number;
}

async function deviceStep(mirror: DeviceMirror, { spans, updatesOnDevice, stepIndex }: DeviceStep): Promise<void> {
  const { numMicroBatches } = mirror.training;
  const node = { lo: 0, hi: numMicroBatches };
  /** Records something, and waits for what it gives. */
  const recorded = async <T>(name: string, record: () => T, wait: (result: T) => Promise<unknown>): Promise<T> => {
    spans.begin(name);
    const result = within(spans, "record", record);
    spans.begin("wait");
    await wait(result);
    spans.end();
    spans.end();
    return result;
  };
  spans.begin(`step ${stepIndex + 1}`);
  let weight = 0;
  for (let m = 0; m < numMicroBatches; m++) {
    const request = { stepIndex, node, microBatch: m, keeps: updatesOnDevice };
    const step = await recorded(
      `micro-batch ${m}`,
      () => mirror.step(request),
      async ({ loss, chunks }) => {
        const [values] = await Promise.all([loss, ...chunks.map((chunk) => chunk.values)]);
        assertFiniteLoss(values[0]!, { step: stepIndex + 1, microBatch: m, workerId: "trial" });
      },
    );
    weight += step.weight;
  }
  if (updatesOnDevice) {
    await recorded(
      "reduce",
      () => mirror.reduce(weight),
      (reduced) => reduced,
    );
    await recorded(
      "update",
      () => mirror.update(stepIndex),
      (updated) => updated,
    );
  }
  spans.end();
}

function within<T>(spans: TrialSpans, name: string, fn: () => T): T {
  spans.begin(name);
  try {
    return fn();
  } finally {
    spans.end();
  }
}
