/** @file Checks that what a module exports is a job, before anything is called. */
import { JobError } from "../errors.js";
import type { AnyJob } from "./define-job.js";

const requiredFunctions = ["data", "model", "loss", "optimizer", "schedule"] as const;
const optionalFunctions = ["files", "metrics", "evaluate", "explain"] as const;

/** @throws {JobError} E_JOB when the value is no job: names what is missing or of the wrong kind. */
export function assertJob(value: unknown, source: string): asserts value is AnyJob {
  const refuse = (what: string): never => {
    throw new JobError(
      `job: ${source} ${what}; a job module must \`export default defineJob({ name, data, model, loss, optimizer, schedule })\`. Add it.`,
      { source },
    );
  };
  if (typeof value !== "object" || value === null) refuse("has no default export that is an object");
  const job = value as Record<string, unknown>;
  if (typeof job.name !== "string" || !/^[\w.-]{1,64}$/.test(job.name)) {
    refuse(`has the name ${JSON.stringify(job.name)}, not 1 to 64 letters, digits, "-", "_" or "."`);
  }
  for (const key of requiredFunctions) if (typeof job[key] !== "function") refuse(`has no function ${key}()`);
  for (const key of optionalFunctions) {
    if (job[key] !== undefined && typeof job[key] !== "function") refuse(`has a ${key} that is not a function`);
  }
  if (job.ema !== undefined && (typeof job.ema !== "object" || job.ema === null)) {
    refuse("has an ema that is no object { decay, warmup }");
  }
  if (job.plateau !== undefined && (typeof job.plateau !== "object" || job.plateau === null)) {
    refuse("has a plateau that is no object { factor, patience, ... }");
  }
  if (job.metrics !== undefined && job.evaluate === undefined)
    refuse("has metrics() and no evaluate(), which feeds them");
  const schema = job.config as { shape?: unknown; safeParse?: unknown } | undefined;
  if (schema !== undefined && (typeof schema.safeParse !== "function" || typeof schema.shape !== "object")) {
    refuse("has a config that is not a zod object");
  }
}
