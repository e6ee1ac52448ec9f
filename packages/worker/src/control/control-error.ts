import { type ErrorFields, LockstepError } from "@lockstep/core";

/** The coordinator cannot be reached, refuses this worker, or broke the rules of the control channel. */
export class ControlError extends LockstepError {
  constructor(code: string, message: string, fields: ErrorFields = {}, options?: { cause?: unknown }) {
    super(code, message, fields, options);
  }
}
