/** @file The exit statuses other programs rely on, and which error leads to which. */
import { LockstepError } from "@lockstep/core";

export const exitStatus = {
  completed: 0,
  failed: 1,
  usage: 2,
  notEnoughWorkers: 3,
  interrupted: 130,
} as const;

export type ExitStatus = (typeof exitStatus)[keyof typeof exitStatus];

/** Bad usage or configuration: nothing was started, nothing written. */
export class UsageError extends LockstepError {
  constructor(message: string, fields: Readonly<Record<string, unknown>> = {}, code = "E_USAGE") {
    super(code, message, fields);
  }
}

const usageCodes =
  /^E_(USAGE|CONFIG|PORT_IN_USE|LISTEN$|RUN_IN_USE|TOKEN_REQUIRED|OUT_NOT_EMPTY|FLAG_NOT_YET|JOB($|_))/;

/** The status for an error that reached the top before anything was started. */
export function statusOfError(error: unknown): ExitStatus {
  const code = (error as { code?: unknown }).code;
  if (error instanceof UsageError) return exitStatus.usage;
  if (code === "E_JOIN_TIMEOUT") return exitStatus.notEnoughWorkers;
  return typeof code === "string" && usageCodes.test(code) ? exitStatus.usage : exitStatus.failed;
}
