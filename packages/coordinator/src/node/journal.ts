/**
 * @file journal.jsonl of a run directory: what a coordinator must know again after it was killed. Append-only.
 *
 * Invariant: the file is whole lines, and at most one piece of a line at its end, which the next `open` cuts off. Starts, members,
 * checkpoints, bans and the end are on the disk when `append` returns; commits are not, because the workers know them too.
 * Not here: the lock of the directory, which must be held by whoever opens a journal.
 */
import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { CoordinatorError } from "./coordinator-error.js";
import { identityOfFile, isSameDirectory } from "./directory-identity.js";
import { foldJournal, type JournalHistory } from "./journal-history.js";
import { type DirectoryIdentity, encodeJournalLine, type JournalRecord, type RunRecord } from "./journal-record.js";

export type { JournalHistory } from "./journal-history.js";

const syncedKinds: ReadonlySet<JournalRecord["kind"]> = new Set([
  "run",
  "membership",
  "checkpoint",
  "ban",
  "rewind",
  "end",
]);
/** Records that wait while the disk takes none. */
const maxQueuedRecords = 10_000;

interface QueuedRecord {
  readonly line: Buffer;
  readonly kind: JournalRecord["kind"];
}

export interface OpenedJournal {
  readonly journal: Journal;
  readonly history: JournalHistory;
}

/** `<dir>/journal.jsonl`. */
export function journalPath(dir: string): string {
  return join(dir, "journal.jsonl");
}

/**
 * What a journal says, without a change to it; undefined when the directory has none.
 *
 * @throws {CoordinatorError} E_JOURNAL as `Journal.open`.
 */
export function readJournal(dir: string): JournalHistory | undefined {
  const path = journalPath(dir);
  if (!existsSync(path)) return undefined;
  return atEdge(path, () => {
    const file = openSync(path, "r");
    try {
      return historyOf(file, path).history;
    } finally {
      closeSync(file);
    }
  });
}

export class Journal {
  readonly #path: string;
  #file: number | undefined;
  /** Where the next line begins: a line that was written half is written over. */
  #endBytes: number;
  readonly #identity: DirectoryIdentity;
  #queue: QueuedRecord[] = [];
  #numDropped = 0;
  #needsSync = false;

  private constructor(path: string, file: number, endBytes: number) {
    this.#path = path;
    this.#file = file;
    this.#endBytes = endBytes;
    this.#identity = identityOfFile(file);
  }

  /**
   * Opens the journal of a run directory, or begins one, and cuts off what a crash left at its end (`numTornBytes`).
   *
   * @throws {CoordinatorError} E_JOURNAL when it cannot be opened or written, when a line that is not the end is damaged, or when a
   *   line is of a version that this one does not know.
   */
  static open(dir: string): OpenedJournal {
    const path = journalPath(dir);
    return atEdge(path, () => {
      const isNew = !existsSync(path);
      const file = openSync(path, isNew ? "wx+" : "r+");
      try {
        const { history, wholeBytes } = historyOf(file, path);
        if (history.numTornBytes > 0) ftruncateSync(file, wholeBytes);
        fsyncSync(file);
        if (isNew) syncFolder(dir);
        return { journal: new Journal(path, file, wholeBytes), history };
      } catch (error) {
        closeSync(file);
        throw error;
      }
    });
  }

  /**
   * Begins a term.
   *
   * @throws {CoordinatorError} E_JOURNAL when the disk does not take it: a run whose journal cannot be written must not begin.
   */
  begin(record: Omit<RunRecord, "kind" | "directory">): void {
    const problem = this.append({ kind: "run", ...record, directory: this.#identity });
    if (problem !== undefined) throw new CoordinatorError("E_JOURNAL", `journal: ${problem}`, { path: this.#path });
  }

  /**
   * Adds a record. When the disk does not take it the record waits, at most 10,000 of them, and the next call tries again; beyond that
   * the oldest commits are dropped first. Never throws.
   *
   * @returns why records wait, or undefined when all are written. The text stays the same for a while, so that it can be told once.
   */
  append(record: JournalRecord): string | undefined {
    if (this.#file === undefined) return `${this.#path} is closed; a ${record.kind} record came too late.`;
    this.#queue.push({ line: encodeJournalLine(record), kind: record.kind });
    if (this.#queue.length > maxQueuedRecords) this.#dropOne();
    return this.#flush(this.#file);
  }

  /** Writes and syncs what it can, and closes. @returns what could not be written. */
  dispose(): string | undefined {
    const file = this.#file;
    if (file === undefined) return undefined;
    this.#needsSync = true;
    const error = this.#flush(file);
    this.#file = undefined;
    closeSync(file);
    return error;
  }

  #flush(file: number): string | undefined {
    try {
      for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
        writeAll(file, next.line, this.#endBytes);
        this.#endBytes += next.line.length;
        this.#needsSync ||= syncedKinds.has(next.kind);
        this.#queue.shift();
      }
      if (this.#needsSync) fsyncSync(file);
      this.#needsSync = false;
      return undefined;
    } catch (error) {
      cutQuietly(file, this.#endBytes);
      const dropped = this.#numDropped === 0 ? "" : ` ${countOf(this.#numDropped)} dropped.`;
      return `${this.#path} could not be written: ${textOf(error)}; the run goes on, ${countOf(this.#queue.length)} waiting to be tried again.${dropped} Make room, or make the file writable.`;
    }
  }

  #dropOne(): void {
    const commit = this.#queue.findIndex(({ kind }) => !syncedKinds.has(kind));
    this.#queue.splice(Math.max(commit, 0), 1);
    this.#numDropped++;
  }
}

function historyOf(file: number, path: string): { readonly history: JournalHistory; readonly wholeBytes: number } {
  const { wholeBytes, ...folded } = foldJournal(file, path);
  const isCopy = folded.run !== undefined && !isSameDirectory(folded.run.directory, identityOfFile(file));
  return { history: { ...folded, isCopy }, wholeBytes };
}

/** A number that changes seldom, however many steps a full disk lasts. */
function countOf(num: number): string {
  if (num === 1) return "1 record is";
  const floor = 10 ** (String(num).length - 1);
  return floor === 1 ? `${num} records are` : `at least ${floor} records are`;
}

function writeAll(file: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(file, bytes, done, bytes.length - done, position + done);
  }
}

/** A half line does no harm where it is; on a full disk its bytes may be wanted. */
function cutQuietly(file: number, endBytes: number): void {
  try {
    ftruncateSync(file, endBytes);
  } catch {
    // The next line is written over it, and the next open cuts it off.
  }
}

/** So that the new file's name is on the disk too. */
function syncFolder(dir: string): void {
  let folder: number;
  try {
    folder = openSync(dir, "r");
  } catch {
    return; // Windows opens no folder; its names are durable without.
  }
  try {
    fsyncSync(folder);
  } catch {
    // As above.
  } finally {
    closeSync(folder);
  }
}

function atEdge<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    if (cause instanceof CoordinatorError) throw cause;
    const text = `journal: ${path} cannot be opened: ${textOf(cause)}; it must be a file that can be read and written. Make room, or make it writable.`;
    throw new CoordinatorError("E_JOURNAL", text, { path }, { cause });
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
