import { LockstepError } from "@lockstep/core";

/** What was given to compile, fit, evaluate or predict cannot be used; nothing was trained. Codes begin with E_FIT. */
export class FitError extends LockstepError {
  constructor(code: string, message: string, fields: Readonly<Record<string, unknown>> = {}) {
    super(code, message, fields);
  }
}
