/** @file Whether ops are recorded. A variable of this module; callbacks are synchronous. */
import { StateError } from "../errors.js";

let isEnabled = true;

export function isGradEnabled(): boolean {
  return isEnabled;
}

/**
 * Runs `fn` without recording: results need no gradient and hold no inputs. Synchronous, nests.
 * @throws {StateError} E_ASYNC_SCOPE when `fn` returns a promise.
 * @source Same meaning as torch.no_grad.
 */
export function noGrad<T>(fn: () => T): T {
  return withGradMode(false, fn);
}

/** Runs `fn` recording again inside a `noGrad`. @source Same meaning as torch.enable_grad. */
export function enableGrad<T>(fn: () => T): T {
  return withGradMode(true, fn);
}

export function withGradMode<T>(enabled: boolean, fn: () => T): T {
  const outer = isEnabled;
  isEnabled = enabled;
  try {
    const result = fn();
    if (result instanceof Promise) {
      throw new StateError(
        "noGrad: the callback returned a promise; it must be synchronous. Await before or after it, not inside.",
        {},
        "E_ASYNC_SCOPE",
      );
    }
    return result;
  } finally {
    isEnabled = outer;
  }
}
