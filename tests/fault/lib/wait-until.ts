/** @file Waits of tests with real processes: each has a limit and says what it waited for (L7 holds for tests as well). */
import type { Generator } from "@lockstep/core";

const pollMs = 10;

/** The first value of `look` that is neither undefined nor false. @throws when there is none within `limitMs`. */
export async function waitUntil<T>(
  what: string,
  limitMs: number,
  look: () => T | undefined | false,
  describe: () => string = () => "",
): Promise<T> {
  const deadlineMs = performance.now() + limitMs;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadlineMs) throw new Error(`waited ${limitMs} ms for ${what}\n${describe()}`);
    await pause(pollMs);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Goes on at a moment that is anywhere in a step: up to two steps from now, chosen by the seed. */
export function pauseIntoStep(random: Generator, stepMs: number): Promise<void> {
  return pause(random.uniform() * 2 * stepMs);
}
