import { pow } from "../scalar-math/pow.js";
import { assertFactor, assertRate, assertStep, assertSteps, type Schedule } from "./schedule.js";

export interface ExponentialOptions {
  readonly from: number;
  /** Multiplies the rate once every `steps` steps, smoothly in between. In (0, 1]. */
  readonly factor: number;
  /** Default 1. */
  readonly steps?: number;
}

/**
 * Exponential decay: from * factor ^ (step / steps).
 *
 * @shape step -> learning rate (f64)
 * @throws {ValueError} E_VALUE when from is negative, factor outside (0, 1] or steps no whole number of at least 1.
 * @source Same values as torch.optim.lr_scheduler.ExponentialLR(gamma = factor) for steps = 1.
 * @example
 * schedules.exponential({ from: 1, factor: 0.5 })(2); // => 0.25
 */
export function exponential({ from, factor, steps = 1 }: ExponentialOptions): Schedule {
  assertRate("exponential", "from", from);
  assertFactor("exponential", factor);
  assertSteps("exponential", "steps", steps);
  return (step) => {
    assertStep("exponential", step);
    return from * pow(factor, step / steps);
  };
}
