/**
 * @file Checkpoints on disk: checkpoints/step-NNNNNN with a manifest, complete or not there at all. Opaque files by name and sha256.
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
  /** Why it was written: steps, time, best, last. */
  reasons: z.array(z.string()).default([]),
  /** Held-out loss of its state, where it was written for that. */
  evalLoss: z.number().optional(),
});

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
 * temporary folder, everything is synced, then the folder is renamed. One of the same step and the same bytes stays as it is; another
 * one is put aside first, and `recoverCheckpoints` puts it back if the new one never took its place.
 */
export async function writeCheckpoint(checkpointsDir: string, source: CheckpointSource): Promise<string> {
  const target = join(checkpointsDir, checkpointName(source.step));
  const temporary = join(checkpointsDir, `.tmp-${checkpointName(source.step)}`);
  if (await isThere(target, source)) return target;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  for (const { name, path } of source.files) {
    const destination = join(temporary, fileNameOf(name));
    await copyFile(path, destination);
    await syncPath(destination);
  }
  const manifest: CheckpointManifest = {
    schema: 1,
    step: source.step,
    paramsSha256: source.paramsSha256,
    files: source.files.map(({ name, sha256, byteLength }) => ({ name, sha256, byteLength })),
    reasons: [...(source.reasons ?? [])],
    ...(source.evalLoss === undefined ? {} : { evalLoss: source.evalLoss }),
  };
  const file = await open(join(temporary, "manifest.json"), "w");
  await file.writeFile(`${JSON.stringify(manifest, null, 2)}\n`);
  await file.sync();
  await file.close();
  await syncPath(temporary);
  const aside = join(checkpointsDir, `.aside-${checkpointName(source.step)}`);
  await rm(aside, { recursive: true, force: true });
  await rename(target, aside).catch(ignoreMissing);
  await rename(temporary, target);
  await syncPath(checkpointsDir);
  await rm(aside, { recursive: true, force: true });
  return target;
}

async function isThere(target: string, source: CheckpointSource): Promise<boolean> {
  const manifest = await verifyCheckpoint(target).catch(() => undefined);
  return (
    manifest?.paramsSha256 === source.paramsSha256 &&
    manifest.files.length === source.files.length &&
    manifest.files.every((file, i) => file.sha256 === source.files[i]!.sha256 && file.name === source.files[i]!.name)
  );
}

function ignoreMissing(error: { readonly code?: string }): void {
  if (error.code !== "ENOENT") throw error;
}

/** Mends what a crash left: unfinished checkpoints go, one that was put aside comes back where nothing took its place. */
export async function recoverCheckpoints(checkpointsDir: string): Promise<void> {
  const names = await readdir(checkpointsDir).catch((): string[] => []);
  for (const name of names) {
    const path = join(checkpointsDir, name);
    if (name.startsWith(".tmp-")) await rm(path, { recursive: true, force: true });
    if (!name.startsWith(".aside-")) continue;
    const target = name.slice(".aside-".length);
    if (names.includes(target)) await rm(path, { recursive: true, force: true });
    else await rename(path, join(checkpointsDir, target));
  }
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
