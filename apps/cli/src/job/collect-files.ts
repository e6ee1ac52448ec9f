/**
 * @file The files a job reads, found on this machine: paths, folders, patterns and files of npm packages.
 *
 * A value of `files()` is relative to the job module, or starts with `npm:`. Its last segment may be `*.txt`: the files of that
 * folder, not below it, whose names end so.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import type { JobFileLocation } from "@lockstep/worker";
import { UsageError } from "../exit-status.js";

export interface CollectedFile {
  /** Name the job gave it. */
  readonly name: string;
  /** Path below the folder, "/" between; the file's name for a single file. */
  readonly path: string;
  readonly sourcePath: string;
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * Every file of the job, sorted by name and path, with its hash.
 *
 * @throws {UsageError} E_JOB_FILE when a path, a package or a match is missing.
 */
export function collectFiles(files: Readonly<Record<string, JobFileLocation>>, jobFolder: string): CollectedFile[] {
  return Object.entries(files)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, location]) => collectOne(name, location, jobFolder));
}

function collectOne(name: string, location: JobFileLocation, jobFolder: string): CollectedFile[] {
  const { path: where, ifMissing = "Check files() of the job." } =
    typeof location === "string" ? { path: location } : location;
  const base = where.startsWith("npm:") ? resolvePackagePath(name, where, jobFolder) : resolve(jobFolder, where);
  const pattern = /^\*(\.[\w.]+)$/.exec(basename(base));
  const folder = pattern ? dirname(base) : base;
  if (!existsSync(folder)) throw missing({ name, where, path: folder }, ifMissing);
  if (statSync(folder).isFile()) return [describeFile(name, basename(folder), folder)];
  const paths = pattern
    ? readdirSync(folder)
        .filter((entry) => entry.endsWith(pattern[1]!))
        .map((entry) => join(folder, entry))
    : filesBelow(folder);
  if (paths.length === 0) throw missing({ name, where, path: base }, ifMissing);
  return paths
    .map((path) => describeFile(name, relative(folder, path).split(sep).join("/"), path))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

function describeFile(name: string, path: string, sourcePath: string): CollectedFile {
  const content = readFileSync(sourcePath);
  const sha256 = createHash("sha256").update(content).digest("hex");
  return { name, path, sourcePath, sha256, bytes: content.byteLength };
}

/** `npm:@scope/package/path` in the nearest node_modules above the job. */
function resolvePackagePath(name: string, where: string, jobFolder: string): string {
  const parts = where.slice("npm:".length).split("/");
  const packageName = parts.slice(0, where.startsWith("npm:@") ? 2 : 1).join("/");
  const rest = parts.slice(packageName.split("/").length);
  for (let folder = jobFolder; ; folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", packageName);
    if (existsSync(candidate)) return join(candidate, ...rest);
    if (dirname(folder) === folder) break;
  }
  throw new UsageError(
    `job: file "${name}" is ${where}, and the package ${packageName} is not installed at or above ${jobFolder}; it must be. Run npm install ${packageName}.`,
    { name, where, packageName },
    "E_JOB_FILE",
  );
}

function missing(
  file: { readonly name: string; readonly where: string; readonly path: string },
  ifMissing: string,
): UsageError {
  const { name, where, path } = file;
  return new UsageError(
    `job: file "${name}" is ${where}, and there is nothing at ${path}; it must be a file, a folder with files or a pattern that matches. ${ifMissing}`,
    file,
    "E_JOB_FILE",
  );
}
