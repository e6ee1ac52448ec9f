import { add, div, type Expr, mul, sqrt, sub } from "../expr/expr.js";
import { assertFraction, assertNumber } from "./assert-settings.js";
import { type CommonSettings, noPenalty, Optimizer } from "./optimizer.js";
import type { ParametersOrGroups } from "./parameter-group.js";
import type { UpdateRule } from "./update-program.js";

export interface AdadeltaSettings extends CommonSettings {
  /** Decay of both averages, in [0, 1). */
  readonly rho: number;
  readonly eps: number;
}

export interface AdadeltaOptions extends Partial<AdadeltaSettings> {
  /** Default 1. */
  readonly learningRate?: number;
}

const rule: UpdateRule = {
  name: "adadelta",
  numState: 2,
  numScalars: 4,
  outputs: ({ parameter, gradient, state, scalars }) => {
    const [rate, rho, oneMinusRho, eps] = scalars as readonly [Expr, Expr, Expr, Expr];
    const squares = add(mul(rho, state[0]!), mul(oneMinusRho, mul(gradient, gradient)));
    const delta = mul(div(sqrt(add(state[1]!, eps)), sqrt(add(squares, eps))), gradient);
    const updates = add(mul(rho, state[1]!), mul(oneMinusRho, mul(delta, delta)));
    return [sub(parameter, mul(rate, delta)), squares, updates];
  },
};

/**
 * Adadelta: s = rho s + (1 - rho) g^2; d = sqrt(u + eps) / sqrt(s + eps) * g; u = rho u + (1 - rho) d^2; p -= learningRate * d.
 *
 * @numerics f32 element by element.
 * @throws {ValueError} E_VALUE for a setting out of range, and for no parameters.
 * @source Zeiler 2012, in the form of torch.optim.Adadelta.
 */
export class Adadelta extends Optimizer<AdadeltaSettings> {
  constructor(parameters: ParametersOrGroups<AdadeltaSettings>, options: AdadeltaOptions = {}) {
    const { learningRate = 1, ...own } = options;
    super("Adadelta", parameters, {
      learningRate,
      own,
      defaults: { ...noPenalty, rho: 0.9, eps: 1e-6 },
      stateOf: () => [{ name: "squareAverage" }, { name: "updateAverage" }],
      check: ({ rho, eps }) => {
        assertFraction("Adadelta", "rho", rho);
        assertNumber("Adadelta", "eps", eps);
      },
    });
  }

  protected override update({ rho, eps }: AdadeltaSettings, learningRate: number) {
    return { rule, scalars: [learningRate, rho, 1 - rho, eps] };
  }
}
