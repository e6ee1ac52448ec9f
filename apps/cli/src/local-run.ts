/** @file A run on this machine alone, a coordinator on loopback and N worker processes: for `lockstep run` and for `fit` with workers. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { PreparedChaos } from "./chaos/prepare-chaos.js";
import type { BackendName, LogFlags, Precision, Updater } from "./flags/common-flags.js";
import { startLocalWorkers } from "./local-workers.js";
import type { PlannedRun } from "./plan-run.js";
import type { ListeningRun, SuperviseOptions } from "./supervise-run.js";
import { systemClock } from "./system-clock.js";
import { createToken, writeTokenFile } from "./token.js";

export interface LocalRunOptions extends LogFlags {
  readonly workers: number;
  /** Of each worker. Default: cores divided by workers. */
  readonly threads?: number | undefined;
  /** Where the workers compute gradients: one entry, or one for each. Default: the CPU. */
  readonly backend?: readonly BackendName[];
  /** Of those on a GPU. Default "f32". */
  readonly precision?: Precision;
  readonly record?: boolean;
  readonly update?: Updater;
  readonly audit?: number;
  readonly lossScale?: number;
  readonly chaos?: PreparedChaos | undefined;
  /** Where the workers keep blobs. */
  readonly cacheDir: string;
  readonly farewell: () => string;
}

const localJoinTimeoutMs = 120_000;
/** After the last local worker is gone, another one may be on its way. */
const lastWorkerGraceMs = 500;

/** How a planned run is supervised when all its workers are this machine's. */
export function localRunOptions(plan: PlannedRun, options: LocalRunOptions): SuperviseOptions {
  const { workers, chaos } = options;
  const token = createToken();
  return {
    ...options,
    host: "127.0.0.1",
    port: 0,
    token,
    minWorkers: workers,
    minWorkersToGoOn: 1,
    maxWorkers: chaos === undefined ? workers : workers + 1,
    joinTimeoutMs: localJoinTimeoutMs,
    // Chaos may kill a worker before it is in; that must not end the run.
    joinFailure: chaos === undefined ? "fail" : "refuse",
    ...(chaos === undefined ? {} : { observe: chaos.observe }),
    onListening: async (run) => {
      const { url, view } = run;
      const tokenFile = join(plan.runDir, "token");
      writeTokenFile(tokenFile, token);
      view.note(`another worker on this machine joins with: lockstep worker ${url} --token-file ${tokenFile}`, {
        url,
        tokenFile,
      });
      const started = startLocalWorkers({
        url,
        token,
        workers,
        threads: options.threads ?? Math.max(1, Math.floor(availableParallelism() / workers)),
        numeric: plan.numeric,
        backends: options.backend ?? ["cpu"],
        precision: options.precision ?? "f32",
        noRecord: options.record === false,
        update: options.update ?? "cpu",
        cacheDir: options.cacheDir,
        onCrash: crashReporter(run, workers, chaos === undefined),
      });
      chaos?.begin(started, (line) => view.warn(line));
      return started;
    },
  };
}

/** What a worker's end means: a warning, or the end of the run when nobody is left to compute and none was killed on purpose. */
function crashReporter({ view, hasJoined, numConnected, fail }: ListeningRun, workers: number, isUnwanted: boolean) {
  let numLeft = workers;
  return (name: string, status: string, stderr: string): void => {
    const message = `worker "${name}" ended with ${status}${stderr === "" ? "" : `: ${stderr}`}`;
    numLeft--;
    if (hasJoined(name)) view.warn(message);
    if (hasJoined(name) && numLeft === 0 && isUnwanted)
      systemClock.schedule(lastWorkerGraceMs, () => {
        if (numConnected() === 0) fail("E_WORKER_LOST", `run: ${message}. It was the last worker.`);
      });
    if (!hasJoined(name) && isUnwanted) fail("E_WORKER_START", `run: ${message}. It must join; nothing was trained.`);
  };
}
