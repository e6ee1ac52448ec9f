/**
 * @file Bounds what is on its way to one peer: frames past the bound wait in order.
 *
 * A frame larger than the bound goes alone. Waiting frames are references to the sender's memory, not copies.
 */
import { CollectiveError } from "../errors.js";
import type { SendOptions } from "./transport.js";

interface WaitingFrame {
  readonly numBytes: number;
  readonly write: () => Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  readonly isCancelled: (() => boolean) | undefined;
}

export class SendWindow {
  private readonly maxBytes: number;
  private readonly waiting: WaitingFrame[] = [];
  private bytesInFlight = 0;
  private closedBy: CollectiveError | undefined;
  private readonly inFlight = new Set<(error: unknown) => void>();

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Calls `write` when there is room; resolves when `write` did. */
  send(numBytes: number, write: () => Promise<void>, options: SendOptions = {}): Promise<void> {
    if (this.closedBy !== undefined) return Promise.reject(this.closedBy);
    return new Promise<void>((resolve, reject) => {
      this.waiting.push({ numBytes, write, resolve, reject, isCancelled: options.isCancelled });
      this.advance();
    });
  }

  /** Rejects everything that waits or is on its way, and everything sent later. */
  close(error: CollectiveError): void {
    this.closedBy ??= error;
    for (const frame of this.waiting.splice(0)) frame.reject(error);
    for (const reject of this.inFlight) reject(error);
    this.inFlight.clear();
  }

  private advance(): void {
    for (;;) {
      const next = this.waiting[0];
      if (next === undefined || this.closedBy !== undefined) return;
      if (this.bytesInFlight > 0 && this.bytesInFlight + next.numBytes > this.maxBytes) return;
      this.waiting.shift();
      if (next.isCancelled?.() === true) {
        next.reject(new CollectiveError("E_GENERATION_CHANGED", "send: the frame was given up before it left.", {}));
        continue;
      }
      this.bytesInFlight += next.numBytes;
      this.inFlight.add(next.reject);
      const settle = (finish: () => void): void => {
        this.bytesInFlight -= next.numBytes;
        this.inFlight.delete(next.reject);
        finish();
        this.advance();
      };
      next.write().then(
        () => settle(next.resolve),
        (error: unknown) => settle(() => next.reject(error)),
      );
    }
  }
}
