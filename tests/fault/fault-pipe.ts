/**
 * @file One direction of one proxied connection: a queue of chunks with the time at which each is due.
 *
 * Bounded: when more than `maxQueuedBytes` wait, reading stops, as it does while paused. A farewell (FIN) keeps its place in the queue;
 * a broken source (RST) breaks the sink at once. While dropping, both vanish like the bytes.
 */
import type { Socket } from "node:net";
import type { Generator } from "@lockstep/core";

export interface DirectionFaults {
  readonly delayMs?: number;
  readonly jitterMs?: number;
  readonly bytesPerSec?: number;
  readonly isDropping?: boolean;
  readonly isPaused?: boolean;
}

export interface FaultPipeOptions {
  readonly source: Socket;
  readonly sink: Socket;
  readonly faults: DirectionFaults;
  readonly random: Generator;
  readonly onFired: (what: "delay" | "rate" | "drop" | "corrupt") => void;
}

interface Queued {
  readonly dueMs: number;
  /** undefined is the farewell. */
  readonly bytes: Buffer | undefined;
}

const maxQueuedBytes = 1 << 20;

export class FaultPipe {
  readonly #options: FaultPipeOptions;
  readonly #queue: Queued[] = [];
  #faults: DirectionFaults;
  #queuedBytes = 0;
  #carriedBytes = 0;
  /** Position in the stream of the byte in which a bit is flipped. */
  #corrupt: { readonly at: number; readonly mask: number } | undefined;
  /** When the last queued chunk has left a line of limited rate. */
  #lineFreeMs = 0;
  #lastDueMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isFinished = false;
  #isFarewellLost = false;

  constructor(options: FaultPipeOptions) {
    this.#options = options;
    this.#faults = options.faults;
    const { source, sink } = options;
    source.on("data", (bytes: Buffer) => this.#take(bytes));
    source.on("end", () => this.#push(undefined));
    source.on("close", (hadError) => {
      if (hadError && this.#faults.isDropping !== true && !sink.destroyed) sink.resetAndDestroy();
    });
    sink.on("close", () => {
      clearTimeout(this.#timer);
      this.#queue.length = 0;
      this.#queuedBytes = 0;
    });
    sink.on("drain", () => this.#steer());
    this.#steer();
  }

  update(faults: DirectionFaults): void {
    this.#faults = faults;
    this.#steer();
  }

  /** A farewell that was dropped comes now, as a kernel repeats it; bytes that were dropped do not. */
  heal(): void {
    this.#corrupt = undefined;
    this.update({});
    const { source, sink } = this.#options;
    if (source.destroyed && !sink.destroyed) sink.resetAndDestroy();
    else if (this.#isFarewellLost) this.finish();
  }

  corrupt(afterBytes: number, mask: number): void {
    this.#corrupt = { at: this.#carriedBytes + afterBytes, mask };
  }

  /** Sends a FIN now; later bytes are lost. */
  finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#options.sink.end();
  }

  #take(bytes: Buffer): void {
    if (this.#isFinished) return;
    this.#flip(bytes);
    this.#carriedBytes += bytes.length;
    this.#push(bytes);
  }

  #flip(bytes: Buffer): void {
    if (this.#corrupt === undefined) return;
    const at = this.#corrupt.at - this.#carriedBytes;
    if (at >= bytes.length) return;
    bytes[at] = bytes[at]! ^ this.#corrupt.mask;
    this.#corrupt = undefined;
    this.#options.onFired("corrupt");
  }

  #push(bytes: Buffer | undefined): void {
    const { delayMs = 0, jitterMs = 0, bytesPerSec } = this.#faults;
    const nowMs = performance.now();
    let dueMs = Math.max(nowMs, this.#lastDueMs);
    if (bytes !== undefined && bytesPerSec !== undefined) {
      this.#lineFreeMs = Math.max(nowMs, this.#lineFreeMs) + (bytes.length / bytesPerSec) * 1_000;
      dueMs = Math.max(dueMs, this.#lineFreeMs);
      this.#options.onFired("rate");
    }
    if (bytes !== undefined && delayMs + jitterMs > 0) {
      dueMs = Math.max(dueMs, nowMs + delayMs + jitterMs * this.#options.random.uniform());
      this.#options.onFired("delay");
    }
    this.#lastDueMs = dueMs;
    this.#queue.push({ dueMs, bytes });
    this.#queuedBytes += bytes?.length ?? 0;
    this.#flush();
    this.#steer();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    const { sink } = this.#options;
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const waitMs = next.dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#flush(), waitMs);
        return;
      }
      this.#queue.shift();
      this.#queuedBytes -= next.bytes?.length ?? 0;
      if (this.#faults.isDropping === true) {
        this.#isFarewellLost ||= next.bytes === undefined;
        this.#options.onFired("drop");
      } else if (next.bytes === undefined) this.finish();
      else if (!this.#isFinished && sink.writable) sink.write(next.bytes);
    }
    this.#steer();
  }

  /** Reads on, or not. */
  #steer(): void {
    const { source, sink } = this.#options;
    const isFull = this.#queuedBytes + sink.writableLength > maxQueuedBytes;
    if (this.#faults.isPaused === true || isFull) source.pause();
    else source.resume();
  }
}
