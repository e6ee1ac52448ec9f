/** @file What a fit needs of where it runs: a backend, a clock, hashes, and somebody who can start workers. */
import type { CpuBackend } from "@lockstep/core";
import type { FitCallback } from "./callbacks/callback.js";
import type { StepReport } from "./epoch-book.js";

/** One fit, for whoever starts a coordinator and workers for it. */
export interface LaunchRequest {
  /** `import.meta.url` of the module that defines the model, and its export. */
  readonly module: string;
  readonly exportName: string;
  readonly name: string;
  /** Configuration keys of the job. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Bytes of the job's file of samples. */
  readonly samples: Uint8Array;
  readonly initFrom: Uint8Array | undefined;
  readonly seed: number;
  readonly workers: number;
  /** Run directory to keep; without it none stays. */
  readonly out: string | undefined;
  readonly onStep: (report: StepReport) => void;
  /** What went wrong and was survived, in words. */
  readonly onNotice: (text: string) => void;
  /** Why the run ends after this step, or undefined; asked where an epoch ends, but for the last. */
  readonly judge: (at: EpochEnd) => Promise<string | undefined>;
}

export interface EpochEnd {
  readonly step: number;
  readonly evaluation: Readonly<Record<string, number>>;
  readonly weights: () => Promise<Uint8Array>;
}

export interface LaunchResult {
  readonly step: number;
  readonly evaluation: Readonly<Record<string, number>>;
  readonly weights: Uint8Array;
  readonly paramsSha256: string;
}

export interface FitPorts {
  /** A backend of the strict class for this process. */
  createBackend(): CpuBackend;
  /** Hex sha256. Without it `History.paramsSha256` is undefined in this process. */
  readonly sha256?: (parts: readonly Uint8Array[]) => string;
  /** Without it durations are 0. */
  readonly nowMs?: () => number;
  /** Trains with a coordinator and workers. Rejects when the run does not complete. */
  launch?(request: LaunchRequest): Promise<LaunchResult>;
  /** Called before the callbacks of each fit that is not silent. */
  readonly progress?: () => FitCallback;
}
