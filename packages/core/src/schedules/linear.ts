import { assertRate, assertSteps, progress, type Ramp, type Schedule } from "./schedule.js";

/**
 * A straight line: from + (to - from) * min(1, step / steps).
 *
 * @shape step -> learning rate (f64)
 * @throws {ValueError} E_VALUE when a rate is negative or not finite, or steps is not a whole number of at least 1.
 * @source Same values as torch.optim.lr_scheduler.LinearLR(start_factor = from, end_factor = to, total_iters = steps) at rate 1.
 * @example
 * schedules.linear({ from: 1, to: 0, steps: 4 })(1); // => 0.75
 */
export function linear({ from, to, steps }: Ramp): Schedule {
  assertRate("linear", "from", from);
  assertRate("linear", "to", to);
  assertSteps("linear", "steps", steps);
  return (step) => {
    const t = progress("linear", step, steps);
    return t === 1 ? to : from + (to - from) * t;
  };
}
