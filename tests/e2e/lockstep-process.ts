/** @file Real `lockstep` processes for tests: started, watched, and gone when the test ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const bin = join(root, "apps", "cli", "bin", "lockstep.js");

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface LockstepProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves with the first match in stdout or stderr; rejects when the process ends without one. */
  sees(pattern: RegExp): Promise<RegExpExecArray>;
}

export interface ProcessOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly bin?: string;
  readonly nodeArgs?: readonly string[];
  readonly limitMs?: number;
}

const running = new Set<ChildProcess>();
const folders: string[] = [];

/** For `afterEach`: ends what is left and removes the folders. */
export async function cleanUp(): Promise<void> {
  for (const child of running) child.kill("SIGKILL");
  await Promise.all([...running].map((child) => new Promise((resolve) => child.once("close", resolve))));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "lockstep-e2e-"));
  folders.push(folder);
  return folder;
}

export function startLockstep(args: readonly string[], options: ProcessOptions = {}): LockstepProcess {
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), options.bin ?? bin, ...args], {
    cwd: options.cwd ?? root,
    env: options.env ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const output = { stdout: "", stderr: "" };
  const watchers = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name]!.setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
      for (const watcher of watchers) watcher();
    });
  }
  const limit = setTimeout(() => child.kill("SIGKILL"), options.limitMs ?? 90_000);
  const ended = new Promise<Ended>((resolve) => {
    child.once("close", (status) => {
      clearTimeout(limit);
      running.delete(child);
      resolve({ status, ...output });
    });
  });
  const sees = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const found = pattern.exec(output.stdout) ?? pattern.exec(output.stderr);
        if (!found) return;
        watchers.delete(look);
        resolve(found);
      };
      watchers.add(look);
      look();
      void ended.then(({ status, stdout, stderr }) =>
        reject(new Error(`ended with ${status} before it wrote ${pattern}:\n${stdout}\n${stderr}`)),
      );
    });
  return { child, ended, sees };
}

export function runLockstep(args: readonly string[], options: ProcessOptions = {}): Promise<Ended> {
  return startLockstep(args, options).ended;
}

/** Runs a TypeScript file as a script. */
export function runScript(path: string, args: readonly string[]): Promise<Ended> {
  return startLockstep(args, { bin: path, nodeArgs: ["--import", "tsx"] }).ended;
}

export interface Summary {
  readonly numericClasses: readonly string[];
  readonly status: string;
  readonly steps: number;
  readonly worldSize: number;
  readonly paramsSha256: string;
  readonly trainLoss: number;
  readonly evalLoss: number;
  readonly bytesSentPerWorkerPerStep: number;
  readonly error?: { readonly code: string; readonly message: string };
}

export function readSummary(runDir: string): Summary {
  return JSON.parse(readFileSync(join(runDir, "summary.json"), "utf8")) as Summary;
}

export function readLines(runDir: string, name: string): Record<string, unknown>[] {
  return readFileSync(join(runDir, name), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
