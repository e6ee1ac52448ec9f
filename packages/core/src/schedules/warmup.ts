import { ValueError } from "../errors.js";
import { assertStep, type Schedule } from "./schedule.js";

export interface WarmupOptions {
  /** Steps before `inner` begins. 0 is no warm-up. */
  readonly warmupSteps: number;
}

/**
 * A straight line up to the first value of `inner`, then `inner` from its beginning:
 *
 *   step < warmupSteps:  inner(0) * (step + 1) / (warmupSteps + 1)
 *   otherwise:           inner(step - warmupSteps)
 *
 * No step has the rate 0, so none is wasted. `inner`'s own horizon should be totalSteps - warmupSteps.
 *
 * @shape step -> learning rate (f64)
 * @throws {ValueError} E_VALUE when warmupSteps is not a whole number of at least 0.
 * @source nanoGPT's get_lr. Deviation: `inner` sees its own steps.
 * @example
 * schedules.warmup(schedules.constant(1), { warmupSteps: 3 })(0); // => 0.25
 */
export function warmup(inner: Schedule, { warmupSteps }: WarmupOptions): Schedule {
  if (!Number.isInteger(warmupSteps) || warmupSteps < 0) {
    throw new ValueError(`warmup: warmupSteps is ${warmupSteps}; it must be a whole number of at least 0.`, {
      warmupSteps,
    });
  }
  return (step) => {
    assertStep("warmup", step);
    return step < warmupSteps ? (inner(0) * (step + 1)) / (warmupSteps + 1) : inner(step - warmupSteps);
  };
}
