/**
 * @file Appends JSON lines to a file whose disk may be full for a while: what cannot be written waits, in order, and goes with a later
 * line. A line is never torn by another one.
 */
import { closeSync, openSync, writeSync } from "node:fs";

export interface LineWriterOptions {
  /** What may wait; lines beyond are lost, and counted. Default 16 MiB. */
  readonly maxWaitingBytes?: number;
  /** For tests: as `fs.writeSync`. */
  readonly write?: (file: number, bytes: Uint8Array, offset: number) => number;
}

interface WaitingLine {
  readonly bytes: Uint8Array;
  readonly step: number | undefined;
}

export class LineWriter {
  readonly #path: string;
  readonly #maxWaitingBytes: number;
  readonly #write: (file: number, bytes: Uint8Array, offset: number) => number;
  #file: number;
  #waiting: WaitingLine[] = [];
  #waitingBytes = 0;
  /** Of the first line that waits: bytes that are on disk. */
  #numWritten = 0;
  #numLost = 0;

  constructor(path: string, { maxWaitingBytes = 2 ** 24, write = writeSync }: LineWriterOptions = {}) {
    this.#path = path;
    this.#maxWaitingBytes = maxWaitingBytes;
    this.#write = write;
    this.#file = openSync(path, "a");
  }

  /** @returns why lines could not be written, and what becomes of them; undefined when all are. */
  append(line: object): string | undefined {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    const isTooMuch = (): boolean => this.#waitingBytes + bytes.length > this.#maxWaitingBytes;
    if (isTooMuch()) this.flush();
    if (isTooMuch()) this.#numLost++;
    else {
      const { step } = line as { readonly step?: number };
      this.#waiting.push({ bytes, step });
      this.#waitingBytes += bytes.length;
    }
    return this.flush();
  }

  /** Tries once more. */
  flush(): string | undefined {
    try {
      for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
        const written = this.#write(this.#file, first.bytes, this.#numWritten);
        if (written === 0) throw new Error("the disk took nothing");
        this.#numWritten += written;
        if (this.#numWritten < first.bytes.length) continue;
        this.#waiting.shift();
        this.#waitingBytes -= first.bytes.length;
        this.#numWritten = 0;
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const lost = this.#numLost === 0 ? "" : `, and ${this.#numLost} are lost`;
      return `${this.#path} could not be written: ${why}; its lines wait until there is room${lost}. Make room, or make it writable.`;
    }
    if (this.#numLost === 0) return undefined;
    return `${this.#path} lacks ${this.#numLost} lines: it could not be written for long, and ${this.#maxWaitingBytes} bytes may wait.`;
  }

  /** Lets `change` write the file anew; lines of later steps that wait go. */
  reopen(lastStep: number, change: (path: string) => void): void {
    closeSync(this.#file);
    try {
      change(this.#path);
    } finally {
      this.#file = openSync(this.#path, "a");
    }
    this.#waiting = this.#waiting.filter(({ step }) => step === undefined || step <= lastStep);
    this.#waitingBytes = this.#waiting.reduce((sum, { bytes }) => sum + bytes.length, 0);
    // What was written of a line is no line, and was moved aside.
    this.#numWritten = 0;
  }

  /** Tries once more, then closes. @returns as `append`. */
  close(): string | undefined {
    const problem = this.flush();
    closeSync(this.#file);
    return problem;
  }
}
