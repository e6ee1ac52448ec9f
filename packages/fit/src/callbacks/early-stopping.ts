import { FitError } from "../fit-error.js";
import type { EpochLog, FitCallback, FitControl } from "./callback.js";

export interface MonitorOptions {
  /** A number of the epoch's log: "evalLoss", the default, "loss", ... */
  readonly monitor?: string;
  /** Whether less or more is better. Default "min". */
  readonly mode?: "min" | "max";
}

export interface EarlyStoppingOptions extends MonitorOptions {
  /** Epochs without a better value before the fit ends. Default 3. */
  readonly patience?: number;
  /** A value is better only if it is so by more than this. Default 0. */
  readonly minDelta?: number;
  /** Whether the model gets the weights of its best epoch back. Default false. */
  readonly restoreBestWeights?: boolean;
}

/** Whether a value is better than the best so far. */
export class BestValue {
  readonly #monitor: string;
  readonly #sign: 1 | -1;
  readonly #minDelta: number;
  #best = Number.POSITIVE_INFINITY;
  /** Of the best value; 0 before the first. */
  epoch = 0;

  /** @throws {FitError} E_FIT_CALLBACK for a mode that is none. */
  constructor({ monitor = "evalLoss", mode = "min" }: MonitorOptions, minDelta = 0) {
    if (mode !== "min" && mode !== "max") {
      throw new FitError("E_FIT_CALLBACK", `callback: mode is ${JSON.stringify(mode)}; it must be "min" or "max".`, {
        mode,
      });
    }
    this.#monitor = monitor;
    this.#sign = mode === "min" ? 1 : -1;
    this.#minDelta = minDelta;
  }

  /** Nothing is the best yet: a new fit begins. */
  reset(): void {
    this.#best = Number.POSITIVE_INFINITY;
    this.epoch = 0;
  }

  /** @throws {FitError} E_FIT_MONITOR when the log has no such number. */
  improves(log: EpochLog): boolean {
    const value = (log as unknown as Record<string, unknown>)[this.#monitor];
    if (typeof value !== "number") {
      const known = Object.entries(log).flatMap(([name, value]) => (typeof value === "number" ? [name] : []));
      const text = `callback: monitor is "${this.#monitor}", and an epoch has ${known.join(", ")}; it must be one of them. ${this.#monitor === "evalLoss" ? "Give fit validationData or validationSplit." : "Check the name."}`;
      throw new FitError("E_FIT_MONITOR", text, { monitor: this.#monitor, known });
    }
    if (!(this.#sign * value < this.#best - this.#minDelta)) return false;
    this.#best = this.#sign * value;
    this.epoch = log.epoch;
    return true;
  }

  /** The best value so far. */
  get value(): number {
    return this.#sign * this.#best;
  }
}

/**
 * Ends the fit once a value has not become better for `patience` epochs.
 *
 * @throws {FitError} E_FIT_CALLBACK for a patience that is no whole number of at least 0 or a negative minDelta.
 * @source keras.callbacks.EarlyStopping
 */
export class EarlyStopping implements FitCallback {
  readonly needsWeights: boolean;
  readonly #best: BestValue;
  readonly #patience: number;
  #weights: Uint8Array | undefined;

  constructor({ patience = 3, minDelta = 0, restoreBestWeights = false, ...monitor }: EarlyStoppingOptions = {}) {
    if (!Number.isInteger(patience) || patience < 0 || !(minDelta >= 0)) {
      const text = `EarlyStopping: patience is ${patience} and minDelta ${minDelta}; they must be a whole number of at least 0 and a number of at least 0.`;
      throw new FitError("E_FIT_CALLBACK", text, { patience, minDelta });
    }
    this.#best = new BestValue(monitor, minDelta);
    this.#patience = patience;
    this.needsWeights = restoreBestWeights;
  }

  onFitBegin(): void {
    this.#best.reset();
    this.#weights = undefined;
  }

  async onEpochEnd(log: EpochLog, control: FitControl): Promise<void> {
    if (this.#best.improves(log)) {
      if (this.needsWeights) this.#weights = await control.weights();
      return;
    }
    const waited = log.epoch - this.#best.epoch;
    if (waited >= Math.max(1, this.#patience)) {
      control.stop(
        `no better value for ${waited} epochs; the best was ${this.#best.value} in epoch ${this.#best.epoch}`,
      );
    }
  }

  onFitEnd(): Uint8Array | undefined {
    return this.#weights;
  }
}
