/** @file The clock of this machine, as the rooms take it: they never read one themselves. */
import type { Clock } from "@lockstep/coordinator/node";

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  schedule(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
