/** @file Which backend new tensors are created on: the one of the innermost `withBackend`, else a default made on first use. */
import { createCpuBackend } from "../cpu/index.js";
import { StateError } from "../errors.js";
import type { Backend } from "./backend.js";

let current: Backend | undefined;
let fallback: Backend | undefined;

/** Where creation functions put their tensors. */
export function currentBackend(): Backend {
  if (current !== undefined) return current;
  fallback ??= createCpuBackend();
  return fallback;
}

/** The default backend when no `withBackend` is active. Tensors already made stay where they are. */
export function setDefaultBackend(backend: Backend): void {
  fallback = backend;
}

/**
 * Runs `fn` with creation functions bound to `backend`. Synchronous, nests.
 * @throws {StateError} E_ASYNC_SCOPE when `fn` returns a promise.
 * @source none: ours
 */
export function withBackend<T>(backend: Backend, fn: () => T): T {
  const outer = current;
  current = backend;
  try {
    const result = fn();
    if (result instanceof Promise) {
      throw new StateError(
        "withBackend: the callback returned a promise; it must be synchronous. Await before or after it, not inside.",
        {},
        "E_ASYNC_SCOPE",
      );
    }
    return result;
  } finally {
    current = outer;
  }
}
