import { ValueError } from "../errors.js";
import { cosineBetween } from "./cosine.js";
import { assertRate, assertStep, assertSteps, type Schedule } from "./schedule.js";

export interface CosineRestartsOptions {
  readonly from: number;
  /** Default 0. */
  readonly to?: number;
  /** Steps of the first wave. */
  readonly steps: number;
  /** Each wave has this many times the steps of the one before: a whole number of at least 1. Default 1. */
  readonly stepsFactor?: number;
}

/**
 * Half waves of a cosine, one after another: to + (from - to) * (1 + cos(pi * t / T)) / 2 with t steps since the last restart and T, steps
 * of the wave, stepsFactor times as many at each restart.
 *
 * @shape step -> learning rate (f64)
 * @throws {ValueError} E_VALUE when a rate is negative or not finite, or steps or stepsFactor is no whole number of at least 1.
 * @source Loshchilov and Hutter 2017, SGDR; same values as torch.optim.lr_scheduler.CosineAnnealingWarmRestarts (T_0, T_mult, eta_min).
 * @example
 * schedules.cosineRestarts({ from: 1, steps: 4, stepsFactor: 2 })(4); // => 1
 */
export function cosineRestarts({ from, to = 0, steps, stepsFactor = 1 }: CosineRestartsOptions): Schedule {
  assertRate("cosineRestarts", "from", from);
  assertRate("cosineRestarts", "to", to);
  assertSteps("cosineRestarts", "steps", steps);
  assertSteps("cosineRestarts", "stepsFactor", stepsFactor);
  return (step) => {
    assertStep("cosineRestarts", step);
    let since = step;
    let length = steps;
    if (stepsFactor === 1) since = step % steps;
    else {
      while (since >= length) {
        since -= length;
        length *= stepsFactor;
      }
    }
    if (length > Number.MAX_SAFE_INTEGER) {
      throw new ValueError(`cosineRestarts: step is ${step}; the wave it lies in has more steps than can be counted.`, {
        step,
      });
    }
    return cosineBetween(from, to, since / length);
  };
}
