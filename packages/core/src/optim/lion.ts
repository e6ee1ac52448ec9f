import { add, type Expr, mul, sub } from "../expr/expr.js";
import { assertBetas } from "./assert-settings.js";
import { type CommonSettings, noPenalty, Optimizer } from "./optimizer.js";
import type { ParametersOrGroups } from "./parameter-group.js";
import { sign, type UpdateRule } from "./update-program.js";

export interface LionSettings extends CommonSettings {
  /** Share of the momentum in the direction, and decay of the momentum, each in [0, 1). */
  readonly betas: readonly [number, number];
}

export interface LionOptions extends Partial<LionSettings> {
  /** Default 1e-4. */
  readonly learningRate?: number;
}

const rule: UpdateRule = {
  name: "lion",
  numState: 1,
  numScalars: 5,
  outputs: ({ parameter, gradient, state, scalars }) => {
    const [rate, beta1, oneMinusBeta1, beta2, oneMinusBeta2] = scalars as readonly [Expr, Expr, Expr, Expr, Expr];
    const direction = sign(add(mul(beta1, state[0]!), mul(oneMinusBeta1, gradient)));
    const momentum = add(mul(beta2, state[0]!), mul(oneMinusBeta2, gradient));
    return [sub(parameter, mul(rate, direction)), momentum];
  },
};

/**
 * Lion: every element moves by the learning rate, up or down.
 *
 *   p *= 1 - learningRate * weightDecay; p -= learningRate * sign(beta1 m + (1 - beta1) g); m = beta2 m + (1 - beta2) g
 *
 * Learning rates are 3 to 10 times smaller than AdamW's, weight decay as much larger. sign(0) is 0.
 *
 * @numerics f32 element by element.
 * @throws {ValueError} E_VALUE for a setting out of range, and for no parameters.
 * @source Chen et al. 2023, Symbolic Discovery of Optimization Algorithms, algorithm 2.
 */
export class Lion extends Optimizer<LionSettings> {
  constructor(parameters: ParametersOrGroups<LionSettings>, options: LionOptions = {}) {
    const { learningRate = 1e-4, ...own } = options;
    super("Lion", parameters, {
      learningRate,
      own,
      defaults: { ...noPenalty, decoupledWeightDecay: true, betas: [0.9, 0.99] },
      stateOf: () => [{ name: "momentum" }],
      check: ({ betas }) => assertBetas("Lion", betas),
    });
  }

  protected override update({ betas }: LionSettings, learningRate: number) {
    return { rule, scalars: [learningRate, betas[0], 1 - betas[0], betas[1], 1 - betas[1]] };
  }
}
