import type { Clock } from "../clock.js";

declare const performance: { now(): number };
declare function setTimeout(callback: () => void, delayMs: number): number;
declare function clearTimeout(timer: number): void;

/** The host's clock, for tests and benchmarks over real sockets; an app has its own. */
export const realClock: Clock = {
  nowMs: () => performance.now(),
  schedule(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
