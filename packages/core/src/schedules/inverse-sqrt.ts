import { assertRate, assertStep, assertSteps, type Schedule } from "./schedule.js";

export interface InverseSqrtOptions {
  /** The greatest rate, at step warmupSteps. */
  readonly peak: number;
  /** Steps of the rise, at least 1. */
  readonly warmupSteps: number;
}

/**
 * A straight rise, then the inverse square root: peak * min((step + 1) / (warmupSteps + 1), sqrt((warmupSteps + 1) / (step + 1))).
 *
 * @shape step -> learning rate (f64)
 * @throws {ValueError} E_VALUE when peak is negative or warmupSteps no whole number of at least 1.
 * @source Vaswani et al. 2017, section 5.3. Deviation: counted so that no step has the rate 0, and scaled to its peak.
 * @example
 * schedules.inverseSqrt({ peak: 1, warmupSteps: 3 })(15); // => 0.5
 */
export function inverseSqrt({ peak, warmupSteps }: InverseSqrtOptions): Schedule {
  assertRate("inverseSqrt", "peak", peak);
  assertSteps("inverseSqrt", "warmupSteps", warmupSteps);
  const rise = warmupSteps + 1;
  return (step) => {
    assertStep("inverseSqrt", step);
    return step < warmupSteps ? (peak * (step + 1)) / rise : peak * Math.sqrt(rise / (step + 1));
  };
}
