/** @file What can be told of a fit while it goes on, and can end it. The same calls in one process and over a coordinator. */

export interface StepLog {
  /** 1-based. */
  readonly step: number;
  readonly totalSteps: number;
  /** 1-based. */
  readonly epoch: number;
  readonly epochs: number;
  /** Mean training loss of the step; null when a lost worker took its part of it along, as the next two. */
  readonly loss: number | null;
  readonly learningRate: number | null;
  /** Global norm of the gradient before clipping. */
  readonly gradNorm: number | null;
}

export interface EpochLog {
  /** 1-based. */
  readonly epoch: number;
  /** Steps made. */
  readonly step: number;
  /** Mean over the epoch's steps. */
  readonly loss: number;
  /** Mean held-out loss; undefined without held-out samples. */
  readonly evalLoss?: number;
  readonly learningRate: number;
  /** Wall time of the epoch with its evaluation; 0 without a clock. */
  readonly ms: number;
  /** Metrics on held-out samples, by name. */
  readonly [metric: string]: number | undefined;
}

export interface FitControl {
  /** Ends the fit after this epoch; the reason stands in the history. */
  stop(reason: string): void;
  /** The weights as they are now: a safetensors file. Over a coordinator only for callbacks with `needsWeights`. */
  weights(): Promise<Uint8Array>;
}

export interface FitPlan {
  readonly name: string;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  readonly numSamples: number;
  readonly numEvalSamples: number;
  /** Workers that train; 0 in this process. */
  readonly numWorkers: number;
}

/** All are called in the process that called `fit`, in the order of the list; a promise is awaited where an epoch ends. */
export interface FitCallback {
  /** Whether `control.weights()` is going to be asked for: a run then writes a checkpoint after every epoch. */
  readonly needsWeights?: boolean;
  onFitBegin?(plan: FitPlan): void;
  onStep?(log: StepLog): void;
  /** Something went wrong that the fit survives, in words: a worker was lost, a checkpoint not written. Only over a coordinator. */
  onNotice?(text: string): void;
  onEpochEnd?(log: EpochLog, control: FitControl): void | Promise<void>;
  /** @returns weights that the model is to have from now on, or nothing. */
  onFitEnd?(history: readonly EpochLog[]): Uint8Array | undefined;
}
