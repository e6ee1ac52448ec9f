import { add, div, type Expr, mul, sqrt, sub } from "../expr/expr.js";
import { pow } from "../scalar-math/pow.js";
import { assertBetas, assertNumber } from "./assert-settings.js";
import { type CommonSettings, noPenalty, Optimizer } from "./optimizer.js";
import type { ParametersOrGroups } from "./parameter-group.js";
import type { UpdateRule } from "./update-program.js";

export interface NadamSettings extends CommonSettings {
  /** Decay of the first and second moment, each in [0, 1). */
  readonly betas: readonly [number, number];
  readonly eps: number;
  /** How fast the momentum rises to beta1. */
  readonly momentumDecay: number;
}

export interface NadamOptions extends Partial<NadamSettings> {
  /** Default 2e-3. */
  readonly learningRate?: number;
}

type NadamScalars = readonly [Expr, Expr, Expr, Expr, Expr, Expr, Expr, Expr];

const rule: UpdateRule = {
  name: "nadam",
  numState: 2,
  numScalars: 8,
  outputs: ({ parameter, gradient, state, scalars }) => {
    const [beta1, oneMinusBeta1, beta2, oneMinusBeta2, rootCorrection2, eps, gradientStep, momentStep] =
      scalars as NadamScalars;
    const m = add(mul(beta1, state[0]!), mul(oneMinusBeta1, gradient));
    const v = add(mul(beta2, state[1]!), mul(oneMinusBeta2, mul(gradient, gradient)));
    const denominator = add(div(sqrt(v), rootCorrection2), eps);
    const along = sub(parameter, mul(gradientStep, div(gradient, denominator)));
    return [sub(along, mul(momentStep, div(m, denominator))), m, v];
  },
};

/**
 * Nadam, Adam that looks ahead: mu_t = beta1 * (1 - 0.5 * 0.96^(t * momentumDecay)), M_t = mu_1 * ... * mu_t;
 *
 *   p -= learningRate * ((1 - mu_t) / (1 - M_t) * g + mu_(t+1) / (1 - M_(t+1)) * m) / (sqrt(v) / sqrt(1 - beta2^t) + eps)
 *
 * @numerics f32 element by element; mu and its product in f64 by scalar-math, functions of t alone.
 * @throws {ValueError} E_VALUE for a setting out of range, and for no parameters.
 * @source Dozat 2016, in the form of torch.optim.NAdam, of versions after 1.13 (which has another product of mu).
 */
export class Nadam extends Optimizer<NadamSettings> {
  /** Products of mu_1..mu_t by group, and their t. */
  readonly #products = new Map<NadamSettings, { t: number; product: number }>();

  constructor(parameters: ParametersOrGroups<NadamSettings>, options: NadamOptions = {}) {
    const { learningRate = 2e-3, ...own } = options;
    super("Nadam", parameters, {
      learningRate,
      own,
      defaults: { ...noPenalty, betas: [0.9, 0.999], eps: 1e-8, momentumDecay: 4e-3 },
      stateOf: () => [{ name: "firstMoment" }, { name: "secondMoment" }],
      check: ({ betas, eps, momentumDecay }) => {
        assertBetas("Nadam", betas);
        assertNumber("Nadam", "eps", eps);
        assertNumber("Nadam", "momentumDecay", momentumDecay);
      },
    });
  }

  protected override update(settings: NadamSettings, learningRate: number) {
    const { betas, eps } = settings;
    const t = this.numSteps;
    const product = this.#productOf(settings, t);
    const next = muOf(settings, t + 1);
    const scalars = [
      betas[0],
      1 - betas[0],
      betas[1],
      1 - betas[1],
      Math.sqrt(1 - pow(betas[1], t)),
      eps,
      (learningRate * (1 - muOf(settings, t))) / (1 - product),
      (learningRate * next) / (1 - product * next),
    ];
    return { rule, scalars };
  }

  /** mu_1 * ... * mu_t, from the left; goes on from the last t where it can. */
  #productOf(settings: NadamSettings, t: number): number {
    let known = this.#products.get(settings);
    if (known === undefined || known.t > t) known = { t: 0, product: 1 };
    while (known.t < t) known = { t: known.t + 1, product: known.product * muOf(settings, known.t + 1) };
    this.#products.set(settings, known);
    return known.product;
  }
}

function muOf({ betas, momentumDecay }: NadamSettings, t: number): number {
  return betas[0] * (1 - 0.5 * pow(0.96, t * momentumDecay));
}
