/** @file Where the module of a job is: JOB is a path to a module or to a folder with one. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { findClosestName } from "@lockstep/worker";
import { UsageError } from "../exit-status.js";

const jobFileNames = ["job.ts", "job.mts", "job.js", "job.mjs"] as const;

/**
 * Absolute path of the job module.
 *
 * @throws {UsageError} E_JOB_NOT_FOUND when there is no such file, or the folder holds no job module.
 */
export function findJob(path: string, cwd: string): string {
  const absolute = resolve(cwd, path);
  if (!existsSync(absolute)) {
    throw new UsageError(
      `job: there is no ${path}; JOB must be a module or a folder with one.${suggestion(absolute)}`,
      { path },
      "E_JOB_NOT_FOUND",
    );
  }
  if (!statSync(absolute).isDirectory()) return absolute;
  const found = jobFileNames.map((name) => join(absolute, name)).find((candidate) => existsSync(candidate));
  if (found) return found;
  throw new UsageError(
    `job: the folder ${path} holds none of ${jobFileNames.join(", ")}; JOB must be a module or a folder with one of these. Name the module itself if it is called otherwise.`,
    { path, jobFileNames },
    "E_JOB_NOT_FOUND",
  );
}

function suggestion(absolute: string): string {
  const folder = dirname(absolute);
  const near = existsSync(folder) ? findClosestName(basename(absolute), readdirSync(folder)) : undefined;
  return near === undefined ? " Check the path." : ` Did you mean "${near}"?`;
}
