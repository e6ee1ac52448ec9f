import { add, div, type Expr, max, mul, sqrt, sub } from "../expr/expr.js";
import { assertFraction, assertNumber } from "./assert-settings.js";
import { type CommonSettings, noPenalty, Optimizer } from "./optimizer.js";
import type { ParametersOrGroups } from "./parameter-group.js";
import type { UpdateRule } from "./update-program.js";

export interface RmsPropSettings extends CommonSettings {
  /** Decay of the averages, in [0, 1). */
  readonly alpha: number;
  readonly eps: number;
  readonly momentum: number;
  /** Divide by the root of the variance instead of the second moment. */
  readonly centered: boolean;
}

export interface RmsPropOptions extends Partial<RmsPropSettings> {
  /** Default 1e-2. */
  readonly learningRate?: number;
}

type RmsPropScalars = readonly [rate: Expr, alpha: Expr, oneMinusAlpha: Expr, eps: Expr, momentum: Expr];

function ruleOf(isCentered: boolean, hasMomentum: boolean): UpdateRule {
  return {
    name: `rmsProp${isCentered ? "Centered" : ""}${hasMomentum ? "Momentum" : ""}`,
    numState: 1 + Number(isCentered) + Number(hasMomentum),
    numScalars: 5,
    outputs: ({ parameter, gradient, state, scalars }) => {
      const [rate, alpha, oneMinusAlpha, eps, momentum] = scalars as RmsPropScalars;
      const squares = add(mul(alpha, state[0]!), mul(oneMinusAlpha, mul(gradient, gradient)));
      const mean = isCentered ? add(mul(alpha, state[1]!), mul(oneMinusAlpha, gradient)) : undefined;
      // Rounding can take the variance below zero.
      const spread = mean === undefined ? squares : max(sub(squares, mul(mean, mean)), 0);
      const scaled = div(gradient, add(sqrt(spread), eps));
      const velocity = hasMomentum ? add(mul(momentum, state.at(-1)!), scaled) : undefined;
      const kept = [squares, mean, velocity].filter((e) => e !== undefined);
      return [sub(parameter, mul(rate, velocity ?? scaled)), ...kept];
    },
  };
}
const rules = [false, true].map((centered) => [false, true].map((momentum) => ruleOf(centered, momentum)));

/**
 * RMSprop: s = alpha s + (1 - alpha) g^2; p -= learningRate * g / (sqrt(s) + eps). Centered: s minus the square of the gradient's average.
 * With momentum a velocity of the scaled gradients moves p.
 *
 * @numerics f32 element by element.
 * @throws {ValueError} E_VALUE for a setting out of range, and for no parameters.
 * @source Tieleman and Hinton 2012 (lecture 6e), Graves 2013 (centered), in the form of torch.optim.RMSprop. Deviation: a variance that
 *   rounding takes below zero is 0, not NaN.
 */
export class RmsProp extends Optimizer<RmsPropSettings> {
  constructor(parameters: ParametersOrGroups<RmsPropSettings>, options: RmsPropOptions = {}) {
    const { learningRate = 1e-2, ...own } = options;
    super("RmsProp", parameters, {
      learningRate,
      own,
      defaults: { ...noPenalty, alpha: 0.99, eps: 1e-8, momentum: 0, centered: false },
      stateOf: ({ centered, momentum }) => [
        { name: "squareAverage" },
        ...(centered ? [{ name: "gradientAverage" }] : []),
        ...(momentum > 0 ? [{ name: "velocity" }] : []),
      ],
      check: ({ alpha, eps, momentum }) => {
        assertFraction("RmsProp", "alpha", alpha);
        assertNumber("RmsProp", "eps", eps);
        assertNumber("RmsProp", "momentum", momentum);
      },
    });
  }

  protected override update({ alpha, eps, momentum, centered }: RmsPropSettings, learningRate: number) {
    const rule = rules[Number(centered)]![Number(momentum > 0)]!;
    return { rule, scalars: [learningRate, alpha, 1 - alpha, eps, momentum] };
  }
}
