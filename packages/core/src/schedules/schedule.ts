/**
 * @file Learning rates as pure functions of the step. No state, nothing to save.
 *
 * Steps count from 0: the first update is made with schedule(0). Everything is computed in f64 by scalar-math (L1).
 */
import { ValueError } from "../errors.js";

/** Learning rate of step 0, 1, 2, ... */
export type Schedule = (step: number) => number;

/** Where a schedule starts and ends. */
export interface Ramp {
  readonly from: number;
  readonly to: number;
  /** Steps from the first value to the last; afterwards it stays at `to`. */
  readonly steps: number;
}

export function assertRate(where: string, name: string, value: number): void {
  if (!Number.isFinite(value) || value < 0) {
    throw new ValueError(`${where}: ${name} is ${value}; it must be a finite number of at least 0.`, { [name]: value });
  }
}

export function assertSteps(where: string, name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) {
    throw new ValueError(`${where}: ${name} is ${value}; it must be a whole number of at least 1.`, { [name]: value });
  }
}

export function assertCount(where: string, name: string, value: number): void {
  if (!Number.isInteger(value) || value < 0) {
    throw new ValueError(`${where}: ${name} is ${value}; it must be a whole number of at least 0.`, { [name]: value });
  }
}

export function assertFactor(where: string, factor: number): void {
  if (!(factor > 0 && factor <= 1)) {
    throw new ValueError(`${where}: factor is ${factor}; it must be in (0, 1].`, { factor });
  }
}

/** Part of the ramp passed at `step`, in [0, 1]. */
export function progress(where: string, step: number, steps: number): number {
  assertStep(where, step);
  return step >= steps ? 1 : step / steps;
}

export function assertStep(where: string, step: number): void {
  if (!Number.isInteger(step) || step < 0) {
    throw new ValueError(`${where}: step is ${step}; it must be a whole number of at least 0.`, { step });
  }
}
