/**
 * @file Record and replay: a step of fixed shapes runs twice with its launches written down; when both agree, later ones repeat the list
 * without the JavaScript that made it (design section 5). The bits are those of the same ops run eagerly.
 */

/** The micro-batch that draws random numbers. `step` from 0. */
export interface StepPlace {
  readonly step: number;
  readonly m: number;
}

export interface StepRunnerOptions {
  /** Runs every step eagerly. Default false. */
  readonly noRecord?: boolean;
  /** Told once, in a sentence, why a step cannot be replayed. */
  readonly onNotice?: (line: string) => void;
  /** Replays between two that run eagerly to be compared with the record. Default 500. */
  readonly checkInterval?: number;
}

export interface StepParts<I, R> {
  /** Makes what the step reads, every time. Plain data and tensors; those become the step's. */
  readonly input: () => I;
  /**
   * The launches. What it does and gives must follow from the shapes of the input and from what it asked by `hostValue`: it is not called
   * for a replay. Calls `mark(i)` when everything of part i is launched.
   *
   * @returns plain data, no tensors.
   */
  readonly main: (input: I, mark: (part: number) => void) => R;
  /** Called at each mark, in a replay too; what it launches belongs to nobody's record. */
  readonly onMark?: (part: number) => void;
}

export interface StepRunnerFigures {
  readonly numEager: number;
  readonly numReplayed: number;
  /** Bytes of the memory plans, beside the bytes that the same tensors had without reuse. */
  readonly plannedBytes: number;
  readonly unplannedBytes: number;
}

export interface StepRunner {
  /**
   * Runs a step inside the caller's `microBatchScope`, which has the same place.
   *
   * @throws {BackendError} E_REPLAY when a comparison finds that the step is no longer what was recorded; whatever the parts throw.
   */
  run<I, R>(place: StepPlace, parts: StepParts<I, R>): R;
  figures(): StepRunnerFigures;
  dispose(): void;
}
