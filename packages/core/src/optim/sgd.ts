import { add, type Expr, input, mul, scalar, sub } from "../expr/expr.js";
import { type ElementwiseProgram, elementwiseProgram } from "../expr/program.js";
import { assertNumber, type CommonSettings, Optimizer } from "./optimizer.js";
import type { ParametersOrGroups } from "./parameter-group.js";

export interface SgdSettings extends CommonSettings {
  readonly momentum: number;
  readonly nesterov: boolean;
}

export interface SgdOptions extends Partial<SgdSettings> {
  /** Default 1e-3. */
  readonly learningRate?: number;
}

const parameter = input(0);
const gradient = input(1);
const [rate, decay, momentum] = [scalar(0), scalar(1), scalar(2)];
const decayed = add(gradient, mul(decay, parameter));
const velocity = add(mul(momentum, input(2)), decayed);
const moved = (direction: Expr): Expr => sub(parameter, mul(rate, direction));

const plainProgram = elementwiseProgram("sgd", ["f32", "f32"], [moved(decayed)], 2);
const momentumProgram = elementwiseProgram("sgdMomentum", ["f32", "f32", "f32"], [moved(velocity), velocity], 3);
const nesterovProgram = elementwiseProgram(
  "sgdNesterov",
  ["f32", "f32", "f32"],
  [moved(add(decayed, mul(momentum, velocity))), velocity],
  3,
);

/**
 * Stochastic gradient descent: d = g + weightDecay * p; v = momentum * v + d; p -= learningRate * v (nesterov: d + momentum * v).
 * Without momentum v = d and nothing is kept.
 *
 * @numerics f32, every operation rounded on its own.
 * @throws {ValueError} E_VALUE for a setting that is negative or not finite, and for no parameters.
 * @source Same update as torch.optim.SGD with dampening 0. Groups scale the learning rate instead of having their own.
 */
export class Sgd extends Optimizer<SgdSettings> {
  readonly #hasMomentum: boolean;

  constructor(parameters: ParametersOrGroups<SgdSettings>, options: SgdOptions = {}) {
    const { learningRate = 1e-3, ...own } = options;
    const defaults = { learningRateScale: 1, weightDecay: 0, momentum: 0, nesterov: false, ...own };
    assertNumber("Sgd", "momentum", defaults.momentum);
    const groups = [...(parameters as Iterable<object>)] as unknown as ParametersOrGroups<SgdSettings>;
    const hasMomentum = [defaults, ...(groups as Iterable<Partial<SgdSettings>>)].some(
      ({ momentum: m }) => (m ?? 0) > 0,
    );
    super("Sgd", groups, { learningRate, defaults, stateNames: hasMomentum ? ["velocity"] : [] });
    this.#hasMomentum = hasMomentum;
  }

  protected override update(
    settings: SgdSettings,
    learningRate: number,
  ): { program: ElementwiseProgram; scalars: number[] } {
    const { weightDecay, momentum: m, nesterov } = settings;
    if (!this.#hasMomentum) return { program: plainProgram, scalars: [learningRate, weightDecay] };
    return { program: nesterov ? nesterovProgram : momentumProgram, scalars: [learningRate, weightDecay, m] };
  }
}
