/** @file Reads what makes a run whole: `job.mjs`, `config.json`, `files/<sha256>`, and its checkpoints. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { TrainingError } from "../errors.js";
import type { FileOnDisk } from "./engine-spec.js";

const runConfigSchema = z.object({
  schema: z.literal(1),
  name: z.string(),
  seed: z.int().min(0),
  numeric: z.enum(["strict", "fused"]),
  config: z.record(z.string(), z.unknown()),
  files: z.array(z.object({ name: z.string(), path: z.string(), sha256: z.string() })),
});

const manifestSchema = z.object({
  files: z.array(z.object({ name: z.string(), sha256: z.string() })),
});

export interface RunDirectory {
  readonly name: string;
  readonly seed: number;
  readonly numeric: "strict" | "fused";
  readonly config: Readonly<Record<string, unknown>>;
  readonly bundle: string;
  readonly files: readonly FileOnDisk[];
}

/** @throws {TrainingError} E_RUN_DIRECTORY when a part is missing or is not what a run writes. */
export function readRunDirectory(runDir: string): RunDirectory {
  const text = readPart(runDir, "config.json");
  const parsed = runConfigSchema.safeParse(parseJson(text));
  if (!parsed.success) {
    refuse(runDir, `its config.json is not one that a run writes: ${parsed.error.issues[0]?.message ?? "unknown"}`);
  }
  const { name, seed, numeric, config, files } = parsed.data!;
  const onDisk = files.map((file) => ({ ...file, diskPath: join(runDir, "files", file.sha256) }));
  for (const file of onDisk) {
    if (!existsSync(file.diskPath)) refuse(runDir, `file "${file.name}" (files/${file.sha256}) is not there`);
  }
  return { name, seed, numeric, config, bundle: readPart(runDir, "job.mjs"), files: onDisk };
}

export interface CheckpointFiles {
  readonly step: number;
  readonly dir: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/**
 * Files of a checkpoint, each with the sha256 of its manifest: of the named one, else the last of the run.
 *
 * @throws {TrainingError} E_RUN_DIRECTORY when there is none, E_CHECKPOINT when a file is missing or its bytes are not the manifest's.
 */
export function readCheckpointFiles(runDir: string, checkpoint?: string): CheckpointFiles {
  const dir = checkpoint ?? findLastCheckpoint(runDir);
  if (dir === undefined) refuse(runDir, "it has no checkpoint");
  const manifest = manifestSchema.safeParse(parseJson(readPart(dir!, "manifest.json")));
  if (!manifest.success) refuseCheckpoint(`${dir} has a manifest.json that no run writes`, { dir });
  const files = new Map<string, Uint8Array>();
  for (const { name, sha256 } of manifest.data!.files) {
    const file = join(dir!, name);
    if (!existsSync(file)) refuseCheckpoint(`${file} is not there`, { file });
    const bytes = new Uint8Array(readFileSync(file));
    const found = createHash("sha256").update(bytes).digest("hex");
    if (found !== sha256) refuseCheckpoint(`${file} has sha256 ${found}`, { file, found, expected: sha256 });
    files.set(name, bytes);
  }
  const step = Number(/step-(\d+)/.exec(dir!)?.[1] ?? Number.NaN);
  return { step, dir: dir!, files };
}

function findLastCheckpoint(runDir: string): string | undefined {
  const folder = join(runDir, "checkpoints");
  const found = (existsSync(folder) ? readdirSync(folder) : [])
    .map((name) => ({ name, step: Number(/^step-(\d+)$/.exec(name)?.[1] ?? Number.NaN) }))
    .filter(({ name, step }) => Number.isFinite(step) && existsSync(join(folder, name, "manifest.json")))
    .sort((a, b) => b.step - a.step)[0];
  return found === undefined ? undefined : join(folder, found.name);
}

function readPart(dir: string, name: string): string {
  const path = join(dir, name);
  if (!existsSync(path)) refuse(dir, `it has no ${name}`);
  return readFileSync(path, "utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refuse(dir: string, what: string): never {
  throw new TrainingError(
    `run: ${dir}: ${what}; it must be a folder that \`lockstep run\` made. Check the path.`,
    { dir },
    "E_RUN_DIRECTORY",
  );
}

function refuseCheckpoint(what: string, fields: Readonly<Record<string, unknown>>): never {
  throw new TrainingError(
    `checkpoint: ${what}; every file must be as its manifest says. It was changed after it was written: use another checkpoint.`,
    fields,
    "E_CHECKPOINT",
  );
}
