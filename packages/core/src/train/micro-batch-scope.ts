/**
 * @file The scope of one micro-batch: its random numbers and its memory.
 *
 * Draws inside it are keyed by (seed, step, m, use), where use counts the draws since it began: whoever computes micro-batch m of a
 * step draws the same numbers (L1). A variable of this module; callbacks are synchronous.
 */
import type { PhiloxKey } from "../backend/kernel-table.js";
import { seedWords } from "../rng/seed.js";
import { scope } from "../tensor/scope.js";
import { assertSynchronous } from "./seed-scope.js";

export interface MicroBatchPlace {
  /** Of the run. */
  readonly seed: number;
  /** 0-based. */
  readonly step: number;
  readonly m: number;
}

interface RandomPlace {
  readonly seedLo: number;
  readonly seedHi: number;
  readonly step: number;
  readonly m: number;
  use: number;
}

/** Draws outside of every micro-batch: a step that no run reaches. */
const outside: RandomPlace = { seedLo: 0, seedHi: 0, step: 0xfffffffe, m: 0, use: 0 };
let current: RandomPlace = outside;

/** The key of the next draw of a dropout mask or other noise. @source none: ours. */
export function nextRandomKey(): PhiloxKey {
  const { seedLo, seedHi, step, m } = current;
  return { seedLo, seedHi, step, m, use: current.use++ };
}

/**
 * Runs `fn` as micro-batch m of a step: draws are keyed by its place, and what it creates and does not return is freed. Gradients and
 * parameters outlive it. Synchronous, nests.
 *
 * @throws {ValueError} E_SEED. @throws {StateError} E_ASYNC_SCOPE when `fn` returns a promise.
 * @source none: ours
 */
export function microBatchScope<T>(place: MicroBatchPlace, fn: () => T): T {
  const outer = current;
  const [seedLo, seedHi] = seedWords(place.seed, "microBatchScope");
  current = { seedLo, seedHi, step: place.step, m: place.m, use: 0 };
  try {
    return scope(() => {
      const result = fn();
      assertSynchronous("microBatchScope", result);
      return result;
    });
  } finally {
    current = outer;
  }
}
