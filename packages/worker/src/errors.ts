/** @file Errors of the worker: what a job, its configuration or its training step got wrong. Form and fields as in core. */
import { type ErrorFields, LockstepError } from "@lockstep/core";

/** A configuration key or value that the job does not take. Nothing was started. */
export class ConfigError extends LockstepError {
  constructor(message: string, fields: ErrorFields = {}, code = "E_CONFIG") {
    super(code, message, fields);
  }
}

/** A job module, or what one of its functions returned, breaks the contract of `defineJob`. */
export class JobError extends LockstepError {
  constructor(message: string, fields: ErrorFields = {}, code = "E_JOB", options?: { cause?: unknown }) {
    super(code, message, fields, options);
  }
}

/** The training step cannot go on: a value that is not finite, nothing to train on, replicas that differ. */
export class TrainingError extends LockstepError {
  constructor(message: string, fields: ErrorFields = {}, code = "E_TRAINING", options?: { cause?: unknown }) {
    super(code, message, fields, options);
  }
}

/** An error of any kind as plain data, for a message to the coordinator or between threads. */
export interface ErrorReport {
  readonly code: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly stack?: string;
}

export function errorReport(error: unknown): ErrorReport {
  if (error instanceof Error) {
    const known = error as Partial<LockstepError>;
    return {
      code: typeof known.code === "string" ? known.code : "E_UNEXPECTED",
      message: error.message,
      fields: plainFields(known.fields ?? {}),
      ...(error.stack === undefined ? {} : { stack: error.stack }),
    };
  }
  return { code: "E_UNEXPECTED", message: String(error), fields: {} };
}

/** The error a report was made of, as this side can have it. */
export function errorFromReport(report: ErrorReport): LockstepError {
  const error = new TrainingError(report.message, report.fields, report.code);
  if (report.stack !== undefined) error.stack = report.stack;
  return error;
}

function plainFields(fields: ErrorFields): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(JSON.stringify(fields)) as Record<string, unknown>;
  } catch {
    return {};
  }
}
