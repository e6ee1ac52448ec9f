/**
 * @file The random draws and the memory of one micro-batch.
 *
 * Draw number `use` of micro-batch m of a step has the Philox counter (block, use, m, step) under the seed's key, whoever computes it
 * and however often (design section 3). The current micro-batch is a variable of this module; callbacks are synchronous.
 */
import type { PhiloxKey } from "../backend/kernel-table.js";
import { ValueError } from "../errors.js";
import { seedWords } from "../rng/seed.js";
import { scope } from "../tensor/scope.js";

export interface MicroBatchKey {
  /** The run's seed. */
  readonly seed: number;
  /** Index of the step, from 0: step k of a run has index k - 1. */
  readonly step: number;
  /** Index of the micro-batch in the grid of the global batch. */
  readonly m: number;
}

interface Draws {
  readonly seedLo: number;
  readonly seedHi: number;
  readonly step: number;
  readonly m: number;
  use: number;
}

/** Draws outside of any micro-batch: never the same twice in a process, never those of a step. */
const outside: Draws = { seedLo: 0, seedHi: 0, step: 0xfffffffe, m: 0, use: 0 };
let current: Draws = outside;

/**
 * Runs `fn` as micro-batch m of a step: dropout draws its numbers, and every tensor made inside is freed at the end unless returned or
 * kept. Synchronous.
 *
 * @throws {ValueError} E_VALUE when step or m is no u32; E_SEED for a bad seed. {StateError} E_ASYNC_SCOPE when `fn` returns a promise.
 * @source none: ours; Philox by Salmon et al. 2011.
 */
export function microBatchScope<T>({ seed, step, m }: MicroBatchKey, fn: () => T): T {
  assertU32("step", step);
  assertU32("m", m);
  const [seedLo, seedHi] = seedWords(seed, "microBatchScope");
  const outer = current;
  current = { seedLo, seedHi, step, m, use: 0 };
  try {
    return scope(fn);
  } finally {
    current = outer;
  }
}

/** The innermost micro-batch as a thing to compare by identity: two calls of microBatchScope are never the same. Undefined outside. */
export function currentMicroBatch(): object | undefined {
  return current === outside ? undefined : current;
}

/** Draws of the current micro-batch so far. */
export function drawsSoFar(): number {
  return current.use;
}

/** Where the draws stand, for `withDraws`. */
export function currentDraws(): object {
  return { ...current };
}

/** Runs `fn` with the draws as they stood, for what is computed again; those that come afterwards are as without it. Synchronous. */
export function withDraws<T>(draws: object, fn: () => T): T {
  const outer = current;
  current = { ...(draws as Draws) };
  try {
    return fn();
  } finally {
    current = outer;
  }
}

/** The key of the next draw. Each call is one `use`. */
export function nextPhiloxKey(): PhiloxKey {
  const { seedLo, seedHi, step, m } = current;
  return { seedLo, seedHi, step, m, use: current.use++ };
}

function assertU32(name: string, value: number): void {
  if (value >>> 0 === value) return;
  throw new ValueError(`microBatchScope: ${name} is ${value}; it must be a whole number in 0..4294967295.`, {
    [name]: value,
  });
}
