import { ValueError } from "../errors.js";
import { add, type Expr, mul, sub } from "../expr/expr.js";
import { assertFraction, assertNumber } from "./assert-settings.js";
import { type CommonSettings, noPenalty, Optimizer } from "./optimizer.js";
import type { ParametersOrGroups } from "./parameter-group.js";
import type { UpdateRule, UpdateTerms } from "./update-program.js";

export interface SgdSettings extends CommonSettings {
  readonly momentum: number;
  /** In [0, 1): a gradient enters the velocity times 1 - dampening, but for the first. */
  readonly dampening: number;
  readonly nesterov: boolean;
}

export interface SgdOptions extends Partial<SgdSettings> {
  /** Default 1e-3. */
  readonly learningRate?: number;
}

type SgdScalars = readonly [rate: Expr, momentum: Expr, share: Expr];

const plainRule: UpdateRule = {
  name: "sgd",
  numState: 0,
  numScalars: 1,
  outputs: ({ parameter, gradient, scalars }) => [sub(parameter, mul(scalars[0]!, gradient))],
};

const momentumRule = (
  name: string,
  direction: (gradient: Expr, velocity: Expr, momentum: Expr) => Expr,
): UpdateRule => ({
  name,
  numState: 1,
  numScalars: 3,
  outputs: ({ parameter, gradient, state, scalars }: UpdateTerms) => {
    const [rate, momentum, share] = scalars as SgdScalars;
    const velocity = add(mul(momentum, state[0]!), mul(share, gradient));
    return [sub(parameter, mul(rate, direction(gradient, velocity, momentum))), velocity];
  },
});
const heavyBallRule = momentumRule("sgdMomentum", (_, velocity) => velocity);
const nesterovRule = momentumRule("sgdNesterov", (gradient, velocity, momentum) =>
  add(gradient, mul(momentum, velocity)),
);

/**
 * Stochastic gradient descent: v = momentum * v + (1 - dampening) * g; p -= learningRate * v (nesterov: g + momentum * v). The first
 * gradient is not dampened. Without momentum v = g and nothing is kept.
 *
 * @numerics f32, every operation rounded on its own.
 * @throws {ValueError} E_VALUE for a setting that is negative or not finite, for nesterov without momentum or with dampening, and for no
 *   parameters.
 * @source Same update as torch.optim.SGD. A group's learning rate is a multiple of the optimizer's.
 */
export class Sgd extends Optimizer<SgdSettings> {
  constructor(parameters: ParametersOrGroups<SgdSettings>, options: SgdOptions = {}) {
    const { learningRate = 1e-3, ...own } = options;
    super("Sgd", parameters, {
      learningRate,
      own,
      defaults: { ...noPenalty, momentum: 0, dampening: 0, nesterov: false },
      stateOf: ({ momentum }) => (momentum > 0 ? [{ name: "velocity" }] : []),
      check: assertSettings,
    });
  }

  protected override update({ momentum, dampening, nesterov }: SgdSettings, learningRate: number) {
    if (momentum === 0) return { rule: plainRule, scalars: [learningRate] };
    const share = this.numSteps === 1 ? 1 : 1 - dampening;
    return { rule: nesterov ? nesterovRule : heavyBallRule, scalars: [learningRate, momentum, share] };
  }
}

function assertSettings({ momentum, dampening, nesterov }: SgdSettings): void {
  assertNumber("Sgd", "momentum", momentum);
  assertFraction("Sgd", "dampening", dampening);
  if (!nesterov || (momentum > 0 && dampening === 0)) return;
  throw new ValueError(
    `Sgd: nesterov is set with momentum ${momentum} and dampening ${dampening}; it must have momentum above 0 and dampening 0. Set momentum, or leave nesterov out.`,
    { momentum, dampening, nesterov },
  );
}
