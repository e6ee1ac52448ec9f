/**
 * @file Checkpoints on disk: checkpoints/step-NNNNNN with a manifest, complete or not there at all. Opaque files by name and sha256.
 *
 * Names that begin with a point are nobody's checkpoint: `.tmp-` is being written, `.old-` gives way to a new one of its step,
 * `.removed-` is being deleted, `.incoming` holds blobs of a run. After `recoverCheckpoints` none of them is left.
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
  files: z.array(z.object({ name: z.string(), sha256: z.string(), byteLength: z.int().min(0) })),
  /** Why it was written: by steps, by time, as the best one, at the end. */
  reasons: z.array(z.string()).optional(),
  /** Of the state that it holds. */
  evalLoss: z.number().optional(),
});

const oldPrefix = ".old-";
/** Of checkpoints that are being deleted. */
export const removedPrefix = ".removed-";

export type CheckpointManifest = z.infer<typeof manifestSchema>;

/** `step-000120`. */
export function checkpointName(step: number): string {
  return `step-${String(step).padStart(6, "0")}`;
}

export interface CheckpointSource {
  readonly step: number;
  readonly paramsSha256: string;
  readonly files: readonly (NamedBlob & { readonly path: string })[];
  readonly reasons?: readonly string[];
  readonly evalLoss?: number;
}

/**
 * Writes a checkpoint so that a crash at any moment leaves either all of it or nothing under its name: files and manifest go into a
 * temporary folder, everything is synced, then the folder is renamed. One of the same step with the same files stays as it is; one
 * with other files, or a damaged one, gives way, and a crash leaves the old or the new one to `recoverCheckpoints`.
 *
 * @returns its folder.
 * @throws {CoordinatorError} E_CHECKPOINT_NAME; E_CHECKPOINT_DISK when it could not be written, and then nothing of it is left and
 *   every other checkpoint is as it was.
 */
export async function writeCheckpoint(checkpointsDir: string, source: CheckpointSource): Promise<string> {
  const name = checkpointName(source.step);
  const target = join(checkpointsDir, name);
  const manifest = manifestOf(source);
  const temporary = join(checkpointsDir, `.tmp-${name}`);
  try {
    await restoreOld(checkpointsDir, name);
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
    await restoreOld(checkpointsDir, name).catch(() => {});
    const numBytes = source.files.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const text = `checkpoint: step ${source.step} could not be written to ${checkpointsDir}: ${cause instanceof Error ? cause.message : String(cause)}; there must be ${numBytes} bytes free in a folder that can be written. Make room, or make it writable; earlier checkpoints are as they were.`;
    throw new CoordinatorError(
      "E_CHECKPOINT_DISK",
      text,
      { step: source.step, dir: checkpointsDir, numBytes },
      { cause },
    );
  }
}

/**
 * Puts in order what a crash left: a checkpoint that was giving way comes back if its successor is not there, unfinished and half
 * removed ones go, and so does what had come in of blobs. For the start of a run, under its lock.
 */
export async function recoverCheckpoints(checkpointsDir: string): Promise<void> {
  const names = await readdir(checkpointsDir).catch(() => []);
  for (const name of names)
    if (name.startsWith(oldPrefix)) await restoreOld(checkpointsDir, name.slice(oldPrefix.length));
  for (const name of names) {
    if (name === ".incoming" || name.startsWith(".tmp-") || name.startsWith(removedPrefix))
      await rm(join(checkpointsDir, name), { recursive: true, force: true });
  }
}

function manifestOf({ step, paramsSha256, files, reasons, evalLoss }: CheckpointSource): CheckpointManifest {
  return {
    schema: 1,
    step,
    paramsSha256,
    files: files.map(({ name, sha256, byteLength }) => ({ name: fileNameOf(name), sha256, byteLength })),
    ...(reasons === undefined ? {} : { reasons: [...reasons] }),
    ...(evalLoss === undefined ? {} : { evalLoss }),
  };
}

async function writeManifest(dir: string, manifest: CheckpointManifest): Promise<void> {
  const file = await open(join(dir, "manifest.json"), "w");
  try {
    await file.writeFile(`${JSON.stringify(manifest, null, 2)}\n`);
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

/** Between its two renames the old checkpoint has another name, under which `restoreOld` finds it. */
async function replace(checkpointsDir: string, name: string, temporary: string): Promise<void> {
  const target = join(checkpointsDir, name);
  const old = join(checkpointsDir, `${oldPrefix}${name}`);
  const hasOld = await isThere(target);
  if (hasOld) await rename(target, old);
  await rename(temporary, target);
  await syncPath(checkpointsDir);
  if (hasOld) await rm(old, { recursive: true, force: true });
}

async function restoreOld(checkpointsDir: string, name: string): Promise<void> {
  const target = join(checkpointsDir, name);
  const old = join(checkpointsDir, `${oldPrefix}${name}`);
  if (!(await isThere(old))) return;
  if (await isThere(target)) await rm(old, { recursive: true, force: true });
  else await rename(old, target);
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
    manifest = manifestSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    const text = `checkpoint: ${path} cannot be read as a manifest of schema 1 (${cause instanceof Error ? cause.message : String(cause)}); it must be there and whole. ${advice}`;
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
