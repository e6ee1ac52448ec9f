/** @file How long a step may take: a named limit for the first one, then a multiple of the slowest of the last ones (L7). */

/** A step that takes this many times the slowest recent one is no longer waited for. */
const slowestFactor = 20;
const numRemembered = 16;

export class StepDeadline {
  readonly #limits: { readonly firstStepMs: number; readonly minStepMs: number };
  readonly #recentMs: number[] = [];

  constructor(limits: { readonly firstStepMs: number; readonly minStepMs: number }) {
    this.#limits = limits;
  }

  /** A new generation measures anew. */
  reset(): void {
    this.#recentMs.length = 0;
  }

  record(stepMs: number): void {
    this.#recentMs.push(stepMs);
    if (this.#recentMs.length > numRemembered) this.#recentMs.shift();
  }

  nextMs(): number {
    if (this.#recentMs.length === 0) return this.#limits.firstStepMs;
    return Math.max(this.#limits.minStepMs, slowestFactor * Math.max(...this.#recentMs));
  }
}
