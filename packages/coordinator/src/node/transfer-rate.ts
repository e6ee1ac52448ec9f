/**
 * @file How fast blobs may go through the coordinator, so that gradients keep their part of the link: chunks in turn, each as late as
 * the bytes before it demand. Not limited while nobody trains.
 */
import type { Clock } from "./server-sockets.js";

export class TransferRate {
  readonly #bytesPerSec: number | undefined;
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  /** When the next bytes may go. */
  #nextMs = 0;
  #isLimited = true;

  /** @param bytesPerSec undefined: as fast as it goes. */
  constructor(bytesPerSec: number | undefined, clock: Clock) {
    this.#bytesPerSec = bytesPerSec;
    this.#clock = clock;
  }

  /** Resolves when these bytes may go. */
  async take(numBytes: number): Promise<void> {
    if (this.#bytesPerSec === undefined || !this.#isLimited) return;
    const nowMs = this.#clock.nowMs();
    const startMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = startMs + (1_000 * numBytes) / this.#bytesPerSec;
    if (startMs > nowMs) await this.#wait(startMs - nowMs);
  }

  /** Whether anybody trains meanwhile. Without a limit everything that waits goes at once. */
  limit(isLimited: boolean): void {
    if (isLimited === this.#isLimited) return;
    this.#isLimited = isLimited;
    if (isLimited) return;
    this.#nextMs = 0;
    for (const go of [...this.#waiting]) go();
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        cancel();
        this.#waiting.delete(go);
        resolve();
      };
      const cancel = this.#clock.schedule(Math.ceil(delayMs), go);
      this.#waiting.add(go);
    });
  }
}
