/**
 * @file Whole steps on a device, for a worker that is alone: gradients and the state that they make stay there. CPU memory keeps the state of an
 * earlier step until somebody needs a later one: an evaluation, a checkpoint, another worker.
 *
 * Invariants: nobody reads the model in CPU memory before `comeHome`. A device that is lost is opened anew, brought level with CPU memory, and
 * computes the steps since then again, which one adapter gives the same bits.
 */
import { assertFiniteLoss, assertWeight, NotFiniteError, parameterAt, treeSum } from "@lockstep/core";
import type { Training } from "./build-training.js";
import type { AppliedStep, EngineNotice, MicroBatchSum } from "./compute-engine.js";
import { type AttachedDevice, assertFiniteLeaves, type DeviceUpdater } from "./micro-batch-device.js";
import type { ComputeHooks } from "./step-nodes.js";

export interface AloneStepsOptions {
  readonly attached: AttachedDevice;
  readonly updater: DeviceUpdater;
  readonly training: Training;
  readonly workerId: string;
  readonly onNotice: (notice: EngineNotice) => void;
}

/** A step that is computed and not applied. */
interface OpenStep {
  readonly step: number;
  readonly losses: MicroBatchSum[];
  gradientHash: string | undefined;
}

export class AloneSteps {
  readonly #options: AloneStepsOptions;
  /** Steps of the state in CPU memory, and on the device; undefined: the device holds another one. */
  #homeStep: number;
  #deviceStep: number | undefined;
  #open: OpenStep | undefined;

  /** @param step of the state in CPU memory. */
  constructor(options: AloneStepsOptions, step: number) {
    this.#options = options;
    this.#homeStep = step;
  }

  /** Computes what is missing of a step. */
  compute(
    step: number,
    hooks: Pick<ComputeHooks, "onProgress" | "shouldStop">,
  ): { readonly losses: readonly MicroBatchSum[]; readonly gradientHash: string | undefined } {
    const { numMicroBatches } = this.#options.training;
    if (this.#deviceStep === undefined) this.#push();
    if (this.#open?.step !== step) this.#open = { step, losses: [], gradientHash: undefined };
    const open = this.#open;
    hooks.onProgress?.({ begunNodes: 1, doneMicroBatches: open.losses.length });
    while (open.losses.length < numMicroBatches) {
      if (hooks.shouldStop()) return { losses: [], gradientHash: undefined };
      this.#surviving("micro-batch", () => this.#train(open, open.losses.length, true));
    }
    hooks.onProgress?.({ begunNodes: 1, doneMicroBatches: numMicroBatches });
    open.gradientHash ??= this.#reduce(open);
    return { losses: open.losses, gradientHash: open.gradientHash };
  }

  /** True when the gradient of this step waits on the device. */
  holds(step: number): boolean {
    return this.#open?.step === step && this.#open.gradientHash !== undefined;
  }

  /** Takes the step that is held. */
  apply(step: number): Omit<AppliedStep, "applyMs"> {
    const { updater } = this.#options;
    const open = this.#open!;
    const again = (): void => {
      this.#train(open, this.#options.training.numMicroBatches - 1, false);
      updater.reduce(weightOf(open));
    };
    const result = this.#surviving("the update", () => updater.update(step - 1), again);
    this.#open = undefined;
    this.#deviceStep = step;
    return result;
  }

  /** Brings CPU memory level with the device. */
  comeHome(): void {
    if (this.#deviceStep === undefined || this.#deviceStep === this.#homeStep) return;
    this.#surviving("reading the state", () => this.#options.updater.fetch());
    this.#homeStep = this.#deviceStep;
  }

  /** Others take part in the next step: CPU memory is brought level, and a step that is not applied is forgotten. */
  leave(): void {
    this.comeHome();
    this.#open = undefined;
  }

  /** The state in CPU memory is that of `step` now, whatever the device holds. */
  moveTo(step: number): void {
    this.#homeStep = step;
    this.#deviceStep = undefined;
    this.#open = undefined;
  }

  #push(): void {
    this.#options.updater.push();
    this.#deviceStep = this.#homeStep;
  }

  /** @param isNew false for one that was told before. */
  #train({ step, losses }: OpenStep, microBatch: number, isNew: boolean): void {
    const { updater, training, workerId } = this.#options;
    const node = { lo: 0, hi: training.numMicroBatches };
    updater.train({ stepIndex: step - 1, microBatch, node }, (loss, weight) => {
      if (!isNew) return;
      assertFiniteLoss(loss, { step, microBatch, workerId });
      assertWeight(microBatch, weight);
      losses.push([microBatch, loss, weight]);
    });
  }

  #reduce(open: OpenStep): string {
    const { updater, training, attached, workerId } = this.#options;
    const { numMicroBatches, layout } = training;
    const { step } = open;
    const weight = weightOf(open);
    const again = (): void => this.#train(open, numMicroBatches - 1, false);
    const { gradientHash, nonFinite } = this.#surviving("the gradient", () => updater.reduce(weight), again);
    if (nonFinite < 0) return gradientHash;
    const place = { step, workerId };
    assertFiniteLeaves(attached, training, { place, range: { lo: 0, hi: numMicroBatches } });
    const { parameter, element } = parameterAt(layout, nonFinite);
    throw new NotFiniteError(
      `gradient: element ${element} of the sum of the gradients of "${parameter.name}" is not finite at step ${step}, worker "${workerId}", though those of its micro-batches are; lower the learning rate, or set maxGradNorm.`,
      { element, parameter: parameter.name, ...place },
    );
  }

  /** Runs `fn`; once more on another device when the one it ran on is lost, after `again` brought the open step to where it was. */
  #surviving<T>(what: string, fn: () => T, again: () => void = () => {}): T {
    try {
      return fn();
    } catch (error) {
      const { code, message } = error as { readonly code?: unknown; readonly message: string };
      if (code !== "E_DEVICE_LOST" || this.#deviceStep === undefined) throw error;
      const [from, to] = [this.#homeStep, this.#deviceStep];
      const steps = from === to ? "nothing before it is lost" : `steps ${from + 1} to ${to} are computed again`;
      this.#options.onNotice({
        microBatch: this.#open?.losses.length ?? 0,
        code: "E_DEVICE_LOST",
        message: `the device was lost at ${what} after step ${to}; another is opened and ${steps}. ${message}`,
      });
      this.#repeat(to);
      again();
      return fn();
    }
  }

  /** Brings another device from the state in CPU memory to that after `step`. */
  #repeat(step: number): void {
    const { updater, training } = this.#options;
    this.#push();
    for (let next = this.#homeStep + 1; next <= step; next++) {
      const open: OpenStep = { step: next, losses: [], gradientHash: undefined };
      for (let m = 0; m < training.numMicroBatches; m++) this.#train(open, m, true);
      updater.reduce(weightOf(open));
      updater.update(next - 1);
    }
    this.#deviceStep = step;
  }
}

/** Of all micro-batches, in tree order. */
function weightOf({ losses }: OpenStep): number {
  return treeSum(losses.map(([, , weight]) => weight));
}
