/**
 * @file Run directories: which one a command means, and what stands in it before the coordinator starts.
 *
 * `job.mjs`, `config.json` and `files/<sha256>` make a run whole: resume, generate and evaluate need nothing else.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { UsageError } from "./exit-status.js";
import type { NumericClass } from "./flags/common-flags.js";
import type { PreparedJob } from "./job/prepare-job.js";

export interface RunFile {
  readonly name: string;
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** `config.json` of a run directory. */
export interface RunConfig {
  readonly schema: 1;
  readonly version: string;
  readonly name: string;
  readonly seed: number;
  readonly numeric: NumericClass;
  readonly jobSha256: string;
  /** Of the weights that the run began with, where it was given some. */
  readonly initFromSha256?: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly files: readonly RunFile[];
}

/** The folder of a new run. @throws {UsageError} E_OUT_NOT_EMPTY when `--out` already holds something. */
export function chooseNewRunFolder(out: string | undefined, name: string, cwd: string, now: Date): string {
  if (out === undefined) return freshFolder(join(cwd, "runs"), `${name}-${timeStamp(now)}`);
  const folder = resolve(cwd, out);
  if (existsSync(folder) && (!statSync(folder).isDirectory() || readdirSync(folder).length > 0)) {
    throw new UsageError(
      `--out: ${out} is not empty; a new run needs a folder of its own. Name another one, or go on with this run: --resume.`,
      { out },
      "E_OUT_NOT_EMPTY",
    );
  }
  return folder;
}

/** The folder to resume: DIR, else --out, else the newest run under runs/. @throws {UsageError} when there is none. */
export function chooseResumeFolder(resume: string | true, out: string | undefined, cwd: string): string {
  const named = resume === true ? out : resume;
  const folder = named === undefined ? newestRun(join(cwd, "runs")) : resolve(cwd, named);
  if (folder !== undefined && existsSync(join(folder, "config.json"))) return folder;
  const what = named === undefined ? "there is no run under runs/" : `${named} holds no run`;
  throw new UsageError(
    `--resume: ${what}; it must name a folder that an earlier run made. Check the path.`,
    { named },
    "E_USAGE_RESUME",
  );
}

/** Latest checkpoint of a run: its folder and step. */
export function findLastCheckpoint(runDir: string): { readonly dir: string; readonly step: number } | undefined {
  const folder = join(runDir, "checkpoints");
  const steps = (existsSync(folder) ? readdirSync(folder) : [])
    .map((name) => /^step-(\d+)$/.exec(name))
    .filter((match) => match !== null)
    .map((match) => ({ dir: join(folder, match[0]), step: Number(match[1]) }))
    .filter(({ dir }) => existsSync(join(dir, "manifest.json")))
    .sort((a, b) => b.step - a.step);
  return steps[0];
}

/** Writes what makes a run whole. */
export function writeRunDirectory(
  runDir: string,
  job: PreparedJob,
  run: { version: string; seed: number; numeric: NumericClass; initFromSha256?: string | undefined },
): RunConfig {
  mkdirSync(join(runDir, "files"), { recursive: true });
  const config: RunConfig = {
    schema: 1,
    version: run.version,
    name: job.name,
    seed: run.seed,
    numeric: run.numeric,
    jobSha256: job.bundleSha256,
    ...(run.initFromSha256 === undefined ? {} : { initFromSha256: run.initFromSha256 }),
    config: job.config,
    files: job.files.map(({ name, path, sha256, bytes }) => ({ name, path, sha256, bytes })),
  };
  writeFileSync(join(runDir, "job.mjs"), job.bundle);
  for (const { sourcePath, sha256 } of job.files) copyFileSync(sourcePath, join(runDir, "files", sha256));
  writeFileSync(join(runDir, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
  return config;
}

/** @throws {UsageError} E_USAGE_RUN when the folder holds no run that this version can read. */
export function readRunConfig(runDir: string): RunConfig {
  const path = join(runDir, "config.json");
  if (!existsSync(path)) {
    throw new UsageError(
      `run: ${relative(process.cwd(), runDir) || "."} holds no config.json; RUN must be a folder that \`lockstep run\` or \`lockstep coordinator\` made. Check the path.`,
      { runDir },
      "E_USAGE_RUN",
    );
  }
  const config = parsedConfig(path);
  if (config.schema !== 1) {
    throw new UsageError(
      `run: ${path} has schema ${String(config.schema)}; this version reads schema 1. Use the version that made it: ${config.version}.`,
      { path, schema: config.schema },
      "E_USAGE_RUN",
    );
  }
  return config;
}

function parsedConfig(path: string): RunConfig {
  let config: unknown;
  try {
    config = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw brokenConfig(path, `cannot be read (${what})`);
  }
  if (typeof config !== "object" || config === null) throw brokenConfig(path, `is ${JSON.stringify(config)}`);
  return config as RunConfig;
}

function brokenConfig(path: string, what: string): UsageError {
  const text = `run: ${relative(process.cwd(), path)} ${what}; it must be the JSON object that the run wrote. Take it from a backup: without it the run cannot be used.`;
  return new UsageError(text, { path }, "E_USAGE_RUN");
}

function newestRun(folder: string): string | undefined {
  const runs = (existsSync(folder) ? readdirSync(folder) : [])
    .map((name) => join(folder, name))
    .filter((path) => existsSync(join(path, "config.json")))
    .map((path) => ({ path, mtimeMs: statSync(join(path, "config.json")).mtimeMs }))
    .sort((a, b) => b.mtimeMs - a.mtimeMs);
  return runs[0]?.path;
}

function freshFolder(parent: string, name: string): string {
  let folder = join(parent, name);
  for (let attempt = 2; existsSync(folder); attempt++) folder = join(parent, `${name}-${attempt}`);
  return folder;
}

/** 2026-11-24-140501, local time. */
function timeStamp(now: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join("-");
  return `${day}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}

/** RUN may be a run directory, which means its last checkpoint, or one of its checkpoints. */
export function chooseRun(
  absolute: string,
  shown: string,
): { readonly runDir: string; readonly checkpoint: { readonly dir: string; readonly step: number } } {
  const own = /[\\/]checkpoints[\\/]step-(\d+)$/.exec(absolute);
  const runDir = own ? resolve(absolute, "../..") : absolute;
  readRunConfig(runDir);
  const checkpoint = own ? { dir: absolute, step: Number(own[1]) } : findLastCheckpoint(runDir);
  if (checkpoint) return { runDir, checkpoint };
  throw new UsageError(
    `run: ${shown} holds no complete checkpoint, so nothing was trained yet; it must have one. Let it run to a checkpoint, or resume it.`,
    { runDir },
    "E_USAGE_RUN",
  );
}
