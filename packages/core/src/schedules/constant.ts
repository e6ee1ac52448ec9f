import { assertRate, type Schedule } from "./schedule.js";

/**
 * Always the same learning rate.
 *
 * @shape step -> learning rate (f64)
 * @throws {ValueError} E_VALUE when learningRate is negative or not finite.
 * @source none: ours
 * @example
 * schedules.constant(0.1)(5); // => 0.1
 */
export function constant(learningRate: number): Schedule {
  assertRate("constant", "learningRate", learningRate);
  return () => learningRate;
}
