import { ValueError } from "../errors.js";
import { add, div, type Expr, input, mul, scalar, sqrt, sub } from "../expr/expr.js";
import { elementwiseProgram } from "../expr/program.js";
import { pow } from "../scalar-math/pow.js";
import { assertNumber, type CommonSettings, Optimizer } from "./optimizer.js";
import type { ParametersOrGroups } from "./parameter-group.js";

export interface AdamSettings extends CommonSettings {
  /** Decay of the first and second moment, each in [0, 1). */
  readonly betas: readonly [number, number];
  readonly eps: number;
}

export interface AdamOptions extends Partial<AdamSettings> {
  /** Default 1e-3. */
  readonly learningRate?: number;
}

const parameter = input(0);
const gradient = input(1);
const [decay, beta1, oneMinusBeta1, beta2, oneMinusBeta2, rootCorrection2, eps, stepSize] = Array.from(
  { length: 8 },
  (_, i) => scalar(i),
) as [Expr, Expr, Expr, Expr, Expr, Expr, Expr, Expr];

/** p, m, v after one update along gradient g from parameter p. */
function outputsOf(p: Expr, g: Expr): Expr[] {
  const m = add(mul(beta1, input(2)), mul(oneMinusBeta1, g));
  const v = add(mul(beta2, input(3)), mul(oneMinusBeta2, mul(g, g)));
  const denominator = add(div(sqrt(v), rootCorrection2), eps);
  return [sub(p, mul(stepSize, div(m, denominator))), m, v];
}

const inputs = ["f32", "f32", "f32", "f32"] as const;
const adamProgram = elementwiseProgram("adam", inputs, outputsOf(parameter, add(gradient, mul(decay, parameter))), 8);
/** Here `decay` is the factor that is left: 1 - learningRate * weightDecay. */
const adamWProgram = elementwiseProgram("adamW", inputs, outputsOf(mul(parameter, decay), gradient), 8);

/** Adam and AdamW: they differ in what weight decay does. */
abstract class AdamBase extends Optimizer<AdamSettings> {
  protected abstract readonly isDecoupled: boolean;

  constructor(where: string, parameters: ParametersOrGroups<AdamSettings>, options: AdamOptions, weightDecay: number) {
    const { learningRate = 1e-3, ...own } = options;
    const defaults: AdamSettings = { learningRateScale: 1, weightDecay, betas: [0.9, 0.999], eps: 1e-8, ...own };
    super(where, parameters, { learningRate, defaults, stateNames: ["firstMoment", "secondMoment"] });
    for (const { settings } of this.groups) assertSettings(where, settings);
  }

  protected override update(settings: AdamSettings, learningRate: number) {
    const { betas, weightDecay } = settings;
    const correction1 = 1 - pow(betas[0], this.numSteps);
    const correction2 = 1 - pow(betas[1], this.numSteps);
    const scalars = [
      this.isDecoupled ? 1 - learningRate * weightDecay : weightDecay,
      betas[0],
      1 - betas[0],
      betas[1],
      1 - betas[1],
      Math.sqrt(correction2),
      settings.eps,
      learningRate / correction1,
    ];
    return { program: this.isDecoupled ? adamWProgram : adamProgram, scalars };
  }
}

/**
 * Adam; weight decay is added to the gradient.
 *
 *   g += weightDecay * p; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2
 *   p -= learningRate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
 *
 * @numerics f32 element by element; bias corrections in f64 by scalar-math.
 * @throws {ValueError} E_VALUE for a setting out of range, and for no parameters.
 * @source Kingma and Ba 2015, in the form of torch.optim.Adam (no amsgrad). Groups scale the learning rate.
 */
export class Adam extends AdamBase {
  protected readonly isDecoupled = false;
  constructor(parameters: ParametersOrGroups<AdamSettings>, options: AdamOptions = {}) {
    super("Adam", parameters, options, 0);
  }
}

/**
 * Adam with decoupled weight decay: p *= 1 - learningRate * weightDecay, then Adam's update without decay. Default weightDecay 0.01.
 *
 * @numerics f32 element by element; bias corrections in f64 by scalar-math.
 * @throws {ValueError} E_VALUE for a setting out of range, and for no parameters.
 * @source Loshchilov and Hutter 2019, in the form of torch.optim.AdamW (no amsgrad). Groups scale the learning rate.
 */
export class AdamW extends AdamBase {
  protected readonly isDecoupled = true;
  constructor(parameters: ParametersOrGroups<AdamSettings>, options: AdamOptions = {}) {
    super("AdamW", parameters, options, 0.01);
  }
}

function assertSettings(where: string, { betas, eps }: AdamSettings): void {
  assertNumber(where, "eps", eps);
  for (const beta of betas) {
    if (!(beta >= 0 && beta < 1)) {
      throw new ValueError(`${where}: betas are [${betas.join(", ")}]; each must be in [0, 1).`, { betas });
    }
  }
}
