import { add, div, type Expr, mul, sqrt, sub } from "../expr/expr.js";
import { assertNumber } from "./assert-settings.js";
import { type CommonSettings, noPenalty, Optimizer } from "./optimizer.js";
import type { ParametersOrGroups } from "./parameter-group.js";
import type { UpdateRule } from "./update-program.js";

export interface AdagradSettings extends CommonSettings {
  /** The learning rate of update t is divided by 1 + (t - 1) * learningRateDecay. */
  readonly learningRateDecay: number;
  /** What the sum of squares begins with. */
  readonly initialAccumulator: number;
  readonly eps: number;
}

export interface AdagradOptions extends Partial<AdagradSettings> {
  /** Default 1e-2. */
  readonly learningRate?: number;
}

const rule: UpdateRule = {
  name: "adagrad",
  numState: 1,
  numScalars: 2,
  outputs: ({ parameter, gradient, state, scalars }) => {
    const [rate, eps] = scalars as readonly [Expr, Expr];
    const sum = add(state[0]!, mul(gradient, gradient));
    return [sub(parameter, mul(rate, div(gradient, add(sqrt(sum), eps)))), sum];
  },
};

/**
 * Adagrad: s += g^2; p -= learningRate / (1 + (t - 1) * learningRateDecay) * g / (sqrt(s) + eps).
 *
 * @numerics f32 element by element; the learning rate in f64.
 * @throws {ValueError} E_VALUE for a setting that is negative or not finite, and for no parameters.
 * @source Duchi, Hazan and Singer 2011, in the form of torch.optim.Adagrad.
 */
export class Adagrad extends Optimizer<AdagradSettings> {
  constructor(parameters: ParametersOrGroups<AdagradSettings>, options: AdagradOptions = {}) {
    const { learningRate = 1e-2, ...own } = options;
    super("Adagrad", parameters, {
      learningRate,
      own,
      defaults: { ...noPenalty, learningRateDecay: 0, initialAccumulator: 0, eps: 1e-10 },
      stateOf: ({ initialAccumulator }) => [{ name: "sumOfSquares", initial: initialAccumulator }],
      check: (settings) => {
        for (const name of ["learningRateDecay", "initialAccumulator", "eps"] as const) {
          assertNumber("Adagrad", name, settings[name]);
        }
      },
    });
  }

  protected override update({ learningRateDecay, eps }: AdagradSettings, learningRate: number) {
    return { rule, scalars: [learningRate / (1 + (this.numSteps - 1) * learningRateDecay), eps] };
  }
}
