import { ValueError } from "../errors.js";
import { cosineBetween } from "./cosine.js";
import { assertRate, assertStep, assertSteps, type Schedule } from "./schedule.js";

export interface OneCycleOptions {
  /** The greatest rate. */
  readonly peak: number;
  /** Steps of the whole cycle, at least 2; afterwards the rate stays. */
  readonly steps: number;
  /** Share of the steps in which the rate rises, in (0, 1). Default 0.3. */
  readonly riseShare?: number;
  /** The first rate is peak / this. Default 25. */
  readonly startDivisor?: number;
  /** The last rate is the first / this. Default 1e4. */
  readonly endDivisor?: number;
  /** Default "cosine". */
  readonly shape?: "cosine" | "linear";
}

/**
 * Rises from peak / startDivisor to the peak and falls to peak / startDivisor / endDivisor at the last step, steps - 1. The peak stands at
 * riseShare * steps - 1.
 *
 * @shape step -> learning rate (f64)
 * @throws {ValueError} E_VALUE when peak is negative, steps below 2, riseShare outside (0, 1), or the rise has less than one step.
 * @source Smith and Topin 2018, Super-Convergence; same values as torch.optim.lr_scheduler.OneCycleLR with two phases. Deviations: the
 *   momentum is not cycled; after the last step the rate stays, where PyTorch's throws.
 * @example
 * schedules.oneCycle({ peak: 1, steps: 10, riseShare: 0.3 })(2); // => 1
 */
export function oneCycle(options: OneCycleOptions): Schedule {
  const { peak, steps, riseShare = 0.3, startDivisor = 25, endDivisor = 1e4, shape = "cosine" } = options;
  assertRate("oneCycle", "peak", peak);
  assertSteps("oneCycle", "steps", steps);
  for (const [name, value] of Object.entries({ startDivisor, endDivisor })) {
    if (!(value >= 1 && value < Infinity)) {
      throw new ValueError(`oneCycle: ${name} is ${value}; it must be finite and at least 1.`, { [name]: value });
    }
  }
  const top = riseShare * steps - 1;
  if (!(riseShare > 0 && riseShare < 1 && top > 0)) {
    throw new ValueError(
      `oneCycle: riseShare is ${riseShare} of ${steps} steps; it must be in (0, 1) and cover more than one step. Raise riseShare or steps.`,
      { riseShare, steps },
    );
  }
  const first = peak / startDivisor;
  const last = first / endDivisor;
  const between = shape === "cosine" ? cosineBetween : (from: number, to: number, t: number) => from + (to - from) * t;
  return (step) => {
    assertStep("oneCycle", step);
    if (step >= steps - 1) return last;
    return step <= top ? between(first, peak, step / top) : between(peak, last, (step - top) / (steps - 1 - top));
  };
}
