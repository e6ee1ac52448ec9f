import { ValueError } from "../errors.js";
import { pow } from "../scalar-math/pow.js";
import { assertRate, assertSteps, progress, type Ramp, type Schedule } from "./schedule.js";

export interface PolynomialOptions extends Omit<Ramp, "to"> {
  /** Default 0. */
  readonly to?: number;
  /** Above 0; 1 is a straight line. Default 1. */
  readonly power?: number;
}

/**
 * to + (from - to) * (1 - min(1, step / steps)) ^ power.
 *
 * @shape step -> learning rate (f64)
 * @throws {ValueError} E_VALUE when a rate is negative or not finite, steps no whole number of at least 1 or power not above 0.
 * @source Same values as torch.optim.lr_scheduler.PolynomialLR for to = 0.
 * @example
 * schedules.polynomial({ from: 1, steps: 4, power: 2 })(2); // => 0.25
 */
export function polynomial({ from, to = 0, steps, power = 1 }: PolynomialOptions): Schedule {
  assertRate("polynomial", "from", from);
  assertRate("polynomial", "to", to);
  assertSteps("polynomial", "steps", steps);
  if (!(power > 0 && power < Infinity)) {
    throw new ValueError(`polynomial: power is ${power}; it must be finite and above 0.`, { power });
  }
  return (step) => {
    const left = 1 - progress("polynomial", step, steps);
    return left === 0 ? to : to + (from - to) * pow(left, power);
  };
}
