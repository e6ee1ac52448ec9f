/** @file The options of a fit, read: defaults, rules, and what follows from them. */
import type { FitCallback } from "./callbacks/callback.js";
import type { SampleArrays } from "./columns.js";
import { FitError } from "./fit-error.js";

export interface FitOptions {
  /** Passes over the samples. Default 1. */
  readonly epochs?: number;
  /** Samples of a step. Default 32. */
  readonly batchSize?: number;
  /**
   * Samples that one worker computes at a time; divides batchSize, and with it sets how many workers can help. Bits depend on it, never
   * on the number of workers. Default: an eighth of batchSize, or the largest whole share there is.
   */
  readonly microBatchSize?: number;
  /** Samples to evaluate on after every epoch. */
  readonly validationData?: SampleArrays;
  /** Share of the samples, taken from the end, that is evaluated on instead of trained on. */
  readonly validationSplit?: number;
  readonly callbacks?: readonly FitCallback[];
  /** What the samples of each label count for; 1 for labels that are not named. */
  readonly classWeight?: Readonly<Record<string, number>>;
  /** Of the initial weights, the order of the samples and every draw. Default 0. */
  readonly seed?: number;
  /** Worker processes of this machine, under a coordinator. Default: this process trains. The bits are the same. */
  readonly workers?: number;
  /** Run directory, where there are workers. Default: none is kept. */
  readonly out?: string;
  /** Whether progress is shown, where there is something to show it on. Default true. */
  readonly verbose?: boolean;
}

export interface FitSizes {
  readonly epochs: number;
  readonly batchSize: number;
  readonly microBatchSize: number;
  readonly seed: number;
}

const optionNames = {
  epochs: true,
  batchSize: true,
  microBatchSize: true,
  validationData: true,
  validationSplit: true,
  callbacks: true,
  classWeight: true,
  seed: true,
  workers: true,
  out: true,
  verbose: true,
} as const satisfies Record<keyof FitOptions, true>;

const hookNames = [
  "onFitBegin",
  "onStep",
  "onNotice",
  "onEpochEnd",
  "onFitEnd",
] as const satisfies readonly (keyof FitCallback)[];

/** @throws {FitError} E_FIT_OPTION naming the option, its value and the rule. */
export function sizesOf(options: FitOptions): FitSizes {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(optionNames, name)) continue;
    throw optionError(name, options[name as keyof FitOptions], `options are ${Object.keys(optionNames).join(", ")}`);
  }
  assertCallbacks(options.callbacks ?? []);
  const { epochs = 1, batchSize = 32, seed = 0, workers, validationSplit, validationData } = options;
  assertWhole("epochs", epochs, 1);
  assertWhole("batchSize", batchSize, 1);
  assertWhole("seed", seed, 0);
  const microBatchSize = options.microBatchSize ?? defaultMicroBatchSize(batchSize);
  assertWhole("microBatchSize", microBatchSize, 1);
  if (batchSize % microBatchSize !== 0) {
    throw optionError("microBatchSize", microBatchSize, `it must divide batchSize, ${batchSize}`);
  }
  if (workers === undefined && options.out !== undefined) {
    throw optionError("out", options.out, "workers is not given, and only a run with workers has a directory");
  }
  if (workers !== undefined) {
    assertWhole("workers", workers, 1);
    const most = batchSize / microBatchSize;
    if (workers > most)
      throw optionError("workers", workers, `a step has ${most} micro-batches, one for each at least`);
  }
  if (validationSplit !== undefined && validationData !== undefined) {
    throw optionError("validationSplit", validationSplit, "validationData is given as well; give one of the two");
  }
  if (validationSplit !== undefined && !(validationSplit > 0 && validationSplit < 1)) {
    throw optionError("validationSplit", validationSplit, "it must lie between 0 and 1");
  }
  return { epochs, batchSize, microBatchSize, seed };
}

const wantedMicroBatches = 8;

function defaultMicroBatchSize(batchSize: number): number {
  for (let count = wantedMicroBatches; count > 1; count--) if (batchSize % count === 0) return batchSize / count;
  return batchSize;
}

function assertCallbacks(callbacks: readonly FitCallback[]): void {
  if (!Array.isArray(callbacks)) throw optionError("callbacks", typeof callbacks, "it must be an array");
  for (const [i, callback] of callbacks.entries()) {
    if (typeof callback === "object" && hookNames.some((name) => typeof callback?.[name] === "function")) continue;
    const what =
      typeof callback === "function" ? `the class or function ${callback.name || "without a name"}` : typeof callback;
    const rule = `it must be an object with one of ${hookNames.join(", ")}`;
    throw optionError(`callbacks[${i}]`, what, typeof callback === "function" ? `${rule}. Make one with new` : rule);
  }
}

/** Of evaluate and predict. @throws {FitError} E_FIT_OPTION */
export function assertBatchSize(where: string, batchSize: number): void {
  assertWhole("batchSize", batchSize, 1, where);
}

function assertWhole(name: string, value: number, least: number, where = "fit"): void {
  if (Number.isInteger(value) && value >= least) return;
  throw optionError(name, value, `it must be a whole number of at least ${least}`, where);
}

function optionError(name: string, value: unknown, rule: string, where = "fit"): FitError {
  return new FitError("E_FIT_OPTION", `${where}: ${name} is ${String(value)}; ${rule}.`, { option: name, value });
}
