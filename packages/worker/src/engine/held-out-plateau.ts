/**
 * @file The learning rate of a job with `plateau`: lowered when the held-out loss stops falling, on every worker at the same step.
 *
 * The micro-batches of a step that follows a due evaluation also evaluate their share of the evaluation grid, with the state the step
 * begins with. Their sums travel behind the gradient and are committed with it (decision 0015), so that whoever applies the step, late or
 * after a resume, decides the same.
 */
import { type Backend, type nn, schedules, type Tensor, type TensorView, tensor, treeSum } from "@lockstep/core";
import { JobError } from "../errors.js";
import type { AnyJob } from "../job/define-job.js";
import type { ParsedConfig } from "../job/parse-config.js";
import type { Training } from "./build-training.js";
import { evalMicroBatch, evaluating } from "./micro-batch.js";

export class HeldOutPlateau implements nn.StatisticsSource {
  /** Weight, and sum of losses. */
  readonly statisticsLength = 2;
  readonly #backend: Backend;
  readonly #rule: schedules.ReduceOnPlateau;
  #pending: readonly [weight: number, sum: number] | undefined;

  constructor(backend: Backend, options: schedules.PlateauOptions) {
    this.#backend = backend;
    this.#rule = new schedules.ReduceOnPlateau(options);
  }

  /** The schedule's rate is multiplied by it. */
  get factor(): number {
    return this.#rule.factor;
  }

  emit(weight: number, sum: number): void {
    this.#pending = [weight, sum];
  }

  takeStatistics(): Tensor | undefined {
    const pending = this.#pending;
    this.#pending = undefined;
    return pending && tensor([...pending]);
  }

  /** Decides by the mean loss; a step without an evaluation has a weight of 0. */
  applyStatistics(sums: TensorView): void {
    const [weight, sum] = this.#backend.readSync!(sums);
    if (weight! > 0) this.#rule.observe(sum! / weight!);
  }

  state(): schedules.PlateauState {
    return this.#rule.state();
  }

  /** @throws {FormatError} E_FORMAT when it is no such state. */
  restore(state: unknown): void {
    this.#rule.restore(state);
  }
}

/** @throws {JobError} E_JOB_SCHEDULE for a job with `plateau` that never evaluates; {ValueError} E_VALUE for an option out of range. */
export function buildPlateau(
  { name, plateau }: AnyJob,
  on: { readonly backend: Backend; readonly config: ParsedConfig; readonly hasEvalData: boolean },
): HeldOutPlateau | undefined {
  if (plateau === undefined) return undefined;
  const { evalIntervalSteps } = on.config;
  if (evalIntervalSteps > 0 && on.hasEvalData) return new HeldOutPlateau(on.backend, plateau);
  throw new JobError(
    `job "${name}": it has a plateau, evalIntervalSteps ${evalIntervalSteps} and ${on.hasEvalData ? "" : "no "}eval data; it must evaluate for its plateau. Set evalIntervalSteps, and return eval data.`,
    { job: name, evalIntervalSteps, hasEvalData: on.hasEvalData },
    "E_JOB_SCHEDULE",
  );
}

/** Evaluates a micro-batch's share of the grid, every numMicroBatches-th, where the step before it was one to evaluate after. */
export function emitHeldOut(training: Training, step: number, microBatch: number): void {
  const { plateau, source, numMicroBatches, evalGrid } = training;
  const before = step - 1;
  if (plateau === undefined || before === 0 || before % source.config.evalIntervalSteps !== 0) return;
  const sums = evaluating(training, () =>
    [...evalGrid.keys()]
      .filter((m) => m % numMicroBatches === microBatch)
      .map((m) => evalMicroBatch(training, { step: before, microBatch: m })),
  );
  plateau.emit(treeSum(sums.map(([, , weight]) => weight)), treeSum(sums.map(([, sum]) => sum)));
}
