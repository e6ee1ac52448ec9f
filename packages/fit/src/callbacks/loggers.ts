/** @file Callbacks that write: what to write to is the caller's, a file, a terminal, a page. */
import type { EpochLog, FitCallback, FitControl, FitPlan, StepLog } from "./callback.js";
import { BestValue, type MonitorOptions } from "./early-stopping.js";

type Write = (text: string) => void;

/** A line of comma-separated values an epoch, after a line of names at the begin of each fit. @source keras.callbacks.CSVLogger */
export class CsvLogger implements FitCallback {
  readonly #write: Write;
  #columns: readonly string[] | undefined;

  constructor(write: Write) {
    this.#write = write;
  }

  onFitBegin(): void {
    this.#columns = undefined;
  }

  onEpochEnd(log: EpochLog): void {
    if (this.#columns === undefined) {
      this.#columns = Object.keys(log);
      this.#write(`${this.#columns.join(",")}\n`);
    }
    const values = log as unknown as Record<string, number | undefined>;
    this.#write(`${this.#columns.map((name) => values[name] ?? "").join(",")}\n`);
  }
}

/** A line of JSON an epoch. */
export class JsonlLogger implements FitCallback {
  readonly #write: Write;

  constructor(write: Write) {
    this.#write = write;
  }

  onEpochEnd(log: EpochLog): void {
    this.#write(`${JSON.stringify(log)}\n`);
  }
}

/** The learning rate of every step, as `step learningRate` lines. */
export class LearningRateLogger implements FitCallback {
  readonly #write: Write;

  constructor(write: Write) {
    this.#write = write;
  }

  onStep({ step, learningRate }: StepLog): void {
    this.#write(`${step} ${learningRate}\n`);
  }
}

export interface ProgressOptions {
  /** Whether the line of the epoch under way may be written over ("\r"). Default false: a line an epoch. */
  readonly isLive?: boolean;
}

/** What people watch: a line an epoch, and where the output is live the step of the epoch under way. */
export class ProgressLogger implements FitCallback {
  readonly #write: Write;
  readonly #isLive: boolean;
  #plan: FitPlan | undefined;

  constructor(write: Write, { isLive = false }: ProgressOptions = {}) {
    this.#write = write;
    this.#isLive = isLive;
  }

  onFitBegin(plan: FitPlan): void {
    this.#plan = plan;
    const held = plan.numEvalSamples === 0 ? "" : `, ${plan.numEvalSamples} held out`;
    const where =
      plan.numWorkers === 0 ? "in this process" : `${plan.numWorkers} worker${plan.numWorkers === 1 ? "" : "s"}`;
    this.#write(`${plan.name}: ${plan.numSamples} samples${held}, ${plan.totalSteps} steps, ${where}\n`);
  }

  onStep({ step, epoch, epochs, loss }: StepLog): void {
    if (!this.#isLive) return;
    const { stepsPerEpoch } = this.#plan!;
    this.#write(
      `\rEpoch ${epoch}/${epochs}  step ${((step - 1) % stepsPerEpoch) + 1}/${stepsPerEpoch}  loss ${loss?.toFixed(4) ?? "unknown"} `,
    );
  }

  onNotice(text: string): void {
    this.#write(`${this.#isLive ? "\n" : ""}${text}\n`);
  }

  onEpochEnd({ epoch, step: _, ms, learningRate, ...values }: EpochLog): void {
    const numbers = Object.entries(values).map(([name, value]) => `${name} ${Number(value).toFixed(4)}`);
    const rate = `learningRate ${learningRate.toPrecision(3)}`;
    const time = ms > 0 ? `  ${(ms / 1000).toFixed(1)} s` : "";
    this.#write(
      `${this.#isLive ? "\r" : ""}Epoch ${epoch}/${this.#plan!.epochs}  ${[...numbers, rate].join("  ")}${time}\n`,
    );
  }
}

export interface BestWeightsOptions extends MonitorOptions {
  readonly write: (weights: Uint8Array, log: EpochLog) => void | Promise<void>;
}

/** Hands out the weights whenever a value is the best so far. @source keras.callbacks.ModelCheckpoint(save_best_only=True) */
export class BestWeights implements FitCallback {
  readonly needsWeights = true;
  readonly #best: BestValue;
  readonly #write: BestWeightsOptions["write"];

  constructor({ write, ...monitor }: BestWeightsOptions) {
    this.#best = new BestValue(monitor);
    this.#write = write;
  }

  onFitBegin(): void {
    this.#best.reset();
  }

  async onEpochEnd(log: EpochLog, control: FitControl): Promise<void> {
    if (this.#best.improves(log)) await this.#write(await control.weights(), log);
  }
}
