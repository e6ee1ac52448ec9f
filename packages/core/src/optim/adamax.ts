import { abs, add, div, type Expr, max, mul, sub } from "../expr/expr.js";
import { pow } from "../scalar-math/pow.js";
import { assertBetas, assertNumber } from "./assert-settings.js";
import { type CommonSettings, noPenalty, Optimizer } from "./optimizer.js";
import type { ParametersOrGroups } from "./parameter-group.js";
import type { UpdateRule } from "./update-program.js";

export interface AdamaxSettings extends CommonSettings {
  /** Decay of the first moment and of the greatest gradient, each in [0, 1). */
  readonly betas: readonly [number, number];
  readonly eps: number;
}

export interface AdamaxOptions extends Partial<AdamaxSettings> {
  /** Default 2e-3. */
  readonly learningRate?: number;
}

const rule: UpdateRule = {
  name: "adamax",
  numState: 2,
  numScalars: 5,
  outputs: ({ parameter, gradient, state, scalars }) => {
    const [stepSize, beta1, oneMinusBeta1, beta2, eps] = scalars as readonly [Expr, Expr, Expr, Expr, Expr];
    const m = add(mul(beta1, state[0]!), mul(oneMinusBeta1, gradient));
    const greatest = max(mul(beta2, state[1]!), add(abs(gradient), eps));
    return [sub(parameter, mul(stepSize, div(m, greatest))), m, greatest];
  },
};

/**
 * Adamax, Adam under the maximum norm: m = beta1 m + (1 - beta1) g; u = max(beta2 u, |g| + eps); p -= learningRate / (1 - beta1^t) * m / u.
 *
 * @numerics f32 element by element; the bias correction in f64 by scalar-math.
 * @throws {ValueError} E_VALUE for a setting out of range, and for no parameters.
 * @source Kingma and Ba 2015, section 7.1, in the form of torch.optim.Adamax.
 */
export class Adamax extends Optimizer<AdamaxSettings> {
  constructor(parameters: ParametersOrGroups<AdamaxSettings>, options: AdamaxOptions = {}) {
    const { learningRate = 2e-3, ...own } = options;
    super("Adamax", parameters, {
      learningRate,
      own,
      defaults: { ...noPenalty, betas: [0.9, 0.999], eps: 1e-8 },
      stateOf: () => [{ name: "firstMoment" }, { name: "greatestGradient" }],
      check: ({ betas, eps }) => {
        assertBetas("Adamax", betas);
        assertNumber("Adamax", "eps", eps);
      },
    });
  }

  protected override update({ betas, eps }: AdamaxSettings, learningRate: number) {
    const stepSize = learningRate / (1 - pow(betas[0], this.numSteps));
    return { rule, scalars: [stepSize, betas[0], 1 - betas[0], betas[1], eps] };
  }
}
