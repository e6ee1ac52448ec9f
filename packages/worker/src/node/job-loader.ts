/**
 * @file Turns the text of a job bundle into a job module of this installation.
 *
 * A bundle carries everything but the rooms, which it imports as `lockstep-room:@lockstep/core`: the core that trains must be the
 * core of this process. The specifiers are replaced by the addresses of this installation, the text goes to a file and is imported.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { JobError } from "../errors.js";
import { assertJob } from "../job/assert-job.js";
import type { AnyJob } from "../job/define-job.js";

const roomSpecifier = /(["'])lockstep-room:(@lockstep\/[a-z-]+(?:\/[a-z-]+)?)\1/g;

export interface JobBundleOptions {
  /** Address of a room of this installation: `(specifier) => import.meta.resolve(specifier)` of the composition root. */
  readonly resolveRoom: (specifier: string) => string;
  /** Folder for the module file; made if missing. */
  readonly tempDir: string;
}

/**
 * Writes the bundle with resolved rooms and returns the address to import, in any thread of this process.
 *
 * @throws {JobError} E_JOB_ROOM when the bundle imports a room that this installation does not have.
 */
export async function writeJobModule(bundle: string, options: JobBundleOptions): Promise<string> {
  const text = bundle.replace(roomSpecifier, (_, quote: string, specifier: string) => {
    return `${quote}${resolveOrRefuse(specifier, options.resolveRoom)}${quote}`;
  });
  const name = `job-${createHash("sha256").update(text).digest("hex").slice(0, 24)}.mjs`;
  await mkdir(options.tempDir, { recursive: true });
  const path = join(options.tempDir, name);
  // Workers of one machine share the folder: none may see the other's half-written module.
  const partial = `${path}.${randomBytes(4).toString("hex")}.part`;
  await writeFile(partial, text);
  await rename(partial, path);
  return pathToFileURL(path).href;
}

/**
 * The job of a module.
 *
 * @throws {JobError} E_JOB_LOAD when the module throws while it is loaded, E_JOB when its default export is no job.
 */
export async function importJob(moduleUrl: string): Promise<AnyJob> {
  let module: { default?: unknown };
  try {
    module = (await import(moduleUrl)) as { default?: unknown };
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new JobError(
      `job: loading the module threw "${what}"; a job module must load without an error. Mend it.`,
      { moduleUrl },
      "E_JOB_LOAD",
      { cause },
    );
  }
  assertJob(module.default, "the module");
  return module.default;
}

/** `writeJobModule`, then `importJob`. */
export async function loadJobBundle(bundle: string, options: JobBundleOptions): Promise<AnyJob> {
  return importJob(await writeJobModule(bundle, options));
}

function resolveOrRefuse(specifier: string, resolveRoom: (specifier: string) => string): string {
  try {
    return resolveRoom(specifier);
  } catch (cause) {
    throw new JobError(
      `job: the bundle imports ${specifier}, which this installation does not have; every worker needs the rooms its job uses. Install the same version of lockstep as the coordinator's.`,
      { specifier },
      "E_JOB_ROOM",
      { cause },
    );
  }
}
