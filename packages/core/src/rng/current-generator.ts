/**
 * @file Which generator initial weights come from: the one of the innermost `seedScope`, else a default that starts at seed 0. A
 * variable of this module; callbacks are synchronous, so it never leaks into other work.
 */
import { StateError } from "../errors.js";
import { Generator } from "./generator.js";

let current: Generator | undefined;
let fallback: Generator | undefined;

/** The generator of the innermost `seedScope`; outside of any, one of seed 0 that goes on from call to call. @source none: ours */
export function currentGenerator(): Generator {
  if (current !== undefined) return current;
  fallback ??= new Generator(0);
  return fallback;
}

/** Starts the default generator again. @source Same meaning as torch.manual_seed. */
export function manualSeed(seed: number): void {
  fallback = new Generator(seed);
}

/**
 * Runs `fn` with a fresh generator: what is created inside has the same initial weights whatever was created before. Synchronous, nests.
 *
 * @throws {StateError} E_ASYNC_SCOPE when `fn` returns a promise. {ValueError} E_SEED when seed is no whole number in 0..2^53-1.
 * @source none: ours
 * @example
 * seedScope(7, () => currentGenerator().nextWord()) === new Generator(7).nextWord(); // => true
 */
export function seedScope<T>(seed: number, fn: () => T): T {
  const outer = current;
  current = new Generator(seed);
  try {
    const result = fn();
    if (result instanceof Promise) {
      throw new StateError(
        "seedScope: the callback returned a promise; it must be synchronous. Await before or after it, not inside.",
        {},
        "E_ASYNC_SCOPE",
      );
    }
    return result;
  } finally {
    current = outer;
  }
}
