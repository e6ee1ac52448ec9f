import { cos } from "../scalar-math/trig.js";
import { assertRate, assertSteps, progress, type Ramp, type Schedule } from "./schedule.js";

// biome-ignore lint/suspicious/noApproximativeNumericConstant: the standard gives the host's constants only approximately
const pi = 3.141592653589793;

/**
 * Half a cosine wave: to + (from - to) * (1 + cos(pi * t)) / 2 with t = min(1, step / steps). `to` is 0 unless given.
 *
 * @shape step -> learning rate (f64)
 * @throws {ValueError} E_VALUE when a rate is negative or not finite, or steps is not a whole number of at least 1.
 * @source Loshchilov and Hutter 2017, SGDR, without restarts.
 * @example
 * schedules.cosine({ from: 1, steps: 10 })(10); // => 0
 */
export function cosine({ from, to = 0, steps }: Omit<Ramp, "to"> & Partial<Pick<Ramp, "to">>): Schedule {
  assertRate("cosine", "from", from);
  assertRate("cosine", "to", to);
  assertSteps("cosine", "steps", steps);
  return (step) => cosineBetween(from, to, progress("cosine", step, steps));
}

/** From `from` at t = 0 to `to` at t = 1, flat at both ends. */
export function cosineBetween(from: number, to: number, t: number): number {
  return t === 1 ? to : to + (from - to) * (0.5 * (1 + cos(pi * t)));
}
