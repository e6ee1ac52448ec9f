/**
 * @file A fit with worker processes: writes the samples and a job module beside them, and runs it as `lockstep run` would.
 *
 * The coordinator lives in the process that called `fit`, so callbacks are asked where an epoch ends and the next step waits for them.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FitError, type LaunchRequest, type LaunchResult } from "@lockstep/fit";
import { localRunOptions } from "../local-run.js";
import { type PlannedRun, planRun } from "../plan-run.js";
import { findLastCheckpoint } from "../run-directory.js";
import { type SuperviseOptions, superviseToEnd } from "../supervise-run.js";

/**
 * Trains in worker processes and gives the last weights.
 *
 * @throws {UsageError} or {ConfigError}: nothing was started. {FitError} E_FIT_RUN when the run does not complete.
 */
export async function launchFit(request: LaunchRequest): Promise<LaunchResult> {
  const folder = mkdtempSync(join(tmpdir(), "lockstep-fit-"));
  try {
    const plan = await planFit(request, folder);
    const evaluations = new Evaluations();
    const checkpoints = new Checkpoints(plan.runDir);
    const callbacks = new GuardedCallbacks();
    const local = localRunOptions(plan, {
      workers: request.workers,
      cacheDir: join(folder, "cache"),
      logFormat: "pretty",
      quiet: true,
      farewell: () => "",
    });
    const options: SuperviseOptions = {
      ...local,
      onListening: (run) => {
        callbacks.endRun = (message) => run.fail("E_CALLBACK", message);
        return local.onListening(run);
      },
      observe: {
        onMetrics: ({ step, loss, learningRate, gradNorm }) =>
          callbacks.call(() => request.onStep({ step, loss, learningRate, gradNorm })),
        onEvent: (event) => {
          evaluations.take(event);
          checkpoints.take(event);
          if (survived.has(event.type)) callbacks.call(() => request.onNotice(String(event.reason)));
        },
        stop: () => {},
      },
      judge: ({ step }) =>
        callbacks.await(() =>
          request.judge({ step, evaluation: evaluations.at(step), weights: () => checkpoints.weights(step) }),
        ),
    };
    const summary = await superviseToEnd(plan, options);
    callbacks.rethrow();
    if (summary.status !== "completed" || summary.paramsSha256 === null) {
      const { code, message } = summary.error ?? { code: "E_INTERRUPTED", message: "it was interrupted" };
      throw new FitError("E_FIT_RUN", `fit: the run with ${request.workers} workers ${summary.status}: ${message}`, {
        code,
      });
    }
    return {
      step: summary.steps,
      evaluation: evaluations.at(summary.steps),
      weights: readFileSync(join(findLastCheckpoint(plan.runDir)!.dir, "model.safetensors")),
      paramsSha256: summary.paramsSha256,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function planFit(request: LaunchRequest, folder: string): Promise<PlannedRun> {
  const { module, exportName, samples, initFrom, config, seed, out } = request;
  const path = JSON.stringify(fileURLToPath(module));
  writeFileSync(
    join(folder, "job.mjs"),
    `import { ${exportName} as model } from ${path};\nexport default model.job;\n`,
  );
  writeFileSync(join(folder, "samples.safetensors"), samples);
  const weights = join(folder, "init.safetensors");
  if (initFrom !== undefined) writeFileSync(weights, initFrom);
  return planRun(
    join(folder, "job.mjs"),
    {
      set: Object.entries(config).map(([key, value]) => `${key}=${JSON.stringify(value)}`),
      seed,
      numeric: "strict",
      out: out ?? join(folder, "run"),
      ...(initFrom === undefined ? {} : { initFrom: weights }),
    },
    process.cwd(),
    new Date(),
  );
}

/** Events that people should hear of although the run goes on. */
const survived: ReadonlySet<string> = new Set(["left", "evicted", "outvoted", "stepFailed", "checkpointFailed"]);

interface RunEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** What the caller's callbacks throw ends the run, and then the fit, as it would in one process; the first error counts. */
class GuardedCallbacks {
  endRun: (message: string) => void = () => {};
  #thrown: { readonly error: unknown } | undefined;

  call(callback: () => void): void {
    if (this.#thrown !== undefined) return;
    try {
      callback();
    } catch (error) {
      this.#note(error);
      this.endRun(`a callback threw: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** The coordinator ends the run itself where this rejects. */
  async await<Answer>(callback: () => Promise<Answer>): Promise<Answer> {
    try {
      return await callback();
    } catch (error) {
      this.#note(error);
      throw error;
    }
  }

  rethrow(): void {
    if (this.#thrown !== undefined) throw this.#thrown.error;
  }

  #note(error: unknown): void {
    this.#thrown ??= { error };
  }
}

/** Numbers of the last evaluation. */
class Evaluations {
  #step = -1;
  #values: Readonly<Record<string, number>> = {};

  take({ type, step, evalLoss, metrics }: RunEvent): void {
    if (type !== "evaluated" || typeof evalLoss !== "number") return;
    this.#step = Number(step);
    this.#values = { evalLoss, ...(metrics as Readonly<Record<string, number>> | undefined) };
  }

  at(step: number): Readonly<Record<string, number>> {
    return this.#step === step ? this.#values : {};
  }
}

/** Which checkpoints are on disk, for callbacks that want weights while the run waits for them. */
class Checkpoints {
  readonly #runDir: string;
  readonly #ends = new Map<number, { readonly promise: Promise<void>; settle(problem?: string): void }>();

  constructor(runDir: string) {
    this.#runDir = runDir;
  }

  take({ type, step, checkpointStep, reason }: RunEvent): void {
    const at = Number(checkpointStep ?? step);
    if (type === "checkpoint") this.#end(at).settle();
    if (type === "checkpointFailed") this.#end(at).settle(String(reason));
  }

  async weights(step: number): Promise<Uint8Array> {
    await this.#end(step).promise;
    const folder = `step-${String(step).padStart(6, "0")}`;
    return readFileSync(join(this.#runDir, "checkpoints", folder, "model.safetensors"));
  }

  #end(step: number) {
    let end = this.#ends.get(step);
    if (end === undefined) {
      let settle: (problem?: string) => void = () => {};
      const promise = new Promise<void>((resolve, reject) => {
        settle = (problem) =>
          problem === undefined ? resolve() : reject(new FitError("E_FIT_RUN", `fit: ${problem}`));
      });
      promise.catch(() => {}); // Whoever asks gets it; nobody may.
      end = { promise, settle };
      this.#ends.set(step, end);
    }
    return end;
  }
}
