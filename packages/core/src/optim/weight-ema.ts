/** @file The average of weights over steps, beside the weights: for evaluation, and kept in checkpoints. */
import { FormatError, StateError, ValueError } from "../errors.js";
import { add, input, mul, scalar } from "../expr/expr.js";
import { elementwiseProgram } from "../expr/program.js";
import { untracked } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { assertFraction } from "./assert-settings.js";
import { isFrozen } from "./optimizer.js";
import { runInPlace } from "./run-in-place.js";

export interface WeightEmaOptions {
  /** Share of the average that stays at each update, in [0, 1). Default 0.999. */
  readonly decay?: number;
  /** Let the decay rise: at update t = 1, 2, ... it is min(decay, (1 + t) / (10 + t)). Default false. */
  readonly warmup?: boolean;
}

/** Everything of an average that is no tensor. Plain JSON. */
export interface WeightEmaCounters {
  readonly numUpdates: number;
}

const averageProgram = elementwiseProgram(
  "weightEma",
  ["f32", "f32"],
  [add(mul(scalar(0), input(0)), mul(scalar(1), input(1)))],
  2,
);

interface Pair {
  readonly index: number;
  readonly parameter: Tensor;
  readonly average: Tensor;
}

/**
 * Exponential moving average of parameters: average = decay * average + (1 - decay) * p, from the initial weights on. Frozen parameters
 * and buffers are left out: they are the model's own.
 *
 * @shape none
 * @numerics f32 element by element, strict rounding on every CPU.
 * @throws {ValueError} E_VALUE for a decay outside [0, 1) and for no parameters.
 * @source Polyak and Juditsky 1992 in the exponential form of torch.optim.swa_utils.AveragedModel with an avg_fn; the warm-up is TensorFlow's
 *   ExponentialMovingAverage(num_updates).
 * @example
 * const model = new nn.Linear(2, 1);
 * const ema = new optim.WeightEma(model.parameters(), { decay: 0.99 });
 * ema.update(); // after each optimizer.step()
 * ema.swap(); // evaluate the averages ...
 * ema.swap(); // ... and go on with the weights
 */
export class WeightEma {
  readonly #decay: number;
  readonly #hasWarmup: boolean;
  readonly #pairs: readonly Pair[];
  #numUpdates = 0;
  #isSwapped = false;

  constructor(parameters: Iterable<Tensor>, { decay = 0.999, warmup = false }: WeightEmaOptions = {}) {
    assertFraction("WeightEma", "decay", decay);
    this.#decay = decay;
    this.#hasWarmup = warmup;
    this.#pairs = [...parameters].flatMap((parameter, index) =>
      isFrozen(parameter) ? [] : [{ index, parameter, average: copyOf(parameter) }],
    );
    if (this.#pairs.length === 0) {
      throw new ValueError("WeightEma: there is no parameter that is trained; there must be at least one.", {});
    }
  }

  /** Updates made so far. */
  get numUpdates(): number {
    return this.#numUpdates;
  }

  /** Takes the weights as they are now into the average. @throws {StateError} E_STATE while the averages are swapped in. */
  update(): void {
    if (this.#isSwapped) {
      throw new StateError(
        "WeightEma.update: the averages are swapped in; the weights must be. Call swap() first.",
        {},
      );
    }
    this.#numUpdates++;
    const t = this.#numUpdates;
    const decay = this.#hasWarmup ? Math.min(this.#decay, (1 + t) / (10 + t)) : this.#decay;
    runInPlace(
      this.#pairs.map(({ parameter, average }) => {
        const inputs = [average, parameter];
        return { program: averageProgram, inputs, scalars: [decay, 1 - decay], written: [average] };
      }),
    );
  }

  /** Exchanges weights and averages, to the bit; the second call puts them back. */
  swap(): void {
    for (const { parameter, average } of this.#pairs) {
      const kept = copyOf(parameter);
      write(average, parameter);
      write(kept, average);
      kept.dispose();
    }
    this.#isSwapped = !this.#isSwapped;
  }

  /** Begins again from the weights as they are now. */
  reset(): void {
    for (const { parameter, average } of this.#pairs) write(parameter, average);
    this.#numUpdates = 0;
  }

  /** Averages in a fixed order, named `<number of the parameter>.average`. They stay this object's. */
  *namedState(): Iterable<readonly [string, Tensor]> {
    for (const { index, average } of this.#pairs) yield [`${index}.average`, average];
  }

  counters(): WeightEmaCounters {
    return { numUpdates: this.#numUpdates };
  }

  /** @throws {FormatError} E_FORMAT when the value is not what `counters` gave. */
  restoreCounters(counters: unknown): void {
    const numUpdates = (counters as Partial<WeightEmaCounters> | null | undefined)?.numUpdates;
    if (!Number.isSafeInteger(numUpdates) || numUpdates! < 0) {
      throw new FormatError(
        `WeightEma: its counters are ${JSON.stringify(counters)}; they must be {"numUpdates": a whole number}. The file is of a job without an average.`,
        { counters },
      );
    }
    this.#numUpdates = numUpdates!;
  }

  /** Frees the averages. */
  dispose(): void {
    for (const { average } of this.#pairs) average.dispose();
  }
}

function copyOf(source: Tensor): Tensor {
  const copy = untracked(() => Tensor.allocate(source.backend, source.shape, "f32", "exact"));
  if (source.size > 0) source.backend.kernels.copy(source, copy);
  return copy;
}

function write(source: Tensor, target: Tensor): void {
  if (source.size > 0) source.backend.kernels.copy(source, target);
  target.storage.version++;
}
