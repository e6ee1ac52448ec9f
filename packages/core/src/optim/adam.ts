import { add, div, type Expr, max, mul, sqrt, sub } from "../expr/expr.js";
import { pow } from "../scalar-math/pow.js";
import { assertBetas, assertNumber } from "./assert-settings.js";
import { type CommonSettings, noPenalty, Optimizer } from "./optimizer.js";
import type { ParametersOrGroups } from "./parameter-group.js";
import type { UpdateRule, UpdateTerms } from "./update-program.js";

export interface AdamSettings extends CommonSettings {
  /** Decay of the first and second moment, each in [0, 1). */
  readonly betas: readonly [number, number];
  readonly eps: number;
  /** Divide by the root of the greatest second moment so far. */
  readonly amsgrad: boolean;
}

export interface AdamOptions extends Partial<AdamSettings> {
  /** Default 1e-3. */
  readonly learningRate?: number;
}

type AdamScalars = readonly [Expr, Expr, Expr, Expr, Expr, Expr, Expr];

function outputsOf({ parameter, gradient, state, scalars }: UpdateTerms): Expr[] {
  const [beta1, oneMinusBeta1, beta2, oneMinusBeta2, rootCorrection2, eps, stepSize] = scalars as AdamScalars;
  const m = add(mul(beta1, state[0]!), mul(oneMinusBeta1, gradient));
  const v = add(mul(beta2, state[1]!), mul(oneMinusBeta2, mul(gradient, gradient)));
  const greatest = state[2] === undefined ? v : max(state[2], v);
  const denominator = add(div(sqrt(greatest), rootCorrection2), eps);
  const moved = sub(parameter, mul(stepSize, div(m, denominator)));
  return state[2] === undefined ? [moved, m, v] : [moved, m, v, greatest];
}

export const adamRule: UpdateRule = { name: "adam", numState: 2, numScalars: 7, outputs: outputsOf };
const amsgradRule: UpdateRule = { name: "amsgrad", numState: 3, numScalars: 7, outputs: outputsOf };
export const adamState = [{ name: "firstMoment" }, { name: "secondMoment" }] as const;

/** Scalars of Adam's rule at update t = 1, 2, ... */
export function adamScalars(
  { betas, eps }: Pick<AdamSettings, "betas" | "eps">,
  learningRate: number,
  t: number,
): number[] {
  const correction1 = 1 - pow(betas[0], t);
  const correction2 = 1 - pow(betas[1], t);
  return [betas[0], 1 - betas[0], betas[1], 1 - betas[1], Math.sqrt(correction2), eps, learningRate / correction1];
}

/** Adam and AdamW: they differ in what weight decay does. */
abstract class AdamBase extends Optimizer<AdamSettings> {
  constructor(
    where: string,
    parameters: ParametersOrGroups<AdamSettings>,
    options: AdamOptions,
    penalty: Pick<CommonSettings, "weightDecay" | "decoupledWeightDecay">,
  ) {
    const { learningRate = 1e-3, ...own } = options;
    super(where, parameters, {
      learningRate,
      own,
      defaults: { ...noPenalty, ...penalty, betas: [0.9, 0.999], eps: 1e-8, amsgrad: false },
      stateOf: ({ amsgrad }) => (amsgrad ? [...adamState, { name: "greatestSecondMoment" }] : adamState),
      check: ({ betas, eps }) => {
        assertBetas(where, betas);
        assertNumber(where, "eps", eps);
      },
    });
  }

  protected override update(settings: AdamSettings, learningRate: number) {
    const rule = settings.amsgrad ? amsgradRule : adamRule;
    return { rule, scalars: adamScalars(settings, learningRate, this.numSteps) };
  }
}

/**
 * Adam; weight decay is added to the gradient.
 *
 *   g += weightDecay * p; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2
 *   p -= learningRate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps); amsgrad: the greatest v so far
 *
 * @numerics f32 element by element; bias corrections in f64 by scalar-math.
 * @throws {ValueError} E_VALUE for a setting out of range, and for no parameters.
 * @source Kingma and Ba 2015, Reddi et al. 2018 (amsgrad), in the form of torch.optim.Adam.
 */
export class Adam extends AdamBase {
  constructor(parameters: ParametersOrGroups<AdamSettings>, options: AdamOptions = {}) {
    super("Adam", parameters, options, { weightDecay: 0, decoupledWeightDecay: false });
  }
}

/**
 * Adam with decoupled weight decay: p *= 1 - learningRate * weightDecay, then Adam's update without decay. Default weightDecay 0.01.
 *
 * @numerics f32 element by element; bias corrections in f64 by scalar-math.
 * @throws {ValueError} E_VALUE for a setting out of range, and for no parameters.
 * @source Loshchilov and Hutter 2019, in the form of torch.optim.AdamW.
 */
export class AdamW extends AdamBase {
  constructor(parameters: ParametersOrGroups<AdamSettings>, options: AdamOptions = {}) {
    super("AdamW", parameters, options, { weightDecay: 0.01, decoupledWeightDecay: true });
  }
}
