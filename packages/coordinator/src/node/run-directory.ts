/**
 * @file The run directory while a run goes on: the lock, metrics.jsonl, events.jsonl, summary.json.
 *
 * Not here: job.mjs, config.json and files/, which the command writes before. Invariant: in both jsonl files a step has one line of
 * each kind; a resumed run moves what came after its checkpoint to `*.superseded`.
 */
import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { RunSummary } from "../state/run-summary.js";
import { CoordinatorError } from "./coordinator-error.js";

const lineFiles = ["metrics.jsonl", "events.jsonl"] as const;

export interface RunDirectoryOptions {
  readonly dir: string;
  /** Lines after this step are superseded; undefined for a new run. */
  readonly resumeStep: number | undefined;
  readonly processId: number;
  /** Whether the process that holds a lock still lives on this machine. */
  readonly isAlive: (processId: number) => boolean;
}

export class RunDirectory {
  readonly dir: string;
  readonly checkpointsDir: string;
  readonly #files = new Map<string, number>();
  readonly #lockPath: string;

  /** @throws {CoordinatorError} E_RUN_IN_USE when another process holds the directory. */
  constructor({ dir, resumeStep, processId, isAlive }: RunDirectoryOptions) {
    this.dir = dir;
    this.checkpointsDir = join(dir, "checkpoints");
    this.#lockPath = join(dir, "lock");
    mkdirSync(this.checkpointsDir, { recursive: true });
    takeLock(this.#lockPath, { dir, processId, isAlive });
    if (resumeStep !== undefined) {
      for (const name of lineFiles) supersedeLines(join(dir, name), resumeStep);
      supersedeCheckpoints(this.checkpointsDir, resumeStep);
      rmSync(join(dir, "summary.json"), { force: true });
    }
    for (const name of lineFiles) this.#files.set(name, openSync(join(dir, name), "a"));
  }

  append(name: (typeof lineFiles)[number], line: object): void {
    const file = this.#files.get(name);
    if (file !== undefined) writeSync(file, `${JSON.stringify(line)}\n`);
  }

  writeSummary(summary: RunSummary): void {
    const path = join(this.dir, "summary.json");
    const temporary = `${path}.tmp`;
    const file = openSync(temporary, "w");
    writeSync(file, `${JSON.stringify(summary, null, 2)}\n`);
    fsyncSync(file);
    closeSync(file);
    renameSync(temporary, path);
  }

  /** Closes the files and gives the lock back. */
  dispose(): void {
    for (const file of this.#files.values()) closeSync(file);
    this.#files.clear();
    rmSync(this.#lockPath, { force: true });
  }
}

function takeLock(
  path: string,
  own: { readonly dir: string; readonly processId: number; readonly isAlive: (processId: number) => boolean },
): void {
  for (let attempt = 0; ; attempt++) {
    try {
      createWhole(path, `${own.processId}\n`);
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== "EEXIST") throw error;
    }
    const holder = Number(readFileSync(path, "utf8"));
    if (attempt > 0 || (Number.isInteger(holder) && holder > 0 && own.isAlive(holder))) {
      const text = `run directory: ${own.dir} is in use by process ${holder}; a run needs a directory of its own. Name another one with --out, or wait for that run to end.`;
      throw new CoordinatorError("E_RUN_IN_USE", text, { dir: own.dir, processId: holder });
    }
    rmSync(path, { force: true });
  }
}

/** A file that nobody sees before its text is in it. @throws EEXIST when it is there already. */
function createWhole(path: string, text: string): void {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, text);
  try {
    linkSync(temporary, path);
  } catch (error) {
    // Some file systems have no links; there the file is made where it belongs.
    if ((error as { code?: string }).code === "EEXIST") throw error;
    writeFileSync(path, text, { flag: "wx" });
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Moves lines of later steps, and lines that a crash cut short, to `*.superseded`. */
export function supersedeLines(path: string, resumeStep: number): void {
  if (!existsSync(path)) return;
  const kept: string[] = [];
  const moved: string[] = [];
  for (const line of readFileSync(path, "utf8").split("\n")) {
    if (line === "") continue;
    const step = stepOf(line);
    (step !== undefined && step <= resumeStep ? kept : moved).push(line);
  }
  if (moved.length === 0) return;
  appendFileSync(`${path}.superseded`, `${moved.join("\n")}\n`);
  const temporary = `${path}.tmp`;
  writeFileSync(temporary, kept.map((line) => `${line}\n`).join(""));
  renameSync(temporary, path);
}

function stepOf(line: string): number | undefined {
  try {
    const { step } = JSON.parse(line) as { step?: unknown };
    return typeof step === "number" ? step : undefined;
  } catch {
    return undefined;
  }
}

function supersedeCheckpoints(checkpointsDir: string, resumeStep: number): void {
  for (const name of readdirSync(checkpointsDir)) {
    const match = /^step-(\d+)$/.exec(name);
    if (match === null || Number(match[1]) <= resumeStep) continue;
    const target = join(checkpointsDir, `${name}.superseded`);
    rmSync(target, { recursive: true, force: true });
    renameSync(join(checkpointsDir, name), target);
  }
}
