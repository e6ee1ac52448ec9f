/**
 * @file Checkpoints on disk: checkpoints/step-NNNNNN with a manifest, complete or not there at all. Opaque files by name and sha256.
 *
 * Names that begin with a point are nobody's checkpoint: `.tmp-` is being written or deleted, `.aside-` gives way to a new one of its
 * step, `.incoming` holds blobs of a run. After `recoverCheckpoints` none of them is left.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { NamedBlob } from "@lockstep/protocol";
import * as z from "zod";
import { CoordinatorError } from "./coordinator-error.js";

const manifestSchema = z.object({
  schema: z.literal(1),
  step: z.int().min(0),
  paramsSha256: z.string(),
  /** Of parameters, buffers and optimizer state, as the replicas agreed on it. */
  stateHash: z.string().optional(),
  files: z.array(z.object({ name: z.string(), sha256: z.string(), byteLength: z.int().min(0) })),
  /** Why it was written: steps, time, best, last. */
  reasons: z.array(z.string()).default([]),
  /** Held-out loss of its state, where it was written for that. */
  evalLoss: z.number().optional(),
  /** ISO 8601. */
  writtenAt: z.string().optional(),
});

const asidePrefix = ".aside-";
/** Of what is on its way into its name, or out of it. */
export const temporaryPrefix = ".tmp-";

export type CheckpointManifest = z.infer<typeof manifestSchema>;

/** `step-000120`. */
export function checkpointName(step: number): string {
  return `step-${String(step).padStart(6, "0")}`;
}

export interface CheckpointSource {
  readonly step: number;
  readonly paramsSha256: string;
  readonly stateHash?: string;
  readonly files: readonly (NamedBlob & { readonly path: string })[];
  readonly reasons?: readonly string[];
  readonly evalLoss?: number;
  readonly writtenAt?: string;
}

/**
 * Writes a checkpoint so that a crash at any moment leaves either all of it or nothing under its name: files and manifest go into a
 * temporary folder, everything is synced, then the folder is renamed. One of the same step with the same files stays as it is; one
 * with other files, or a damaged one, is put aside first, and a crash leaves the old or the new one to `recoverCheckpoints`.
 *
 * @returns its folder.
 * @throws {CoordinatorError} E_CHECKPOINT_NAME; E_CHECKPOINT_DISK when it could not be written, and then nothing of it is left and
 *   every other checkpoint is as it was.
 */
export async function writeCheckpoint(checkpointsDir: string, source: CheckpointSource): Promise<string> {
  const name = checkpointName(source.step);
  const target = join(checkpointsDir, name);
  const manifest = manifestOf(source);
  const temporary = join(checkpointsDir, `${temporaryPrefix}${name}`);
  try {
    await takeBack(checkpointsDir, name);
    if (await holds(target, manifest)) return target;
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true });
    for (const { name: fileName, path } of source.files) {
      const destination = join(temporary, fileName);
      await copyFile(path, destination);
      await syncPath(destination);
    }
    await writeManifest(temporary, manifest);
    await syncPath(temporary);
    await replace(checkpointsDir, name, temporary);
    return target;
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    await takeBack(checkpointsDir, name).catch(() => {});
    const numBytes = source.files.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const text = `checkpoint: step ${source.step} could not be written to ${checkpointsDir}: ${textOf(cause)}; there must be ${numBytes} bytes free in a folder that can be written. Make room, or make it writable; earlier checkpoints are as they were.`;
    throw diskError(text, { step: source.step, dir: checkpointsDir, numBytes }, cause);
  }
}

/**
 * Mends what a crash left: unfinished and half removed checkpoints go, one that was put aside comes back where nothing took its place,
 * and what had come in of blobs goes. For the start of a run, under its lock.
 *
 * @throws {CoordinatorError} E_CHECKPOINT_DISK when the folder cannot be read or changed.
 */
export async function recoverCheckpoints(checkpointsDir: string): Promise<void> {
  try {
    if (!(await isThere(checkpointsDir))) return;
    const names = await readdir(checkpointsDir);
    for (const name of names)
      if (name.startsWith(asidePrefix)) await takeBack(checkpointsDir, name.slice(asidePrefix.length));
    for (const name of names) {
      if (name === ".incoming" || name.startsWith(temporaryPrefix))
        await rm(join(checkpointsDir, name), { recursive: true, force: true });
    }
  } catch (cause) {
    const text = `checkpoint: what a crash left in ${checkpointsDir} could not be mended: ${textOf(cause)}; a run needs a folder that can be read and written. Make it writable.`;
    throw diskError(text, { dir: checkpointsDir }, cause);
  }
}

function diskError(text: string, fields: Readonly<Record<string, unknown>>, cause: unknown): CoordinatorError {
  return new CoordinatorError("E_CHECKPOINT_DISK", text, fields, { cause });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function manifestOf(source: CheckpointSource): CheckpointManifest {
  const { step, paramsSha256, stateHash, files, reasons = [], evalLoss, writtenAt } = source;
  return {
    schema: 1,
    step,
    paramsSha256,
    ...(stateHash === undefined ? {} : { stateHash }),
    files: files.map(({ name, sha256, byteLength }) => ({ name: fileNameOf(name), sha256, byteLength })),
    reasons: [...reasons],
    ...(evalLoss === undefined ? {} : { evalLoss }),
    ...(writtenAt === undefined ? {} : { writtenAt }),
  };
}

/** Of the manifest's JSON in its own order of fields, without spaces. */
function manifestSha256Of(manifest: object): string {
  return createHash("sha256").update(JSON.stringify(manifest)).digest("hex");
}

/** @throws {SyntaxError | z.ZodError | Error} Manifests of before this check have no sha256 of their own. */
function parseManifest(text: string): CheckpointManifest {
  const { manifestSha256, ...rest } = JSON.parse(text) as Readonly<Record<string, unknown>>;
  const manifest = manifestSchema.parse(rest);
  const found = manifestSha256Of(rest);
  if (manifestSha256 !== undefined && manifestSha256 !== found)
    throw new Error(`its sha256 is ${found}, and it names ${String(manifestSha256)}`);
  return manifest;
}

async function writeManifest(dir: string, manifest: CheckpointManifest): Promise<void> {
  const file = await open(join(dir, "manifest.json"), "w");
  try {
    const whole = { ...manifest, manifestSha256: manifestSha256Of(manifest) };
    await file.writeFile(`${JSON.stringify(whole, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Whether a folder is a whole checkpoint with these files. */
async function holds(dir: string, { files }: CheckpointManifest): Promise<boolean> {
  if (!(await isThere(dir))) return false;
  const found = await verifyCheckpoint(dir).catch(() => undefined);
  return found !== undefined && JSON.stringify(found.files) === JSON.stringify(files);
}

/** Between the two renames the old checkpoint has another name, under which `takeBack` finds it. */
async function replace(checkpointsDir: string, name: string, temporary: string): Promise<void> {
  const target = join(checkpointsDir, name);
  const aside = join(checkpointsDir, `${asidePrefix}${name}`);
  const isReplaced = await isThere(target);
  if (isReplaced) await rename(target, aside);
  await rename(temporary, target);
  await syncPath(checkpointsDir);
  if (isReplaced) await rm(aside, { recursive: true, force: true });
}

async function takeBack(checkpointsDir: string, name: string): Promise<void> {
  const target = join(checkpointsDir, name);
  const aside = join(checkpointsDir, `${asidePrefix}${name}`);
  if (!(await isThere(aside))) return;
  if (await isThere(target)) await rm(aside, { recursive: true, force: true });
  else await rename(aside, target);
  await syncPath(checkpointsDir);
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/**
 * Reads a checkpoint's manifest and checks every file against it.
 *
 * @throws {CoordinatorError} E_CHECKPOINT when a file is missing, has another length or another sha256.
 */
export async function verifyCheckpoint(dir: string): Promise<CheckpointManifest> {
  const path = join(dir, "manifest.json");
  const advice = "Resume from another checkpoint.";
  let manifest: CheckpointManifest;
  try {
    manifest = parseManifest(await readFile(path, "utf8"));
  } catch (cause) {
    const text = `checkpoint: ${path} cannot be read as a manifest of schema 1 (${textOf(cause)}); it must be there and whole. ${advice}`;
    throw new CoordinatorError("E_CHECKPOINT", text, { path }, { cause });
  }
  for (const { name, sha256, byteLength } of manifest.files) {
    const file = join(dir, fileNameOf(name));
    const found = await stat(file).catch(() => undefined);
    if (found?.size !== byteLength) {
      const text = `checkpoint: ${file} has ${found?.size ?? "no"} bytes; the manifest says ${byteLength}. ${advice}`;
      throw new CoordinatorError("E_CHECKPOINT", text, { file, expected: byteLength, found: found?.size });
    }
    const digest = await sha256OfFile(file);
    if (digest !== sha256) {
      const text = `checkpoint: ${file} has sha256 ${digest}; the manifest says ${sha256}, so its bytes have changed. ${advice}`;
      throw new CoordinatorError("E_CHECKPOINT", text, { file, expected: sha256, found: digest });
    }
  }
  return manifest;
}

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

/** @throws {CoordinatorError} E_CHECKPOINT_NAME for a name that is more than a file's name. */
function fileNameOf(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name) && basename(name) === name && name !== "manifest.json")
    return name;
  const text = `checkpoint: a file is called "${name}"; it must be a plain file name, and not manifest.json.`;
  throw new CoordinatorError("E_CHECKPOINT_NAME", text, { name });
}

async function syncPath(path: string): Promise<void> {
  const isDirectory = (await stat(path)).isDirectory();
  try {
    const file = await open(path, "r");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    // Windows cannot sync a directory; its rename is durable without.
    const code = (error as { readonly code?: string }).code ?? "";
    if (!isDirectory || !["EPERM", "EISDIR", "EACCES"].includes(code)) throw error;
  }
}
