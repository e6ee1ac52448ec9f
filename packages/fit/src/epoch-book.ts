/** @file Keeps what the steps of a fit report, makes epochs of them, and asks the callbacks. Used by both ways to run. */
import type { EpochLog, FitCallback, FitPlan } from "./callbacks/callback.js";

/** A committed step, as an engine or a coordinator reports it. */
export interface StepReport {
  readonly step: number;
  /** null when a lost worker took its part of it along. */
  readonly loss: number | null;
  readonly learningRate: number | null;
  readonly gradNorm: number | null;
}

export class EpochBook {
  readonly epochs: EpochLog[] = [];
  stopReason: string | undefined;
  readonly #plan: FitPlan;
  readonly #callbacks: readonly FitCallback[];
  readonly #nowMs: () => number;
  readonly #losses = new Map<number, StepReport>();
  #startedMs: number;

  constructor(plan: FitPlan, callbacks: readonly FitCallback[], nowMs: () => number) {
    this.#plan = plan;
    this.#callbacks = callbacks;
    this.#nowMs = nowMs;
    this.#startedMs = nowMs();
    for (const callback of callbacks) callback.onFitBegin?.(plan);
  }

  /** Takes a step; one that is told twice counts once. */
  noteStep(report: StepReport): void {
    if (this.#losses.has(report.step)) return;
    this.#losses.set(report.step, report);
    const { epochs, totalSteps, stepsPerEpoch } = this.#plan;
    const epoch = Math.ceil(report.step / stepsPerEpoch);
    for (const callback of this.#callbacks) callback.onStep?.({ ...report, epoch, epochs, totalSteps });
  }

  /** Tells the callbacks what went wrong without ending the fit. */
  notice(text: string): void {
    for (const callback of this.#callbacks) callback.onNotice?.(text);
  }

  /**
   * The epoch that `step` ends is over.
   *
   * @returns why the fit ends here, if a callback said so.
   */
  async endEpoch(
    step: number,
    evaluation: Readonly<Record<string, number>>,
    weights: () => Promise<Uint8Array>,
  ): Promise<string | undefined> {
    const { stepsPerEpoch } = this.#plan;
    const epoch = Math.ceil(step / stepsPerEpoch);
    const reports = Array.from(
      { length: stepsPerEpoch },
      (_, i) => this.#losses.get((epoch - 1) * stepsPerEpoch + i + 1)!,
    );
    const nowMs = this.#nowMs();
    const log: EpochLog = {
      epoch,
      step,
      loss: meanOf(reports.flatMap(({ loss }) => loss ?? [])),
      ...evaluation,
      learningRate: reports.at(-1)!.learningRate ?? Number.NaN,
      ms: nowMs - this.#startedMs,
    };
    this.#startedMs = nowMs;
    this.epochs.push(log);
    this.#losses.clear();
    for (const callback of this.#callbacks) {
      await callback.onEpochEnd?.(log, {
        stop: (reason) => {
          this.stopReason ??= reason;
        },
        weights,
      });
    }
    if (step >= this.#plan.totalSteps) this.stopReason = undefined;
    return this.stopReason;
  }

  /** The weights that a callback wants the model to have; the first one's. */
  end(): Uint8Array | undefined {
    let chosen: Uint8Array | undefined;
    for (const callback of this.#callbacks) {
      const weights = callback.onFitEnd?.(this.epochs);
      chosen ??= weights ?? undefined;
    }
    return chosen;
  }
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
