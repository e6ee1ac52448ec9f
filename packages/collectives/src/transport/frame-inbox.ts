/**
 * @file Holds what arrives from one peer while nobody may take it: bounded, in order.
 */
import type { BulkFrame } from "./transport.js";

export class FrameInbox {
  private readonly frames: BulkFrame[] = [];
  private numBytes = 0;
  isPaused = false;

  get heldBytes(): number {
    return this.numBytes;
  }

  hold(frame: BulkFrame): void {
    this.frames.push(frame);
    this.numBytes += frame.payload.byteLength;
  }

  /** Takes the next frame, unless paused again meanwhile. */
  next(): BulkFrame | undefined {
    if (this.isPaused) return undefined;
    const frame = this.frames.shift();
    if (frame !== undefined) this.numBytes -= frame.payload.byteLength;
    return frame;
  }

  get isEmpty(): boolean {
    return this.frames.length === 0;
  }
}
