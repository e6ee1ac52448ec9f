/** @file For tests of errors. */
import { LockstepError } from "./errors.js";

/** The error of core that `run` throws; anything else, and nothing, fails the test. */
export function errorOf(run: () => unknown): LockstepError {
  try {
    run();
  } catch (error) {
    if (error instanceof LockstepError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
