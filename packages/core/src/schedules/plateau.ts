/**
 * @file Lower the learning rate when an evaluated value stops getting better. The decision is pure: a state and a value give the next
 * state; whoever evaluates keeps the state and multiplies the schedule's rate by its factor.
 */
import { FormatError, ValueError } from "../errors.js";
import { assertCount, assertFactor, assertRate } from "./schedule.js";

export interface PlateauOptions {
  /** Multiplies the rate at each reduction. In (0, 1). Default 0.1. */
  readonly factor?: number;
  /** Evaluations without a better value that are borne: one more reduces. Default 10. */
  readonly patience?: number;
  /** How much better a value must be to count. Default 1e-4. */
  readonly threshold?: number;
  /** Is the threshold a share of the best value, or a difference? Default "relative". */
  readonly thresholdMode?: "relative" | "absolute";
  /** Evaluations after a reduction that are not counted. Default 0. */
  readonly cooldown?: number;
  /** The factor never falls below this. Default 0. */
  readonly minFactor?: number;
  /** Is a smaller value better ("min", a loss) or a greater ("max", an accuracy)? Default "min". */
  readonly mode?: "min" | "max";
}

/** Everything that is remembered between evaluations. Plain JSON. */
export interface PlateauState {
  /** The schedule's rate is multiplied by it. */
  readonly factor: number;
  /** Best value so far; null before the first. */
  readonly best: number | null;
  /** Evaluations since the best one, those of a cooldown left out. */
  readonly numBad: number;
  readonly cooldownLeft: number;
}

export interface PlateauDecision {
  readonly state: PlateauState;
  readonly isReduced: boolean;
  readonly reason: string;
}

export const initialPlateauState: PlateauState = { factor: 1, best: null, numBad: 0, cooldownLeft: 0 };

/**
 * The state after an evaluation.
 *
 * @shape value -> state (f64)
 * @throws {ValueError} E_VALUE when the value is not finite or an option is out of range.
 * @source Same decisions as torch.optim.lr_scheduler.ReduceLROnPlateau; the factor multiplies a schedule, where PyTorch's multiplies the
 *   optimizer's rate.
 * @example
 * const { state } = schedules.decidePlateau(schedules.initialPlateauState, 0.7, { patience: 2 });
 * state.best; // => 0.7
 */
export function decidePlateau(before: PlateauState, value: number, options: PlateauOptions = {}): PlateauDecision {
  const settings = resolvePlateau(options);
  if (!Number.isFinite(value)) {
    throw new ValueError(`plateau: the value is ${value}; it must be finite. Look at the evaluation.`, { value });
  }
  const isBetter = before.best === null || isBetterThan(value, before.best, settings);
  const best = isBetter ? value : before.best;
  const isCooling = before.cooldownLeft > 0;
  const cooldownLeft = isCooling ? before.cooldownLeft - 1 : 0;
  const numBad = isBetter || isCooling ? 0 : before.numBad + 1;
  if (numBad <= settings.patience) {
    const reason = isBetter
      ? `${value} is the best so far`
      : `${numBad} of ${settings.patience} evaluations without a better value`;
    return { state: { ...before, best, numBad, cooldownLeft }, isReduced: false, reason };
  }
  const factor = Math.max(before.factor * settings.factor, settings.minFactor);
  const reason = `no value better than ${best} in ${numBad} evaluations: factor ${before.factor} becomes ${factor}`;
  const state = { factor, best, numBad: 0, cooldownLeft: settings.cooldown };
  return { state, isReduced: factor < before.factor, reason };
}

/** Options with their defaults. @shape none @throws {ValueError} E_VALUE naming an option that is out of range. @source none: ours */
export function resolvePlateau(options: PlateauOptions): Required<PlateauOptions> {
  const settings: Required<PlateauOptions> = {
    factor: options.factor ?? 0.1,
    patience: options.patience ?? 10,
    threshold: options.threshold ?? 1e-4,
    thresholdMode: options.thresholdMode ?? "relative",
    cooldown: options.cooldown ?? 0,
    minFactor: options.minFactor ?? 0,
    mode: options.mode ?? "min",
  };
  assertFactor("plateau", settings.factor);
  assertCount("plateau", "patience", settings.patience);
  assertCount("plateau", "cooldown", settings.cooldown);
  assertRate("plateau", "threshold", settings.threshold);
  assertRate("plateau", "minFactor", settings.minFactor);
  return settings;
}

function isBetterThan(
  value: number,
  best: number,
  { mode, threshold, thresholdMode }: Required<PlateauOptions>,
): boolean {
  const sign = mode === "min" ? -1 : 1;
  const margin = thresholdMode === "relative" ? threshold * best : threshold;
  return mode === "min" ? value < best + sign * margin : value > best + sign * margin;
}

/**
 * The decision with its state, for a loop of one's own: `observe` after each evaluation, and the schedule's rate times `factor`.
 *
 * @shape value -> factor (f64)
 * @throws {ValueError} E_VALUE when an option is out of range.
 * @source As `decidePlateau`.
 * @example
 * const plateau = new schedules.ReduceOnPlateau({ patience: 0, factor: 0.5 });
 * plateau.observe(1);
 * plateau.observe(2);
 * plateau.factor; // => 0.5
 */
export class ReduceOnPlateau {
  readonly #options: PlateauOptions;
  #state = initialPlateauState;

  constructor(options: PlateauOptions = {}) {
    resolvePlateau(options);
    this.#options = options;
  }

  get factor(): number {
    return this.#state.factor;
  }

  /** Takes an evaluated value. @throws {ValueError} E_VALUE when it is not finite. */
  observe(value: number): PlateauDecision {
    const decision = decidePlateau(this.#state, value, this.#options);
    this.#state = decision.state;
    return decision;
  }

  state(): PlateauState {
    return this.#state;
  }

  /** Goes on where `state` was taken. @throws {FormatError} E_FORMAT when it is no such state. */
  restore(state: unknown): void {
    const { factor, best, numBad, cooldownLeft } = (state ?? {}) as Partial<PlateauState>;
    const isWhole = [numBad, cooldownLeft].every((n) => Number.isSafeInteger(n) && n! >= 0);
    if (!isWhole || !Number.isFinite(factor) || !(best === null || Number.isFinite(best))) {
      throw new FormatError(
        `plateau: its state is ${JSON.stringify(state)}; it must be {factor, best, numBad, cooldownLeft}. The file is of another job.`,
        { state },
      );
    }
    this.#state = { factor: factor!, best: best!, numBad: numBad!, cooldownLeft: cooldownLeft! };
  }
}
