/**
 * @file The exclusive lock of a run directory: a file that names its holder. A lock whose holder died is taken over, by exactly one.
 *
 * Who takes over a dead holder's lock must hold the lock `<path>.<token of the dead lock>` while it looks again and puts its own file
 * in its place; that second lock is one of the same kind, so a taker may die too. Invariant: a lock file is only ever replaced by the
 * holder of the second lock, and only removed by its own holder.
 */
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import * as z from "zod";
import { CoordinatorError } from "./coordinator-error.js";

const holderSchema = z.object({
  processId: z.int().min(1),
  /** Start of the process in ticks since the machine's start, as Linux tells it; null elsewhere. */
  processStart: z.string().nullable(),
  /** Differs after each start of the machine; null where the system does not say. */
  bootId: z.string().nullable(),
  hostname: z.string(),
  token: z.string(),
});

type Holder = z.infer<typeof holderSchema>;

/** A file without a holder is being written, for this long at most; after that a power cut emptied it. */
const unreadableMs = 500;
const pauseMs = 5;
const maxAttempts = 1_000;

export interface RunLockOptions {
  /** Of the lock file. */
  readonly path: string;
  /** For messages. */
  readonly dir: string;
  readonly processId: number;
  /** Whether a process lives on this machine. */
  readonly isAlive: (processId: number) => boolean;
}

export interface RunLock {
  /** Gives the lock back; a second call does nothing. */
  dispose(): void;
}

/** @throws {CoordinatorError} E_RUN_IN_USE when another process holds it, or may hold it on another machine. */
export function takeRunLock(options: RunLockOptions): RunLock {
  const { path, processId } = options;
  const own: Holder = {
    processId,
    processStart: findProcess(processId)?.start ?? null,
    bootId: findBootId() ?? null,
    hostname: hostname(),
    token: randomBytes(8).toString("hex"),
  };
  const ownFile = `${path}.${own.token}.own`;
  try {
    writeWhole(ownFile, own);
    take(path, { own, ownFile, options });
  } finally {
    rmSync(ownFile, { force: true });
  }
  return {
    dispose() {
      const found = readHolder(path);
      if (typeof found === "object" && found.token === own.token) rmSync(path, { force: true });
    },
  };
}

interface Taking {
  readonly own: Holder;
  readonly ownFile: string;
  readonly options: RunLockOptions;
}

function take(path: string, taking: Taking): void {
  const { own, ownFile, options } = taking;
  let unreadableForMs = 0;
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    if (createLinked(ownFile, path, own)) return;
    const found = readHolder(path);
    if (found === "gone") continue;
    if (found === "unreadable" && unreadableForMs < unreadableMs) {
      pause(pauseMs);
      unreadableForMs += pauseMs;
      continue;
    }
    if (typeof found === "object" && isHeld(found, options.isAlive)) throw inUse(options, found);
    if (replaceDead(path, found, taking)) return;
  }
  throw inUse(options, undefined);
}

/** @returns false when somebody else has replaced it meanwhile. */
function replaceDead(path: string, dead: Holder | "unreadable", taking: Taking): boolean {
  const guard = `${path}.${tokenOf(dead)}`;
  take(guard, taking);
  try {
    const now = readHolder(path);
    if (now === "gone" || tokenOf(now) !== tokenOf(dead)) return false;
    const replacement = `${taking.ownFile}.2`;
    writeWhole(replacement, taking.own);
    renameSync(replacement, path);
    return true;
  } finally {
    rmSync(guard, { force: true });
  }
}

function tokenOf(holder: Holder | "unreadable"): string {
  return holder === "unreadable" ? holder : holder.token;
}

function inUse({ dir, path }: RunLockOptions, holder: Holder | undefined): CoordinatorError {
  const who = holder === undefined ? "another process" : `process ${holder.processId}`;
  const isElsewhere = holder !== undefined && holder.hostname !== hostname();
  const where = isElsewhere ? ` on machine "${holder.hostname}"` : "";
  const advice = isElsewhere ? ` If that machine is gone, remove ${path}.` : "";
  const text = `run directory: ${dir} is in use by ${who}${where}; a run needs a directory of its own. Name another one with --out, or wait for that run to end.${advice}`;
  return new CoordinatorError("E_RUN_IN_USE", text, { dir, processId: holder?.processId, hostname: holder?.hostname });
}

/** A number that a new process has now, or a process that nobody waited for, is no holder. */
function isHeld(holder: Holder, isAlive: (processId: number) => boolean): boolean {
  if (holder.hostname !== hostname()) return true;
  const bootId = findBootId();
  if (holder.bootId !== null && bootId !== undefined && holder.bootId !== bootId) return false;
  if (!isAlive(holder.processId)) return false;
  const found = findProcess(holder.processId);
  if (found === undefined) return true;
  return found.state !== "Z" && (holder.processStart === null || holder.processStart === found.start);
}

function readHolder(path: string): Holder | "gone" | "unreadable" {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return "gone";
    throw error;
  }
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    return "unreadable";
  }
}

/** Under its name with all its text, or not at all. @returns false when the name is taken. */
function createLinked(ownFile: string, path: string, own: Holder): boolean {
  try {
    linkSync(ownFile, path);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "EEXIST") return false;
  }
  // Some file systems have no links; there the file is made where it belongs, and is unreadable for a moment.
  try {
    writeWhole(path, own, "wx");
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "EEXIST") return false;
    throw error;
  }
}

function writeWhole(path: string, holder: Holder, flags = "w"): void {
  const file = openSync(path, flags);
  try {
    writeSync(file, `${JSON.stringify(holder)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** State and start of a process where the system tells them (Linux: fields 3 and 22 of stat, counted behind the name). */
function findProcess(processId: number): { readonly state: string; readonly start: string } | undefined {
  const text = readOrUndefined(`/proc/${processId}/stat`);
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, start] = [fields?.[0], fields?.[19]];
  return state === undefined || start === undefined ? undefined : { state, start };
}

function findBootId(): string | undefined {
  return readOrUndefined("/proc/sys/kernel/random/boot_id")?.trim();
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
