/** @file Where initial weights get their random numbers. A variable of this module; callbacks are synchronous. */
import { StateError } from "../errors.js";
import { Generator } from "../rng/generator.js";

let current: Generator | undefined;
let fallback: Generator | undefined;

/** The generator of the innermost `seedScope`; outside of any, one of seed 0 that goes on from call to call. @source none: ours. */
export function currentGenerator(): Generator {
  if (current !== undefined) return current;
  fallback ??= new Generator(0);
  return fallback;
}

/**
 * Runs `fn` with a fresh generator of this seed for initial weights: the same model gets the same bits. Synchronous, nests.
 *
 * @throws {ValueError} E_SEED for a seed that is no whole number in 0..2^53-1. @throws {StateError} E_ASYNC_SCOPE for a promise.
 * @source none: ours
 * @example
 * seedScope(7, () => currentGenerator().nextWord()) === new Generator(7).nextWord(); // => true
 */
export function seedScope<T>(seed: number, fn: () => T): T {
  const outer = current;
  current = new Generator(seed);
  try {
    const result = fn();
    assertSynchronous("seedScope", result);
    return result;
  } finally {
    current = outer;
  }
}

/** @throws {StateError} E_ASYNC_SCOPE when a scope's callback returned a promise. @source none: ours. */
export function assertSynchronous(where: string, result: unknown): void {
  if (!(result instanceof Promise)) return;
  throw new StateError(
    `${where}: the callback returned a promise; it must be synchronous. Await before or after it, not inside.`,
    {},
    "E_ASYNC_SCOPE",
  );
}
